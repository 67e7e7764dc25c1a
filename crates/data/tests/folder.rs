//! Folders of images, small and large, sound and damaged.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bitsweep_data::{
    Batch, CorruptImages, DataError, Dataset, DatasetPair, Loader, LoaderOptions, Normalization,
    OpenRequest, Transform, open, open_validation,
};
use tempfile::TempDir;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// Writes `files` below a new folder, each a copy of a fixture.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, source) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, fixture(source)).unwrap();
    }
    folder
}

fn three_classes() -> TempDir {
    folder(&[
        ("train/bee/2.jpg", "420.jpg"),
        ("train/bee/1.png", "grey.png"),
        ("train/ant/deeper/x.JPEG", "444.jpg"),
        ("train/ant/list.txt", "cases.json"),
        ("train/.hidden/x.jpg", "444.jpg"),
        ("train/cat/.x.jpg", "cases.json"),
        ("train/cat/x.jpg", "rgb.png"),
        ("val/cat/x.png", "photo.png"),
        ("val/bee/x.png", "rgb.png"),
    ])
}

const EVERYTHING_LAZY: u64 = 0;

fn opened(folder: &Path, memory_limit: u64) -> Result<DatasetPair, DataError> {
    open(&OpenRequest { name: "image-folder", path: Some(folder), memory_limit })
}

fn refusal(folder: &Path) -> String {
    opened(folder, EVERYTHING_LAZY).unwrap_err().to_string()
}

#[test]
fn classes_and_files_are_sorted_by_name_and_validation_uses_the_classes_of_training() {
    let folder = three_classes();
    let pair = opened(folder.path(), EVERYTHING_LAZY).unwrap();
    assert_eq!(pair.train.class_names(), ["ant", "bee", "cat"]);
    assert_eq!(pair.train.labels(), [0, 1, 1, 2]);
    let names: Vec<String> = (0..4).map(|index| pair.train.image_name(index)).collect();
    let train = folder.path().join("train");
    let expected = ["ant/deeper/x.JPEG", "bee/1.png", "bee/2.jpg", "cat/x.jpg"];
    assert_eq!(names, expected.map(|name| train.join(name).display().to_string()));
    assert_eq!(pair.validation.labels(), [1, 2]);
    assert_eq!(pair.validation.classes(), 3);
}

#[test]
fn images_are_the_same_decoded_at_once_or_when_they_are_needed() {
    let folder = three_classes();
    let lazy = opened(folder.path(), EVERYTHING_LAZY).unwrap();
    let ready = opened(folder.path(), 1 << 20).unwrap();
    for (lazy, ready) in [(&lazy.train, &ready.train), (&lazy.validation, &ready.validation)] {
        assert!(!lazy.in_memory() && ready.in_memory());
        assert_eq!(lazy.labels(), ready.labels());
        for index in 0..lazy.len() {
            assert_eq!(lazy.image(index).unwrap(), ready.image(index).unwrap());
        }
    }
    assert_eq!(ready.validation.sizes(), Some([[38, 90], [53, 121]]));
    assert_eq!(lazy.validation.sizes(), None);
    // The limit is one of both splits: with room for the first alone, the second stays as files.
    let first = 4 * 53 * 38 * 3;
    let half = opened(folder.path(), first).unwrap();
    assert!(half.train.in_memory() && !half.validation.in_memory());
}

#[test]
fn test_stands_in_for_val_and_validation_opens_alone() {
    let folder = folder(&[("test/a/1.png", "rgb.png"), ("test/b/1.png", "rgb.png")]);
    let request = OpenRequest::new("image-folder", Some(folder.path()));
    let set = open_validation(&request).unwrap();
    assert_eq!((set.labels(), set.classes()), (&[0, 1][..], 2));
    let inner = folder.path().join("test");
    let set = open_validation(&OpenRequest::new("image-folder", Some(&inner))).unwrap();
    assert_eq!(set.class_names(), ["a", "b"]);
    let message = open(&request).unwrap_err().to_string();
    assert!(message.contains("train") && message.contains("train/ and val/"), "{message}");
}

#[test]
fn folders_that_are_no_data_set_are_refused_by_name() {
    let empty = folder(&[("train/a/1.png", "rgb.png"), ("train/b/1.txt", "cases.json")]);
    let message = refusal(empty.path());
    assert!(message.contains("any .jpg, .jpeg or .png file: b"), "{message}");
    let no_validation = folder(&[("train/a/1.png", "rgb.png")]);
    let message = refusal(no_validation.path());
    assert!(message.contains("neither val/ nor test/"), "{message}");
    let other = folder(&[("train/a/1.png", "rgb.png"), ("val/b/1.png", "rgb.png")]);
    let message = refusal(other.path());
    assert!(message.contains("classes that the training images lack: b"), "{message}");
    let flat = folder(&[("train/1.png", "rgb.png")]);
    assert!(refusal(flat.path()).contains("no class folders"));
    assert!(
        open(&OpenRequest::new("image-folder", None)).unwrap_err().to_string().contains("path")
    );
}

#[test]
fn a_link_to_a_folder_above_is_an_error_and_no_endless_walk() {
    let folder = three_classes();
    let bee = folder.path().join("train/bee");
    std::os::unix::fs::symlink(folder.path().join("train"), bee.join("loop")).unwrap();
    assert!(refusal(folder.path()).contains("link to a folder above"));
}

/// Ten images of one class, of which 2, 3 and 9 are damaged in three ways.
fn damaged() -> (TempDir, [PathBuf; 3]) {
    let files: Vec<String> = (0..10).map(|number| format!("train/a/{number}.jpg")).collect();
    let mut all: Vec<(&str, &str)> = files.iter().map(|file| (file.as_str(), "420.jpg")).collect();
    all.push(("val/a/0.jpg", "420.jpg"));
    let folder = folder(&all);
    let paths = [2, 3, 9].map(|number: usize| folder.path().join(&files[number]));
    let whole = fixture("420.jpg");
    fs::write(&paths[0], &whole[..whole.len() - 9]).unwrap();
    fs::write(&paths[1], b"<html>not found</html>").unwrap();
    fs::write(&paths[2], &whole[..whole.len() / 2]).unwrap();
    (folder, paths)
}

fn options(corrupt_images: CorruptImages, threads: usize) -> LoaderOptions {
    LoaderOptions {
        batch_size: 4,
        resolution: 32,
        transform: Transform::random_resized_crop(),
        normalization: Normalization::imagenet(),
        corrupt_images,
        seed: 1,
        shuffle: true,
        drop_last: false,
        threads,
        prefetch: 1,
    }
}

fn loader(set: &Dataset, options: LoaderOptions) -> Result<Loader, DataError> {
    Loader::new(Arc::new(set.clone()), options)
}

#[test]
fn a_damaged_image_ends_the_epoch_with_its_name() {
    let (folder, paths) = damaged();
    let lazy = opened(folder.path(), EVERYTHING_LAZY).unwrap().train;
    for threads in [0, 1, 3] {
        let loader = loader(&lazy, options(CorruptImages::Fail, threads)).unwrap();
        let mut epoch = loader.epoch(1, 0);
        let error = epoch.find_map(Result::err).unwrap().to_string();
        assert!(paths.iter().any(|path| error.starts_with(&path.display().to_string())), "{error}");
        assert!(epoch.next().is_none(), "nothing comes after an error");
    }
    // Of a set in memory it is known before the first batch.
    let ready = opened(folder.path(), 1 << 20).unwrap().train;
    let error = loader(&ready, options(CorruptImages::Fail, 0)).err().unwrap().to_string();
    assert!(error.starts_with(&paths[0].display().to_string()), "{error}");
    assert!(error.contains("it ends before its end marker"), "{error}");
}

#[test]
fn skipped_images_change_nothing_with_the_number_of_threads_and_are_reported_once() {
    let (folder, paths) = damaged();
    let expected: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let mut first: Option<Vec<Batch>> = None;
    for memory_limit in [EVERYTHING_LAZY, 1 << 20] {
        let set = opened(folder.path(), memory_limit).unwrap().train;
        for threads in [0, 1, 2, 3] {
            let loader = loader(&set, options(CorruptImages::Skip, threads)).unwrap();
            let batches: Vec<Batch> = loader.epoch(1, 0).map(Result::unwrap).collect();
            assert_eq!(
                batches.iter().map(|batch| batch.labels.len()).collect::<Vec<_>>(),
                [4, 4, 2]
            );
            assert_eq!(batches.iter().map(|batch| batch.replaced).sum::<usize>(), 3);
            let names = |skipped: Vec<bitsweep_data::SkippedImage>| {
                skipped.into_iter().map(|image| image.file).collect::<Vec<_>>()
            };
            assert_eq!(names(loader.newly_skipped()), expected);
            let resumed: Vec<Batch> = loader.epoch(1, 2).map(Result::unwrap).collect();
            assert_eq!(resumed, batches[2..]);
            assert!(loader.newly_skipped().is_empty(), "told already");
            assert_eq!(names(loader.skipped()), expected);
            match &first {
                Some(first) => assert_eq!(&batches, first, "{threads} threads"),
                None => first = Some(batches),
            }
        }
    }
}

#[test]
fn the_next_sound_image_stands_in_with_its_own_label() {
    let folder = folder(&[
        ("train/a/1.png", "rgb.png"),
        ("train/b/1.png", "cases.json"),
        ("train/c/1.png", "grey.png"),
        ("val/a/1.png", "rgb.png"),
    ]);
    let set = opened(folder.path(), EVERYTHING_LAZY).unwrap().train;
    let options =
        LoaderOptions { shuffle: false, batch_size: 1, ..options(CorruptImages::Skip, 0) };
    let batches: Vec<Batch> =
        loader(&set, options).unwrap().epoch(1, 0).map(Result::unwrap).collect();
    let labels: Vec<u16> = batches.iter().map(|batch| batch.labels[0]).collect();
    assert_eq!(labels, [0, 2, 2]);
}

#[test]
fn a_folder_of_nothing_but_damage_is_an_error_even_when_skipping() {
    let folder = folder(&[
        ("train/a/1.png", "cases.json"),
        ("train/a/2.png", "cases.json"),
        ("val/a/1.png", "rgb.png"),
    ]);
    let set = opened(folder.path(), EVERYTHING_LAZY).unwrap().train;
    let loader = loader(&set, options(CorruptImages::Skip, 0)).unwrap();
    let error = loader.epoch(1, 0).next().unwrap().unwrap_err().to_string();
    assert!(error.contains("the 1 images after it are damaged"), "{error}");
}

#[test]
fn a_file_that_vanished_ends_the_epoch_even_when_skipping() {
    let folder = three_classes();
    let set = opened(folder.path(), EVERYTHING_LAZY).unwrap().train;
    fs::remove_file(folder.path().join("train/bee/1.png")).unwrap();
    let loader = loader(&set, options(CorruptImages::Skip, 1)).unwrap();
    let error = loader.epoch(1, 0).find_map(Result::err).unwrap().to_string();
    assert!(error.contains("bee/1.png") && error.contains("cannot be read"), "{error}");
}

#[test]
fn images_too_large_for_padding_are_refused_when_they_turn_up() {
    let folder = three_classes();
    let padded = |resolution| LoaderOptions {
        resolution,
        transform: Transform::padded(),
        ..options(CorruptImages::Fail, 0)
    };
    let lazy = opened(folder.path(), EVERYTHING_LAZY).unwrap().validation;
    let error = loader(&lazy, padded(64)).unwrap().epoch(1, 0).find_map(Result::err).unwrap();
    assert!(error.to_string().contains("90×121"), "{error}");
    let ready = opened(folder.path(), 1 << 20).unwrap().validation;
    assert!(loader(&ready, padded(64)).err().unwrap().to_string().contains("90×121"));
    assert!(loader(&ready, padded(121)).is_ok());
}

#[test]
fn only_a_set_in_memory_has_a_normalization_of_its_own() {
    let folder = three_classes();
    let error = Normalization::of(&opened(folder.path(), EVERYTHING_LAZY).unwrap().train);
    assert!(error.unwrap_err().to_string().contains("ImageNet"));
    let own = Normalization::of(&opened(folder.path(), 1 << 20).unwrap().train).unwrap();
    assert!(own.mean.iter().all(|mean| (0.1..0.9).contains(mean)), "{own:?}");
}

#[test]
fn the_fingerprint_of_files_follows_their_bytes_and_is_kept_beside_them() {
    let folder = three_classes();
    let set = || opened(folder.path(), EVERYTHING_LAZY).unwrap().train;
    let first = set().fingerprint().unwrap();
    let kept = folder.path().join("train/.bitsweep-fingerprints");
    let line = fs::read_to_string(&kept).unwrap();
    assert!(line.trim_end().ends_with(&first), "{line}");
    assert_eq!(set().fingerprint().unwrap(), first);
    // What is kept is believed as long as no file changed.
    fs::write(&kept, line.replace(&first, &"0".repeat(64))).unwrap();
    assert_eq!(set().fingerprint().unwrap(), "0".repeat(64));
    fs::write(folder.path().join("train/bee/1.png"), fixture("palette.png")).unwrap();
    let changed = set().fingerprint().unwrap();
    assert!(changed != first && changed != "0".repeat(64));
    let subset = set().balanced_subset(3).fingerprint().unwrap();
    assert_ne!(subset, changed);
}
