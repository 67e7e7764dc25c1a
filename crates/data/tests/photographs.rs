//! Real photographs. `BITSWEEP_DATA` names the folder of the archives; without them nothing is tested, which is said.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use bitsweep_data::{
    Batch, CorruptImages, Dataset, Loader, LoaderOptions, Normalization, OpenRequest, PackOptions,
    Transform, open, open_validation, pack,
};
use tempfile::TempDir;

/// Unpacks an archive, or says that the test is skipped.
fn unpacked(archive: &str) -> Option<TempDir> {
    let data = std::env::var_os("BITSWEEP_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = data.join(archive);
    if !path.is_file() {
        // Not captured, as what `eprintln` writes would be.
        let line = format!("SKIPPED: {} is not there; set BITSWEEP_DATA\n", path.display());
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let status =
        Command::new("tar").arg("-xf").arg(path).arg("-C").arg(folder.path()).status().unwrap();
    assert!(status.success());
    Some(folder)
}

fn first_batch(set: Dataset, threads: usize, transform: Transform) -> Batch {
    let options = LoaderOptions {
        batch_size: 32,
        resolution: 64,
        transform,
        normalization: Normalization::imagenet(),
        corrupt_images: CorruptImages::Fail,
        seed: 3,
        shuffle: true,
        drop_last: true,
        threads,
        prefetch: 1,
    };
    let loader = Loader::new(Arc::new(set), options).unwrap();
    loader.epoch(1, 2).next().unwrap().unwrap()
}

#[test]
fn imagenette_loads_the_same_from_files_from_memory_and_packed() {
    let Some(folder) = unpacked("imagenette-224-subset.tar") else { return };
    let (folder, out) = (folder.path().join("imagenette"), tempfile::tempdir().unwrap());
    let request =
        |memory_limit| OpenRequest { name: "image-folder", path: Some(&folder), memory_limit };
    let (files, memory) = (open(&request(0)).unwrap(), open(&request(1 << 30)).unwrap());
    assert_eq!((files.train.len(), files.validation.len()), (2000, 500));
    assert_eq!((files.train.classes(), files.train.class_names()[0].as_str()), (10, "n01440764"));
    assert!(memory.train.in_memory() && memory.train.corrupt_images().is_empty());
    let options = PackOptions { size: None, threads: 2, ..PackOptions::default() };
    pack(&folder, out.path(), &options, &mut |_| ControlFlow::Continue(())).unwrap().unwrap();
    let packed = open(&OpenRequest::new("packed", Some(out.path()))).unwrap();
    for transform in [Transform::random_resized_crop(), Transform::center_crop(64)] {
        let expected = first_batch(files.train.clone(), 0, transform);
        assert_eq!(first_batch(memory.train.clone(), 2, transform), expected);
        assert_eq!(first_batch(packed.train.clone(), 3, transform), expected);
        assert!(expected.labels.iter().collect::<std::collections::BTreeSet<_>>().len() > 5);
    }
}

#[test]
fn the_thousand_classes_of_imagenet_come_in_the_order_of_their_index() {
    let Some(folder) = unpacked("imagenet-sample-1000-256px.tar") else { return };
    let folder = folder.path().join("imagenet-sample");
    let request = OpenRequest {
        name: "image-folder",
        path: Some(&folder),
        memory_limit: OpenRequest::MEMORY_LIMIT,
    };
    let set = open_validation(&request).unwrap();
    assert_eq!((set.len(), set.classes()), (1000, 1000));
    assert!(set.labels().iter().enumerate().all(|(index, label)| index == usize::from(*label)));
    assert!(set.corrupt_images().is_empty());
    let index = fs::read_to_string(folder.join("synsets.tsv")).unwrap();
    let expected: BTreeMap<&str, u16> = index
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let number = fields.iter().find_map(|field| field.parse().ok())?;
            Some((*fields.iter().find(|field| field.starts_with('n'))?, number))
        })
        .collect();
    assert_eq!(expected.len(), 1000);
    for (label, name) in set.class_names().iter().enumerate() {
        assert_eq!(expected[name.as_str()], label as u16, "{name}");
    }
}
