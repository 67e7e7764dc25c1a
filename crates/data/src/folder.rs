//! Folders of images, one folder a class, as torchvision's `ImageFolder` reads them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::dataset::listed;
use crate::error::DataError;
use crate::store::Files;

const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];
/// Folders within a class folder, at most; a link to a folder above would have no end.
const DEPTH: usize = 16;

/// The image files of one split.
#[derive(Clone, Debug)]
pub(crate) struct FolderSplit {
    pub(crate) files: Files,
    pub(crate) labels: Vec<u16>,
    pub(crate) classes: Arc<[String]>,
}

/// The folder of training images within a data set's folder.
pub(crate) fn train_folder(folder: &Path) -> PathBuf {
    folder.join("train")
}

/// The folder of validation images: `val` or `test`; `None` if there is neither.
pub(crate) fn validation_folder(folder: &Path) -> Option<PathBuf> {
    ["val", "test"].map(|name| folder.join(name)).into_iter().find(|path| path.is_dir())
}

/// Lists the images of `folder/<class>/`, classes and files sorted by name.
///
/// Without `classes` those of the folder are meant, and each must have an image. With `classes` the folder may lack
/// some but must not have others.
pub(crate) fn scan(
    folder: &Path,
    classes: Option<&Arc<[String]>>,
) -> Result<FolderSplit, DataError> {
    let mut found: Vec<String> = Vec::new();
    for (name, path) in entries(folder)? {
        if path.is_dir() {
            found.push(name);
        }
    }
    if found.is_empty() {
        return Err(DataError::Classes(format!(
            "{} has no class folders; images must lie in one folder for each class",
            folder.display()
        )));
    }
    let all_needed = classes.is_none();
    let classes = classes.map_or_else(|| found.iter().cloned().collect(), Arc::clone);
    if classes.len() > usize::from(u16::MAX) + 1 {
        return Err(DataError::Classes(format!(
            "{} has {} class folders; 65536 are possible",
            folder.display(),
            classes.len()
        )));
    }
    let unknown: Vec<&str> = found
        .iter()
        .map(String::as_str)
        .filter(|name| classes.binary_search_by(|class| class.as_str().cmp(name)).is_err())
        .collect();
    if !unknown.is_empty() {
        return Err(DataError::Classes(format!(
            "{} has classes that the training images lack: {}",
            folder.display(),
            listed(&unknown)
        )));
    }
    let (mut names, mut labels, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    for (label, class) in classes.iter().enumerate() {
        let before = names.len();
        if found.binary_search(class).is_ok() {
            collect(&folder.join(class), class, DEPTH, &mut names)?;
        }
        labels.resize(names.len(), label as u16);
        if names.len() == before {
            empty.push(class.as_str());
        }
    }
    if names.is_empty() || (all_needed && !empty.is_empty()) {
        return Err(DataError::Classes(format!(
            "{} has class folders without any .jpg, .jpeg or .png file: {}",
            folder.display(),
            listed(&empty)
        )));
    }
    let files = Files { folder: folder.to_path_buf(), names };
    Ok(FolderSplit { files, labels, classes })
}

/// Appends the images below one folder, as paths that begin with `prefix`.
fn collect(
    folder: &Path,
    prefix: &str,
    depth: usize,
    names: &mut Vec<Box<str>>,
) -> Result<(), DataError> {
    if depth == 0 {
        return Err(DataError::Unsuitable(format!(
            "{} lies {DEPTH} folders below its class; is there a link to a folder above?",
            folder.display()
        )));
    }
    for (name, path) in entries(folder)? {
        let extension = Path::new(&name).extension().and_then(OsStr::to_str);
        let relative = format!("{prefix}/{name}");
        if extension.is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known))) {
            names.push(relative.into());
        } else if path.is_dir() {
            // Files of other kinds, for example lists of labels, are passed over.
            collect(&path, &relative, depth - 1, names)?;
        }
    }
    Ok(())
}

/// What a folder holds, sorted by name; names that begin with a dot are left out.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let advice =
        "path must be the folder that holds train/ and val/, each with a folder for each class";
    let unreadable = |source| DataError::unreadable(folder, source, advice);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().into_string().map_err(|name| {
            DataError::Unsuitable(format!(
                "{} has a name that is no valid UTF-8; rename it",
                folder.join(name).display()
            ))
        })?;
        if !name.starts_with('.') {
            entries.push((name, entry.path()));
        }
    }
    entries.sort_unstable();
    Ok(entries)
}
