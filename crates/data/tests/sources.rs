//! Data sets by name.

use std::path::Path;

use bitsweep_data::{DataError, DatasetPair, OpenRequest};

fn open(name: &str, path: Option<&Path>) -> Result<DatasetPair, DataError> {
    bitsweep_data::open(&OpenRequest::new(name, path))
}

#[test]
fn the_embedded_set_is_balanced_and_unchanged() {
    let pair = open("fashion-mnist-mini", None).expect("embedded");
    for (split, images) in [(&pair.train, 1000), (&pair.validation, 200)] {
        assert_eq!(split.sizes(), Some([[28, 28], [28, 28]]));
        assert_eq!((split.channels(), split.class_names()[9].as_str()), (1, "Ankle boot"));
        for class in 0..10 {
            let count = split.labels().iter().filter(|label| **label == class).count();
            assert_eq!(count, images, "class {class}");
        }
    }
    assert_eq!(pair.fingerprint().expect("memory"), GOLDEN);
}

const GOLDEN: &str = "2c4897d2a2f17f6181363ad2e88cc22193ce0eb2d3e27569fbcbfe9cf8cf0cbd";

#[test]
fn unknown_names_get_the_near_miss_and_all_valid_ones() {
    let message = open("fashion-mnist-mny", None).expect_err("unknown").to_string();
    assert!(message.contains("did you mean \"fashion-mnist-mini\"?"), "{message}");
    assert!(message.contains("cifar10"), "{message}");
}

#[test]
fn missing_and_damaged_files_are_named_with_advice() {
    let folder = tempfile::tempdir().expect("a folder");
    let message = open("fashion-mnist", Some(folder.path())).expect_err("missing").to_string();
    assert!(
        message.contains("train-images-idx3-ubyte.gz") && message.contains("dataset-fashion-mnist")
    );
    std::fs::write(folder.path().join("train-images-idx3-ubyte"), [0, 0, 8]).expect("written");
    let message = open("fashion-mnist", Some(folder.path())).expect_err("damaged").to_string();
    assert!(message.contains("is damaged: it ends at byte 3"), "{message}");

    let message = open("cifar10", Some(folder.path())).expect_err("missing").to_string();
    assert!(
        message.contains("data_batch_1.bin") && message.contains("binary version"),
        "{message}"
    );
    std::fs::write(folder.path().join("data_batch_1.bin"), [1; 100]).expect("written");
    let message = open("cifar10", Some(folder.path())).expect_err("damaged").to_string();
    assert!(message.contains("100 bytes are no whole number of records"), "{message}");
    assert!(open("cifar10", None).expect_err("no path").to_string().contains("path"));
}

#[test]
fn labels_must_match_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1][..], &[1, 2]].concat();
    std::fs::write(folder.path().join("train-images-idx3-ubyte"), images).expect("written");
    let labels = [0, 0, 8, 1, 0, 0, 0, 1, 7];
    std::fs::write(folder.path().join("train-labels-idx1-ubyte"), labels).expect("written");
    let message = open("fashion-mnist", Some(folder.path())).expect_err("refused").to_string();
    assert!(message.contains("2 images but labels of sizes [1]"), "{message}");
    let labels = [0, 0, 8, 1, 0, 0, 0, 2, 7, 12];
    std::fs::write(folder.path().join("train-labels-idx1-ubyte"), labels).expect("written");
    let message = open("fashion-mnist", Some(folder.path())).expect_err("refused").to_string();
    assert!(message.contains("label 12"), "{message}");
}
