//! A uniform sample of a stream of values, the same for the same stream and seed.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Keeps `capacity` values of a stream, each with the same probability (Li 1994, Algorithm L: random
/// numbers are drawn per kept value and not per value seen).
#[derive(Debug)]
pub(crate) struct Reservoir {
    capacity: usize,
    values: Vec<f32>,
    /// Values of the stream still to be passed over.
    skip: u64,
    /// The largest of `capacity` uniform keys, Algorithm L's W.
    threshold: f64,
    random: Pcg64Mcg,
}

impl Reservoir {
    /// An empty reservoir for up to `capacity` values.
    pub(crate) fn new(capacity: usize, seed: u64) -> Self {
        let random = Pcg64Mcg::seed_from_u64(seed);
        Self { capacity, values: Vec::new(), skip: 0, threshold: 1.0, random }
    }

    /// Takes the next value of the stream.
    #[inline]
    pub(crate) fn add(&mut self, value: f32) {
        if self.values.len() < self.capacity {
            self.values.push(value);
            if self.values.len() == self.capacity {
                self.draw_skip();
            }
        } else if self.skip > 0 {
            self.skip -= 1;
        } else {
            let place = self.random.random_range(0..self.capacity);
            self.values[place] = value;
            self.draw_skip();
        }
    }

    /// The sample.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    fn draw_skip(&mut self) {
        self.threshold *= (self.uniform().ln() / self.capacity as f64).exp();
        let skip = (self.uniform().ln() / (-self.threshold).ln_1p()).floor();
        self.skip = skip as u64;
    }

    /// In (0, 1]: its logarithm is finite.
    fn uniform(&mut self) -> f64 {
        1.0 - self.random.random::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(capacity: usize, length: u32, seed: u64) -> Vec<f32> {
        let mut reservoir = Reservoir::new(capacity, seed);
        (0..length).for_each(|value| reservoir.add(value as f32));
        reservoir.values().to_vec()
    }

    #[test]
    fn a_short_stream_is_kept_whole() {
        assert_eq!(sample(8, 5, 1), [0.0, 1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn the_same_stream_and_seed_give_the_same_sample() {
        assert_eq!(sample(100, 10_000, 7), sample(100, 10_000, 7));
        assert_ne!(sample(100, 10_000, 7), sample(100, 10_000, 8));
    }

    #[test]
    fn every_part_of_the_stream_is_equally_likely() {
        let mut tenths = [0_u32; 10];
        for seed in 0..200 {
            for value in sample(50, 2_000, seed) {
                tenths[value as usize / 200] += 1;
            }
        }
        // 10,000 draws: 1,000 a tenth with a standard deviation of 30.
        for count in tenths {
            assert!((880..1120).contains(&count), "{tenths:?}");
        }
    }
}
