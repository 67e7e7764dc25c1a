//! How many images a folder holds, where it lies on this machine.

use std::fs;
use std::path::Path;

use bitsweep_sweep::{DataSpec, SplitCounts};

const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];
/// Folders within a class folder, at most; a link to a folder above would have no end.
const DEPTH: usize = 16;

/// What a folder of images holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// Class folders of the training images.
    pub(super) classes: usize,
    pub(super) images: SplitCounts,
}

/// Counts the images of an `image-folder`; `None` for other data sets, and where the folder is not on this machine.
pub(super) fn count(data: &DataSpec) -> Option<Counted> {
    let path = data.path.as_ref().filter(|_| data.name == "image-folder")?;
    let folder = Path::new(path);
    let (classes, train) = split(&folder.join("train"))?;
    let validation =
        ["val", "test"].iter().find_map(|name| split(&folder.join(name))).map_or(0, |(_, n)| n);
    Some(Counted { classes, images: SplitCounts { train, validation } })
}

/// Class folders and images of one split.
fn split(folder: &Path) -> Option<(usize, u64)> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let classes: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    Some((classes.len(), classes.iter().map(|class| images(class, DEPTH)).sum()))
}

fn images(folder: &Path, depth: usize) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let one = |path: &Path| match depth.checked_sub(1) {
        Some(depth) if path.is_dir() => images(path, depth),
        _ => u64::from(is_image(path)),
    };
    entries.flatten().map(|entry| one(&entry.path())).sum()
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|found| EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_counted_by_split_and_other_files_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in [
            "train/a/1.jpg",
            "train/a/deep/2.PNG",
            "train/b/3.jpeg",
            "train/b/notes.txt",
            "test/a/4.JPEG",
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, "").expect("written");
        }
        let path = Some(folder.path().to_string_lossy().into_owned());
        let data = DataSpec { name: "image-folder".to_owned(), path, ..DataSpec::default() };
        let images = SplitCounts { train: 3, validation: 1 };
        assert_eq!(count(&data), Some(Counted { classes: 2, images }));
        assert_eq!(count(&DataSpec { name: "packed".to_owned(), ..data.clone() }), None);
        let elsewhere = Some("/no/such/folder".to_owned());
        assert_eq!(count(&DataSpec { path: elsewhere, ..data }), None);
    }
}
