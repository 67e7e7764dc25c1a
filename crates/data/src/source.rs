//! The data sets by name, and where they lie.

use std::path::Path;
use std::sync::Arc;

use crate::cifar;
use crate::dataset::{Dataset, DatasetPair};
use crate::error::DataError;
use crate::folder::{scan, train_folder, validation_folder};
use crate::idx;
use crate::memory::decode_within;
use crate::packed::open_packed;
use crate::store::{Memory, Store};

/// Where Debian's `dataset-fashion-mnist` puts the full set.
const FASHION_MNIST_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

const NAMES: [&str; 5] =
    ["fashion-mnist-mini", "fashion-mnist", "cifar10", "image-folder", "packed"];

const FASHION_MNIST_CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// One file of the embedded set.
macro_rules! embedded {
    ($name:literal) => {
        include_bytes!(concat!("../../../sweeps/data/fashion-mnist-mini/", $name))
    };
}

/// Which data set to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRequest<'a> {
    /// `fashion-mnist-mini`, `fashion-mnist`, `cifar10`, `image-folder` or `packed`.
    pub name: &'a str,
    /// Where it lies, where that is not known by itself.
    pub path: Option<&'a Path>,
    /// Bytes of memory that decoded images of both splits of an image folder may take. A larger split is decoded as it is
    /// needed, again in each epoch.
    pub memory_limit: u64,
}

impl<'a> OpenRequest<'a> {
    /// Bytes of memory that are used if nothing else is said: enough for CIFAR-10's 60,000 images, or for 3,500 of
    /// 224×224 pixels.
    pub const MEMORY_LIMIT: u64 = 512 << 20;

    /// A request with the usual memory limit.
    pub fn new(name: &'a str, path: Option<&'a Path>) -> Self {
        Self { name, path, memory_limit: Self::MEMORY_LIMIT }
    }

    fn folder(&self, name: &'static str) -> Result<&'a Path, DataError> {
        self.path.ok_or(DataError::NeedsPath { name })
    }
}

/// Opens both splits of a data set.
///
/// `fashion-mnist-mini` is part of the program. `fashion-mnist` is the folder `path` with the four IDX files,
/// plain or gzip; without a path, where Debian's package puts them. `cifar10` is the folder `path` with the
/// files of the binary version. `image-folder` is the folder `path` with `train/<class>/` and `val/<class>/` (or
/// `test/<class>/`) of JPEG and PNG files. `packed` is the folder `path` that [`crate::pack`] has written.
///
/// # Errors
/// For an unknown name, or a file that is missing or damaged. A damaged image in a folder is no error here, but one of
/// [`crate::Loader::new`] or of a batch, where it can be skipped.
pub fn open(request: &OpenRequest<'_>) -> Result<DatasetPair, DataError> {
    match request.name {
        "fashion-mnist-mini" => embedded(),
        "fashion-mnist" => {
            let folder = request.path.unwrap_or(Path::new(FASHION_MNIST_FOLDER));
            Ok(DatasetPair {
                train: idx_split(folder, "train")?,
                validation: idx_split(folder, "t10k")?,
            })
        }
        "cifar10" => {
            let folder = request.folder("cifar10")?;
            let batches: Vec<String> = (1..=5).map(|n| format!("data_batch_{n}.bin")).collect();
            Ok(DatasetPair {
                train: cifar_split(folder, &batches)?,
                validation: cifar_split(folder, &["test_batch.bin".to_owned()])?,
            })
        }
        "image-folder" => image_folder(request.folder("image-folder")?, request.memory_limit),
        "packed" => {
            let folder = request.folder("packed")?;
            let packed = open_packed(folder)?;
            match (packed.train, packed.validation) {
                (Some(train), Some(validation)) => Ok(DatasetPair { train, validation }),
                (train, _) => Err(DataError::Unsuitable(format!(
                    "{} has no {} images",
                    folder.display(),
                    if train.is_none() { "training" } else { "validation" }
                ))),
            }
        }
        name => Err(unknown(name)),
    }
}

/// Opens the validation images alone. An `image-folder` may then lack `train/`, or be a folder of class folders itself.
///
/// # Errors
/// As [`open`].
pub fn open_validation(request: &OpenRequest<'_>) -> Result<Dataset, DataError> {
    match request.name {
        "image-folder" => {
            let folder = request.folder("image-folder")?;
            let train = train_folder(folder);
            let classes = train.is_dir().then(|| scan(&train, None)).transpose()?;
            let validation = match (validation_folder(folder), &classes) {
                (Some(validation), _) => validation,
                (None, None) => folder.to_path_buf(),
                (None, Some(_)) => return Err(no_validation(folder)),
            };
            let split = scan(&validation, classes.as_ref().map(|split| &split.classes))?;
            let store = decode_within(split.files, request.memory_limit)?;
            Ok(Dataset::new(store, split.labels, split.classes))
        }
        "packed" => {
            let folder = request.folder("packed")?;
            open_packed(folder)?.validation.ok_or_else(|| {
                DataError::Unsuitable(format!("{} has no validation images", folder.display()))
            })
        }
        _ => Ok(open(request)?.validation),
    }
}

fn image_folder(folder: &Path, memory_limit: u64) -> Result<DatasetPair, DataError> {
    let train = scan(&train_folder(folder), None)?;
    let validation = validation_folder(folder).ok_or_else(|| no_validation(folder))?;
    let validation = scan(&validation, Some(&train.classes))?;
    let train_store = decode_within(train.files, memory_limit)?;
    let used = match &train_store {
        Store::Memory(Memory { pixels, .. }) => pixels.len() as u64,
        Store::Files(_) | Store::Packed(_) => 0,
    };
    let store = decode_within(validation.files, memory_limit - used)?;
    Ok(DatasetPair {
        train: Dataset::new(train_store, train.labels, train.classes),
        validation: Dataset::new(store, validation.labels, validation.classes),
    })
}

fn no_validation(folder: &Path) -> DataError {
    DataError::Unsuitable(format!(
        "{} has neither val/ nor test/; validation images must lie in one of them",
        folder.display()
    ))
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
    let labels = labels.values.into_iter().map(u16::from).collect();
    let classes = names(FASHION_MNIST_CLASSES);
    Ok(Dataset::uniform(images.values, [height, width, 1], labels, classes))
}

fn cifar_split(folder: &Path, files: &[String]) -> Result<Dataset, DataError> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for file in files {
        let path = folder.join(file);
        let bytes = read_file(&path, "path must be the folder of CIFAR-10's binary version")?;
        cifar::decode(&bytes, &path.display().to_string(), &mut images, &mut labels)?;
    }
    let shape = [cifar::SIDE, cifar::SIDE, cifar::CHANNELS];
    Ok(Dataset::uniform(images, shape, labels, names(cifar::CLASSES)))
}

fn names(names: [&str; 10]) -> Arc<[String]> {
    names.map(str::to_owned).into()
}

fn read_file(path: &Path, advice: &'static str) -> Result<Vec<u8>, DataError> {
    std::fs::read(path).map_err(|source| DataError::Unreadable {
        path: path.to_path_buf(),
        source,
        advice,
    })
}
