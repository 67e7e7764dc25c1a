//! Files that the user asks for: written into the working folder, never over another one.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Names tried before giving up: `name.csv`, `name-2.csv`, and so on.
const TRIES: u32 = 1000;

/// Writes a file whose name is free; gives its path, or one line on what went wrong.
pub(crate) fn write_new(folder: &Path, name: &str, content: &[u8]) -> Result<PathBuf, String> {
    for number in 1..=TRIES {
        let path = folder.join(numbered(name, number));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
        match file.and_then(|mut file| file.write_all(content)) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(format!("cannot write {name}: {TRIES} files of that name are here already"))
}

fn numbered(name: &str, number: u32) -> String {
    match name.rsplit_once('.') {
        _ if number == 1 => name.to_owned(),
        Some((stem, extension)) => format!("{stem}-{number}.{extension}"),
        None => format!("{name}-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |text: &str| write_new(folder.path(), "a.csv", text.as_bytes());
        assert_eq!(write("one"), Ok(folder.path().join("a.csv")));
        assert_eq!(write("two"), Ok(folder.path().join("a-2.csv")));
        let read = std::fs::read_to_string(folder.path().join("a.csv")).expect("written");
        assert_eq!(read, "one");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let error = write_new(Path::new("/nowhere/at/all"), "a.csv", b"").expect_err("no folder");
        assert!(error.contains("cannot write /nowhere/at/all/a.csv"), "{error}");
    }
}
