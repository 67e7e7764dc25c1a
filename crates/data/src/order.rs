//! Random choices that depend on a seed and on what they are for, and on nothing else.

use rand::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// What a stream of random numbers is for, so that no two purposes share one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Order,
    Augmentation,
}

/// A stream that depends on its arguments alone: seeded by the first 16 bytes of a blake3 hash.
pub(crate) fn stream(purpose: Purpose, seed: u64, epoch: u32, image: u32) -> Pcg64Mcg {
    let mut hasher = blake3::Hasher::new();
    hasher.update(match purpose {
        Purpose::Order => b"order",
        Purpose::Augmentation => b"augmentation",
    });
    hasher.update(&seed.to_le_bytes());
    hasher.update(&epoch.to_le_bytes());
    hasher.update(&image.to_le_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Pcg64Mcg::from_seed(bytes)
}

/// A number below `bound`; the high half of a 64×64-bit product (Lemire 2019), whose bias of at most
/// `bound` / 2⁶⁴ no data set can show.
pub(crate) fn below(random: &mut Pcg64Mcg, bound: usize) -> usize {
    ((u128::from(random.next_u64()) * bound as u128) >> 64) as usize
}

/// A number from 0 to below 1, in steps of 2⁻⁵³.
pub(crate) fn unit(random: &mut Pcg64Mcg) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The order of `count` images in an epoch: a permutation that depends on seed, epoch and count alone.
///
/// The shuffle (Fisher–Yates) is our own because it must never change: a resumed trial continues in it.
pub fn order(seed: u64, epoch: u32, count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    let mut random = stream(Purpose::Order, seed, epoch, 0);
    for last in (1..count).rev() {
        order.swap(last, below(&mut random, last + 1));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_permutation_that_seed_and_epoch_change() {
        let first = order(0, 1, 1000);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
        assert_eq!(first, order(0, 1, 1000));
        assert_ne!(first, order(0, 2, 1000));
        assert_ne!(first, order(1, 1, 1000));
        assert!(order(0, 1, 0).is_empty());
    }

    #[test]
    fn the_order_never_changes_between_versions() {
        assert_eq!(order(7, 3, 10), GOLDEN);
    }

    const GOLDEN: [u32; 10] = [9, 6, 8, 1, 4, 7, 3, 0, 5, 2];

    #[test]
    fn every_place_is_equally_likely() {
        let mut firsts = [0_u32; 4];
        for seed in 0..4000 {
            firsts[order(seed, 0, 4)[0] as usize] += 1;
        }
        // Four standard deviations of a binomial with p = 1/4.
        assert!(firsts.iter().all(|count| count.abs_diff(1000) < 110), "{firsts:?}");
    }
}
