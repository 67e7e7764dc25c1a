//! Packed data sets: what was packed comes out again, whatever happened in between.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bitsweep_data::{
    Batch, CorruptImages, DataError, DatasetPair, Loader, LoaderOptions, Normalization,
    OpenRequest, PackOptions, PackReport, Transform, open, open_validation, pack, verify_packed,
};
use tempfile::TempDir;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// Two classes, twelve training images of two sizes and two validation images.
fn images() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (class, split, count) in
        [("a", "train", 7), ("b", "train", 5), ("a", "val", 1), ("b", "val", 1)]
    {
        let class = folder.path().join(split).join(class);
        fs::create_dir_all(&class).unwrap();
        for number in 0..count {
            let source = ["photo.png", "420.jpg", "grey.png"][number % 3];
            fs::write(class.join(format!("{number}.png")), fixture(source)).unwrap();
        }
    }
    folder
}

/// Shards of about three images.
fn options() -> PackOptions {
    PackOptions { size: Some(32), shard_bytes: 12_000, threads: 2, ..PackOptions::default() }
}

fn packed(folder: &Path, out: &Path, options: &PackOptions) -> Result<PackReport, DataError> {
    pack(folder, out, options, &mut |_| ControlFlow::Continue(())).map(Option::unwrap)
}

fn opened(out: &Path) -> Result<DatasetPair, DataError> {
    open(&OpenRequest::new("packed", Some(out)))
}

/// Name and bytes of everything in a folder.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().display().to_string(), fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

fn shards(out: &Path) -> Vec<PathBuf> {
    let names = contents(out).into_iter().map(|(name, _)| name);
    names.filter(|name| name.ends_with(".shard")).map(|name| out.join(name)).collect()
}

#[test]
fn what_comes_out_is_what_the_folder_holds() {
    let (folder, out) = (images(), tempfile::tempdir().unwrap());
    let report =
        packed(folder.path(), out.path(), &PackOptions { size: None, ..options() }).unwrap();
    assert_eq!((report.images, report.skipped.len()), (14, 0));
    assert!(report.shards > 4, "{report:?}");
    let (pair, source) = (
        opened(out.path()).unwrap(),
        open(&OpenRequest::new("image-folder", Some(folder.path()))).unwrap(),
    );
    for (packed, source) in [(&pair.train, &source.train), (&pair.validation, &source.validation)] {
        assert_eq!(packed.labels(), source.labels());
        assert_eq!(packed.class_names(), ["a", "b"]);
        assert_eq!(packed.sizes(), source.sizes());
        for index in 0..packed.len() {
            assert_eq!(packed.image(index).unwrap(), source.image(index).unwrap());
        }
    }
    let validation = open_validation(&OpenRequest::new("packed", Some(out.path()))).unwrap();
    assert_eq!(validation.len(), 2);
    verify_packed(out.path()).unwrap();
}

#[test]
fn evaluation_sees_the_same_pixels_as_from_the_files() {
    let (folder, out) = (images(), tempfile::tempdir().unwrap());
    packed(folder.path(), out.path(), &options()).unwrap();
    let pair = opened(out.path()).unwrap();
    assert_eq!(pair.train.sizes(), Some([[32, 32], [43, 44]]));
    let source = open(&OpenRequest::new("image-folder", Some(folder.path()))).unwrap();
    let batch = |set| {
        let options = LoaderOptions {
            batch_size: 12,
            resolution: 28,
            transform: Transform::center_crop(28),
            normalization: Normalization::imagenet(),
            corrupt_images: CorruptImages::Fail,
            seed: 0,
            shuffle: false,
            drop_last: false,
            threads: 0,
            prefetch: 1,
        };
        let loader = Loader::new(Arc::new(set), options).unwrap();
        loader.epoch(0, 0).next().unwrap().unwrap()
    };
    let (packed, files): (Batch, Batch) = (batch(pair.train), batch(source.train));
    assert_eq!(packed, files);
}

#[test]
fn the_same_folder_gives_the_same_bytes_for_any_number_of_threads() {
    let (folder, one, many) =
        (images(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    packed(folder.path(), one.path(), &PackOptions { threads: 1, ..options() }).unwrap();
    packed(folder.path(), many.path(), &PackOptions { threads: 5, ..options() }).unwrap();
    assert!(contents(one.path()) == contents(many.path()));
    let fingerprint = |out| opened(out).unwrap().fingerprint().unwrap();
    assert_eq!(fingerprint(one.path()), fingerprint(many.path()));
    let subset = opened(one.path()).unwrap().train.balanced_subset(4);
    assert_eq!(subset.image(2).unwrap(), opened(one.path()).unwrap().train.image(7).unwrap());
    assert_ne!(
        subset.fingerprint().unwrap(),
        opened(one.path()).unwrap().train.fingerprint().unwrap()
    );
}

#[test]
fn packing_stopped_anywhere_goes_on_and_ends_with_the_same_bytes() {
    let folder = images();
    let whole = tempfile::tempdir().unwrap();
    packed(folder.path(), whole.path(), &options()).unwrap();
    for stop in 0..14 {
        let out = tempfile::tempdir().unwrap();
        let mut stop_at = |progress: bitsweep_data::PackProgress| {
            if progress.done >= stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let stopped = pack(folder.path(), out.path(), &options(), &mut stop_at).unwrap();
        assert_eq!(stopped, None, "at {stop}");
        let left = contents(out.path());
        assert!(left.iter().all(|(name, _)| !name.ends_with("partial")), "at {stop}");
        let error = opened(out.path()).unwrap_err().to_string();
        assert!(error.contains("index.json") && error.contains("run it again"), "{error}");
        let mut first = None;
        let go_on = &mut |progress: bitsweep_data::PackProgress| {
            first.get_or_insert(progress.done);
            ControlFlow::Continue(())
        };
        pack(folder.path(), out.path(), &options(), go_on).unwrap().unwrap();
        // Whole shards of at least three images are kept.
        assert!(stop < 4 || first > Some(0), "at {stop} from {first:?}");
        assert!(contents(out.path()) == contents(whole.path()), "at {stop}");
    }
}

#[test]
fn a_cut_or_changed_shard_is_named() {
    let (folder, out) = (images(), tempfile::tempdir().unwrap());
    packed(folder.path(), out.path(), &options()).unwrap();
    let shard = shards(out.path()).swap_remove(1);
    let whole = fs::read(&shard).unwrap();
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&shard, &whole[..length]).unwrap();
        let error = opened(out.path()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{} is damaged", shard.display())), "{error}");
    }
    let mut changed = whole.clone();
    changed[100] ^= 1;
    fs::write(&shard, &changed).unwrap();
    // A pixel is no business of opening, but of using it, and of the whole check.
    let pair = opened(out.path()).unwrap();
    let found: Vec<String> = (0..pair.train.len())
        .filter_map(|index| pair.train.image(index).err().map(|error| error.to_string()))
        .collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].contains(&shard.display().to_string()) && found[0].contains("image 0"));
    let error = verify_packed(out.path()).unwrap_err().to_string();
    assert!(error.contains(&shard.display().to_string()), "{error}");
    // Packing again writes it anew.
    packed(folder.path(), out.path(), &options()).unwrap();
    assert_eq!(fs::read(&shard).unwrap(), whole);
    fs::remove_file(&shard).unwrap();
    assert!(opened(out.path()).unwrap_err().to_string().contains(&shard.display().to_string()));
}

#[test]
fn a_damaged_index_is_named_and_another_version_told_apart() {
    let (folder, out) = (images(), tempfile::tempdir().unwrap());
    packed(folder.path(), out.path(), &options()).unwrap();
    let index = out.path().join("index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, &text[..text.len() / 2]).unwrap();
    assert!(opened(out.path()).unwrap_err().to_string().contains("index.json is damaged"));
    fs::write(&index, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
    let error = opened(out.path()).unwrap_err().to_string();
    assert!(
        error.contains("version 2") && error.contains("reads bitsweep-packed version 1"),
        "{error}"
    );
}

#[test]
fn damaged_files_end_the_packing_or_are_left_out_and_listed() {
    let folder = images();
    let bad = [folder.path().join("train/a/2.png"), folder.path().join("train/b/4.png")];
    for path in &bad {
        fs::write(path, b"no image").unwrap();
    }
    let out = tempfile::tempdir().unwrap();
    let error = packed(folder.path(), out.path(), &options()).unwrap_err().to_string();
    assert!(error.starts_with(&bad[0].display().to_string()), "{error}");
    assert!(!out.path().join("index.json").exists());
    let skip = PackOptions { corrupt_images: CorruptImages::Skip, ..options() };
    let report = packed(folder.path(), out.path(), &skip).unwrap();
    let named: Vec<&str> = report.skipped.iter().map(|skipped| skipped.file.as_str()).collect();
    assert_eq!(named, bad.each_ref().map(|path| path.to_str().unwrap()));
    assert_eq!(report.images, 12);
    let pair = opened(out.path()).unwrap();
    assert_eq!(pair.train.labels(), [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
    // Run again, it finds everything done and still knows what was left out.
    assert_eq!(packed(folder.path(), out.path(), &skip).unwrap(), report);
}

#[test]
fn a_folder_with_another_packed_set_is_left_alone() {
    let (folder, out) = (images(), tempfile::tempdir().unwrap());
    packed(folder.path(), out.path(), &options()).unwrap();
    let before = contents(out.path());
    let other = PackOptions { size: Some(24), ..options() };
    let error = packed(folder.path(), out.path(), &other).unwrap_err().to_string();
    assert!(error.contains("another folder") && error.contains("remove it first"), "{error}");
    assert!(contents(out.path()) == before);
    // Unfinished sets, too, belong to somebody.
    fs::remove_file(out.path().join("index.json")).unwrap();
    assert!(packed(folder.path(), out.path(), &other).is_err());
}
