//! Images with labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::DataError;
use crate::image::Image;
use crate::store::{Memory, Store};

/// Class names that a message lists before it says how many more there are.
const LISTED: usize = 5;

/// One split of a data set. A clone shares the images.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(crate) store: Arc<Store>,
    /// Places in the store; all of them if `None`.
    pub(crate) chosen: Option<Arc<[u32]>>,
    pub(crate) labels: Arc<[u16]>,
    pub(crate) classes: Arc<[String]>,
    channels: usize,
}

/// Both splits of a data set.
#[derive(Clone, Debug)]
pub struct DatasetPair {
    /// Images to train on.
    pub train: Dataset,
    /// Images to judge by.
    pub validation: Dataset,
}

impl Dataset {
    /// All images of a store; one label each, below the number of classes.
    pub(crate) fn new(store: Store, labels: Vec<u16>, classes: Arc<[String]>) -> Self {
        let channels = match &store {
            Store::Memory(memory) => memory.channels,
            Store::Files(_) | Store::Packed(_) => 3,
        };
        Self { store: Arc::new(store), chosen: None, labels: labels.into(), classes, channels }
    }

    /// Images of one size, `[n, height, width, channels]`, held in memory.
    pub(crate) fn uniform(
        pixels: Vec<u8>,
        shape: [usize; 3],
        labels: Vec<u16>,
        classes: Arc<[String]>,
    ) -> Self {
        Self::new(Store::Memory(Memory::uniform(pixels, shape)), labels, classes)
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Channels of every image: 3 for red, green, blue; 1 for grey.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// Names of the classes, by label.
    pub fn class_names(&self) -> &[String] {
        &self.classes
    }

    /// Label of every image.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Whether the images are held decoded; otherwise each is read and decoded when it is asked for, or lies in
    /// mapped shards.
    pub fn in_memory(&self) -> bool {
        matches!(*self.store, Store::Memory(_))
    }

    /// Least and greatest height and width, `[[least, greatest]; 2]`, if they are known without decoding.
    pub fn sizes(&self) -> Option<[[usize; 2]; 2]> {
        let mut all = (0..self.len()).map(|index| self.store.size(self.place(index)));
        let [height, width] = all.next()??;
        let start = [[height; 2], [width; 2]];
        all.try_fold(start, |[heights, widths], size| {
            let [height, width] = size?;
            let extend = |[low, high]: [usize; 2], value: usize| [low.min(value), high.max(value)];
            Some([extend(heights, height), extend(widths, width)])
        })
    }

    /// One image.
    ///
    /// # Errors
    /// [`DataError::CorruptImage`] when it cannot be decoded, another error when its file cannot be read.
    pub fn image(&self, index: usize) -> Result<Image<'_>, DataError> {
        self.store.image(self.place(index))
    }

    /// A name for people: the image's file, or its place.
    pub fn image_name(&self, index: usize) -> String {
        self.store.name(self.place(index))
    }

    /// Images of a set held in memory that could not be decoded, with the reason, in file order.
    pub fn corrupt_images(&self) -> Vec<(String, String)> {
        let Store::Memory(memory) = &*self.store else { return Vec::new() };
        if memory.damaged.is_empty() {
            return Vec::new();
        }
        let places = (0..self.len()).map(|index| self.place(index));
        places
            .filter_map(|place| {
                memory.damaged.get(&place).map(|why| (self.store.name(place), why.clone()))
            })
            .collect()
    }

    /// The first images of each class in file order, `count` in all, as even over the classes as it goes.
    /// A class with fewer images than its share gives all it has.
    pub fn balanced_subset(&self, count: usize) -> Self {
        let classes = self.classes();
        let share = |class: usize| count / classes + usize::from(class < count % classes);
        let mut taken = vec![0; classes];
        let (mut chosen, mut labels) = (Vec::new(), Vec::new());
        for (index, label) in self.labels.iter().enumerate() {
            let class = usize::from(*label);
            if taken[class] < share(class) {
                taken[class] += 1;
                chosen.push(self.place(index) as u32);
                labels.push(*label);
            }
        }
        if labels.len() == self.len() {
            return self.clone();
        }
        Self { chosen: Some(chosen.into()), labels: labels.into(), ..self.clone() }
    }

    /// The same images with the labels that their classes have among `names`, for example those of the 1000
    /// ImageNet classes for a set of ten.
    ///
    /// # Errors
    /// When a class of this set is not among them.
    pub fn with_classes(&self, names: &[String]) -> Result<Self, DataError> {
        let labels: BTreeMap<&str, usize> =
            names.iter().enumerate().map(|(label, name)| (name.as_str(), label)).collect();
        let missing: Vec<&str> = self
            .classes
            .iter()
            .map(String::as_str)
            .filter(|name| !labels.contains_key(name))
            .collect();
        if !missing.is_empty() || names.len() > usize::from(u16::MAX) + 1 {
            return Err(DataError::Classes(format!(
                "the data set has classes that are not among the {} expected ones: {}",
                names.len(),
                listed(&missing)
            )));
        }
        let relabelled = |label: &u16| labels[self.classes[usize::from(*label)].as_str()] as u16;
        Ok(Self {
            labels: self.labels.iter().map(relabelled).collect(),
            classes: names.into(),
            ..self.clone()
        })
    }

    fn place(&self, index: usize) -> usize {
        self.chosen.as_ref().map_or(index, |chosen| chosen[index] as usize)
    }
}

impl DatasetPair {
    /// Refuses a data set of another number of classes, saying which there are.
    ///
    /// # Errors
    /// With both numbers and the first names.
    pub fn require_classes(&self, expected: usize) -> Result<(), DataError> {
        let names: Vec<&str> = self.train.classes.iter().map(String::as_str).collect();
        if names.len() == expected {
            return Ok(());
        }
        Err(DataError::Classes(format!(
            "{expected} classes are expected and the data set has {}: {}",
            names.len(),
            listed(&names)
        )))
    }

    /// Refuses a data set whose classes are not `expected`, in the same order, saying which are missing and which
    /// are not expected.
    ///
    /// # Errors
    /// With the names that differ.
    pub fn require_class_names(&self, expected: &[String]) -> Result<(), DataError> {
        let found = &*self.train.classes;
        if found == expected {
            return Ok(());
        }
        let without = |all: &[String], other: &[String]| {
            let other: std::collections::BTreeSet<&String> = other.iter().collect();
            let names: Vec<String> = all.iter().filter(|n| !other.contains(n)).cloned().collect();
            names
        };
        let (missing, surplus) = (without(expected, found), without(found, expected));
        let say = |what: &str, names: &[String]| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            (!names.is_empty()).then(|| format!("{what}: {}", listed(&names)))
        };
        let mut parts: Vec<String> = [say("missing", &missing), say("not expected", &surplus)]
            .into_iter()
            .flatten()
            .collect();
        if parts.is_empty() {
            parts.push("the same names in another order".to_owned());
        }
        Err(DataError::Classes(format!(
            "{} classes are expected and the data set has {}; {}",
            expected.len(),
            found.len(),
            parts.join("; ")
        )))
    }
}

/// The first few names and how many there are besides.
pub(crate) fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Arc<[String]> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn small(pixels: Vec<u8>, labels: &[u16], shape: [usize; 3]) -> Dataset {
        Dataset::uniform(pixels, shape, labels.to_vec(), names(&["ant", "bee", "cat"]))
    }

    const LABELS: [u16; 12] = [0, 1, 1, 0, 2, 2, 2, 0, 1, 0, 0, 2];

    fn twelve() -> Dataset {
        small((0..12).collect(), &LABELS, [1, 1, 1])
    }

    #[test]
    fn a_subset_takes_the_first_of_each_class() {
        let subset = twelve().balanced_subset(5);
        assert_eq!(subset.labels(), [0, 1, 1, 0, 2]);
        let pixels: Vec<u8> =
            (0..5).map(|index| subset.image(index).expect("there").pixels()[0]).collect();
        assert_eq!(pixels, [0, 1, 2, 3, 4]);
        let again = subset.balanced_subset(3);
        assert_eq!(
            (again.labels(), again.image(2).expect("there").pixels()[0]),
            (&[0, 1, 2][..], 4)
        );
        let all = twelve().balanced_subset(100);
        assert_eq!(all.fingerprint().expect("memory"), twelve().fingerprint().expect("memory"));
    }

    #[test]
    fn the_fingerprint_sees_pixels_labels_shape_and_names() {
        let original = twelve().fingerprint().expect("memory");
        let mut pixels: Vec<u8> = (0..12).collect();
        pixels[3] ^= 1;
        assert_ne!(small(pixels, &LABELS, [1, 1, 1]).fingerprint().expect("memory"), original);
        let mut labels = LABELS;
        labels[3] = 1;
        let other = small((0..12).collect(), &labels, [1, 1, 1]);
        assert_ne!(other.fingerprint().expect("memory"), original);
        let halves =
            |shape| small((0..12).collect(), &LABELS[..6], shape).fingerprint().expect("memory");
        assert_ne!(halves([1, 2, 1]), halves([2, 1, 1]));
        let renamed = twelve().with_classes(&names(&["ant", "bee", "cat", "dog"])).expect("there");
        assert_ne!(renamed.fingerprint().expect("memory"), original);
        assert_ne!(twelve().balanced_subset(11).fingerprint().expect("memory"), original);
    }

    #[test]
    fn labels_follow_their_names_into_a_longer_list() {
        let wider = twelve().with_classes(&names(&["cat", "x", "ant", "bee"])).expect("there");
        assert_eq!(wider.labels()[..5], [2, 3, 3, 2, 0]);
        assert_eq!(wider.classes(), 4);
        let error = twelve().with_classes(&names(&["ant", "bee"])).expect_err("cat is missing");
        assert!(error.to_string().ends_with("among the 2 expected ones: cat"), "{error}");
    }

    #[test]
    fn other_classes_than_expected_are_told_by_number_and_name() {
        let pair = DatasetPair { train: twelve(), validation: twelve() };
        assert!(pair.require_classes(3).is_ok());
        let message = pair.require_classes(1000).expect_err("three").to_string();
        assert!(
            message.contains("1000 classes") && message.contains("3: ant, bee, cat"),
            "{message}"
        );
        assert!(pair.require_class_names(&names(&["ant", "bee", "cat"])).is_ok());
        let message =
            pair.require_class_names(&names(&["ant", "bat", "cat"])).expect_err("bee").to_string();
        assert!(message.contains("missing: bat; not expected: bee"), "{message}");
        let message = pair
            .require_class_names(&names(&["bee", "ant", "cat"]))
            .expect_err("order")
            .to_string();
        assert!(message.contains("another order"), "{message}");
    }
}
