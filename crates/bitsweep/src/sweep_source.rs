//! Where the text of a sweep file comes from.

use std::path::{Path, PathBuf};

use bitsweep_sweep::{Plan, SweepFile};

use crate::failure::Failure;

/// Sweep files that are part of the program, by name.
const EMBEDDED: [(&str, &str); 1] =
    [("quickstart", include_str!("../../../sweeps/quickstart.toml"))];

/// A sweep file that has been read and planned.
#[derive(Debug)]
pub(crate) struct SweepSource {
    /// As messages name it.
    pub(crate) name: String,
    pub(crate) text: String,
    /// Relative data paths are taken from here; `None` for embedded files, which have none.
    pub(crate) base_directory: Option<PathBuf>,
    pub(crate) plan: Plan,
}

impl SweepSource {
    /// Reads `file`, or the embedded sweep of that name where no such file exists, and plans it.
    pub(crate) fn open(file: &str) -> Result<Self, Failure> {
        let path = Path::new(file);
        if !path.exists()
            && let Some((name, text)) = EMBEDDED.iter().find(|(name, _)| *name == file)
        {
            let plan = Plan::new(&SweepFile::parse(text, name)?, None)?;
            return Ok(Self {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
                base_directory: None,
                plan,
            });
        }
        let text = std::fs::read_to_string(path).map_err(|error| {
            let names: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
            Failure::Input(format!(
                "sweep file {file} cannot be read ({error}); give a file, or one that comes with bitsweep: {}",
                names.join(", ")
            ))
        })?;
        let base = std::path::absolute(path)?.parent().map(Path::to_path_buf);
        let plan = Plan::new(&SweepFile::parse(&text, file)?, base.as_deref())?;
        Ok(Self { name: file.to_owned(), text, base_directory: base, plan })
    }
}
