//! Decoded images with labels.

/// Decoded images, `[n, height, width, channels]` bytes, with one label each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    pub(crate) images: Vec<u8>,
    pub(crate) labels: Vec<u8>,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) classes: usize,
}

/// Both splits of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetPair {
    /// Images to train on.
    pub train: Dataset,
    /// Images to judge by.
    pub validation: Dataset,
}

impl Dataset {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Height, width and channels of every image.
    pub fn image_shape(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Label of every image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Bytes of one image, `[height, width, channels]`.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.height * self.width * self.channels;
        &self.images[index * size..(index + 1) * size]
    }

    /// The first images of each class in file order, `count` in all, as even over the classes as it goes.
    /// A class with fewer images than its share gives all it has.
    pub fn balanced_subset(&self, count: usize) -> Self {
        let share = |class: usize| count / self.classes + usize::from(class < count % self.classes);
        let mut taken = vec![0; self.classes];
        let mut subset = Self { images: Vec::new(), labels: Vec::new(), ..*self };
        for (index, label) in self.labels.iter().enumerate() {
            let class = usize::from(*label);
            if taken[class] < share(class) {
                taken[class] += 1;
                subset.images.extend_from_slice(self.image(index));
                subset.labels.push(*label);
            }
        }
        subset
    }

    /// blake3 over shape, decoded images and labels, lower-case hexadecimal. How files were compressed
    /// makes no difference.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for size in [self.len(), self.height, self.width, self.channels, self.classes] {
            hasher.update(&(size as u64).to_le_bytes());
        }
        hasher.update(&self.images);
        hasher.update(&self.labels);
        hasher.finalize().to_hex().to_string()
    }
}

impl DatasetPair {
    /// blake3 over both splits' fingerprints, lower-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        let both = format!("{} {}", self.train.fingerprint(), self.validation.fingerprint());
        blake3::hash(both.as_bytes()).to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Dataset {
        Dataset {
            images: (0..12).collect(),
            labels: vec![0, 1, 1, 0, 2, 2, 2, 0, 1, 0, 0, 2],
            height: 1,
            width: 1,
            channels: 1,
            classes: 3,
        }
    }

    #[test]
    fn a_subset_takes_the_first_of_each_class() {
        let subset = small().balanced_subset(5);
        assert_eq!(subset.labels, [0, 1, 1, 0, 2]);
        assert_eq!(subset.images, [0, 1, 2, 3, 4]);
        assert_eq!(small().balanced_subset(100), small());
    }

    #[test]
    fn the_fingerprint_sees_pixels_labels_and_shape() {
        let original = small().fingerprint();
        let mut other = small();
        other.images[3] ^= 1;
        assert_ne!(other.fingerprint(), original);
        let mut other = small();
        other.labels[3] = 1;
        assert_ne!(other.fingerprint(), original);
        let reshaped = Dataset { width: 12, height: 1, ..small() };
        assert_ne!(reshaped.fingerprint(), original);
    }
}
