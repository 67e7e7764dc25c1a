//! Facts about the data sets that sweep files can name.

/// What a plan needs to know of a data set without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownDataset {
    /// Name in sweep files.
    pub name: &'static str,
    /// Labels.
    pub classes: u32,
    /// Channels of an image.
    pub channels: u32,
    /// Side of an image, in pixels.
    pub side: u32,
    /// Training images.
    pub train_images: u32,
    /// Validation images.
    pub validation_images: u32,
    /// Whether it is part of the program.
    pub embedded: bool,
    /// Whether the sweep file must say where it lies.
    pub needs_path: bool,
}

const KNOWN: [KnownDataset; 3] = [
    KnownDataset {
        name: "fashion-mnist-mini",
        classes: 10,
        channels: 1,
        side: 28,
        train_images: 10_000,
        validation_images: 2_000,
        embedded: true,
        needs_path: false,
    },
    KnownDataset {
        name: "fashion-mnist",
        classes: 10,
        channels: 1,
        side: 28,
        train_images: 60_000,
        validation_images: 10_000,
        embedded: false,
        needs_path: false,
    },
    KnownDataset {
        name: "cifar10",
        classes: 10,
        channels: 3,
        side: 32,
        train_images: 50_000,
        validation_images: 10_000,
        embedded: false,
        needs_path: true,
    },
];

/// All data sets, embedded ones first.
pub fn known_datasets() -> &'static [KnownDataset] {
    &KNOWN
}

/// The data set of that name.
pub fn known_dataset(name: &str) -> Option<&'static KnownDataset> {
    KNOWN.iter().find(|d| d.name == name)
}
