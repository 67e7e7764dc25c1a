//! The data sets by name, and where they lie.

use std::path::Path;

use crate::cifar;
use crate::dataset::{Dataset, DatasetPair};
use crate::error::DataError;
use crate::idx;

/// Where Debian's `dataset-fashion-mnist` puts the full set.
const FASHION_MNIST_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

const NAMES: [&str; 3] = ["fashion-mnist-mini", "fashion-mnist", "cifar10"];

/// One file of the embedded set.
macro_rules! embedded {
    ($name:literal) => {
        include_bytes!(concat!("../../../sweeps/data/fashion-mnist-mini/", $name))
    };
}

/// Opens a data set by name.
///
/// `fashion-mnist-mini` is part of the program. `fashion-mnist` is the folder `path` with the four IDX files,
/// plain or gzip; without a path, where Debian's package puts them. `cifar10` is the folder `path` with the
/// files of the binary version.
///
/// # Errors
/// For an unknown name, or a file that is missing or damaged.
pub fn open(name: &str, path: Option<&Path>) -> Result<DatasetPair, DataError> {
    match name {
        "fashion-mnist-mini" => embedded(),
        "fashion-mnist" => {
            let folder = path.unwrap_or(Path::new(FASHION_MNIST_FOLDER));
            Ok(DatasetPair {
                train: idx_split(folder, "train")?,
                validation: idx_split(folder, "t10k")?,
            })
        }
        "cifar10" => {
            let folder = path.ok_or(DataError::NeedsPath { name: "cifar10" })?;
            let batches: Vec<String> = (1..=5).map(|n| format!("data_batch_{n}.bin")).collect();
            Ok(DatasetPair {
                train: cifar_split(folder, &batches)?,
                validation: cifar_split(folder, &["test_batch.bin".to_owned()])?,
            })
        }
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> DataError {
    let near = NAMES
        .iter()
        .map(|valid| (strsim::damerau_levenshtein(name, valid), valid))
        .min()
        .filter(|(distance, valid)| *distance <= valid.len() / 3);
    DataError::UnknownName {
        name: name.to_owned(),
        hint: near.map_or_else(String::new, |(_, valid)| format!(" (did you mean \"{valid}\"?)")),
        valid: NAMES.join(", "),
    }
}

fn embedded() -> Result<DatasetPair, DataError> {
    let split = |images: &[u8], labels: &[u8], name: &str| {
        let images = idx::decode(images, &format!("the embedded {name} images"))?;
        let labels = idx::decode(labels, &format!("the embedded {name} labels"))?;
        grey_images(images, labels, name)
    };
    Ok(DatasetPair {
        train: split(
            embedded!("train-images-idx3-ubyte.gz"),
            embedded!("train-labels-idx1-ubyte.gz"),
            "training",
        )?,
        validation: split(
            embedded!("t10k-images-idx3-ubyte.gz"),
            embedded!("t10k-labels-idx1-ubyte.gz"),
            "test",
        )?,
    })
}

fn idx_split(folder: &Path, prefix: &str) -> Result<Dataset, DataError> {
    let read = |kind: &str| {
        let plain = folder.join(format!("{prefix}-{kind}-ubyte"));
        let compressed = folder.join(format!("{prefix}-{kind}-ubyte.gz"));
        let path = if plain.exists() { plain } else { compressed };
        let advice =
            "install Debian's dataset-fashion-mnist, or give the folder of the four files as path";
        let bytes = read_file(&path, advice)?;
        idx::decode(&bytes, &path.display().to_string())
    };
    let (images, labels) = (read("images-idx3")?, read("labels-idx1")?);
    grey_images(images, labels, &folder.join(prefix).display().to_string())
}

fn grey_images(
    images: idx::IdxArray,
    labels: idx::IdxArray,
    name: &str,
) -> Result<Dataset, DataError> {
    let &[count, height, width] = images.sizes.as_slice() else {
        return Err(DataError::corrupt(name, format!("images of sizes {:?}", images.sizes)));
    };
    if labels.sizes != [count] {
        return Err(DataError::corrupt(
            name,
            format!("{count} images but labels of sizes {:?}", labels.sizes),
        ));
    }
    if let Some(at) = labels.values.iter().position(|label| *label > 9) {
        let label = labels.values[at];
        return Err(DataError::corrupt(
            name,
            format!("label {label} at {at}, and labels go from 0 to 9"),
        ));
    }
    if count == 0 || height == 0 || width == 0 {
        return Err(DataError::corrupt(name, "no images"));
    }
    let (images, labels) = (images.values, labels.values);
    Ok(Dataset { images, labels, height, width, channels: 1, classes: 10 })
}

fn cifar_split(folder: &Path, files: &[String]) -> Result<Dataset, DataError> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for file in files {
        let path = folder.join(file);
        let bytes = read_file(&path, "path must be the folder of CIFAR-10's binary version")?;
        cifar::decode(&bytes, &path.display().to_string(), &mut images, &mut labels)?;
    }
    let (height, width) = (cifar::SIDE, cifar::SIDE);
    let (channels, classes) = (cifar::CHANNELS, cifar::CLASSES);
    Ok(Dataset { images, labels, height, width, channels, classes })
}

fn read_file(path: &Path, advice: &'static str) -> Result<Vec<u8>, DataError> {
    std::fs::read(path).map_err(|source| DataError::Unreadable {
        path: path.to_path_buf(),
        source,
        advice,
    })
}
