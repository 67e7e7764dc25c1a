//! What is remembered between two dashboards, and the themes that the user made: files in the
//! user's folders. Nothing here is worth an error that keeps the dashboard from opening.

use std::path::PathBuf;

use etcetera::{BaseStrategy, choose_base_strategy};

use crate::model::Preferences;
use crate::theme::{Theme, ThemeError};

/// Folder of the program within the user's folders.
const FOLDER: &str = "bitsweep";

/// Where the preferences are kept; `None` where the system knows no such place.
fn state_file() -> Option<PathBuf> {
    let folders = choose_base_strategy().ok()?;
    let state = folders.state_dir().unwrap_or_else(|| folders.data_dir());
    Some(state.join(FOLDER).join("dashboard.toml"))
}

/// What was remembered; what cannot be read counts as nothing.
pub(crate) fn recall() -> Preferences {
    let text = state_file().and_then(|path| std::fs::read_to_string(path).ok());
    text.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
}

/// Remembers; a folder that cannot be written is no reason to disturb anybody.
pub(crate) fn remember(preferences: &Preferences) {
    let Some((path, text)) = state_file().zip(toml::to_string(preferences).ok()) else { return };
    if let Some(folder) = path.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    // A reader sees the old file or the new one.
    let fresh = path.with_extension("toml.new");
    if std::fs::write(&fresh, text).is_ok() {
        let _ = std::fs::rename(&fresh, &path);
    }
}

/// Themes of the user, `themes/NAME.toml` in the program's configuration folder, and what is wrong
/// with those that are none.
pub(crate) fn themes() -> (Vec<Theme>, Vec<ThemeError>) {
    let folder = choose_base_strategy().ok().map(|f| f.config_dir().join(FOLDER).join("themes"));
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
    let mut paths: Vec<PathBuf> =
        entries.into_iter().flatten().filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    let (mut themes, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        match Theme::from_toml(&name, &text) {
            Ok(theme) => themes.push(theme),
            Err(error) => errors.push(error),
        }
    }
    (themes, errors)
}
