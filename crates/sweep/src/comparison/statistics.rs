//! Whether a difference is one: paired tests on bitmaps, intervals over seeds.

/// Two-sided 5 % quantile of the normal distribution.
const Z_95: f64 = 1.959_964;

/// Discordant images from which the test's normal approximation is used: its error is far below a
/// percent of the p-value there.
const EXACT_UP_TO: u64 = 1000;

/// Two classifiers on the same images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedTest {
    /// Images both saw.
    pub images: u64,
    /// Images that only the first got right.
    pub only_first: u64,
    /// Images that only the second got right.
    pub only_second: u64,
    /// Two-sided probability of a difference at least this large if both were equally good.
    pub p_value: f64,
}

impl PairedTest {
    /// McNemar's test (1947) on bitmaps of one bit an image, least significant bit first: the exact
    /// binomial form, or with many discordant images the normal one with Edwards' correction (1948).
    ///
    /// `None` without images, or when a bitmap is too short for `images`.
    pub fn new(first: &[u8], second: &[u8], images: u64) -> Option<Self> {
        let bytes = usize::try_from(images.div_ceil(8)).ok()?;
        let (first, second) = (first.get(..bytes)?, second.get(..bytes)?);
        if images == 0 {
            return None;
        }
        let last = match images % 8 {
            0 => 0xff,
            rest => 0xff >> (8 - rest),
        };
        let (mut only_first, mut only_second) = (0u64, 0u64);
        for (at, (a, b)) in first.iter().zip(second).enumerate() {
            let mask = if at + 1 == bytes { last } else { 0xff };
            only_first += u64::from((a & !b & mask).count_ones());
            only_second += u64::from((b & !a & mask).count_ones());
        }
        let p_value = mc_nemar(only_first, only_second);
        Some(Self { images, only_first, only_second, p_value })
    }

    /// First minus second, in points of accuracy.
    pub fn difference(&self) -> f64 {
        100.0 * (self.only_first as f64 - self.only_second as f64) / self.images as f64
    }

    /// Half the width of the 95 % interval around [`Self::difference`], in points (Wald's, of paired
    /// proportions).
    pub fn half_width(&self) -> f64 {
        let (b, c, n) = (self.only_first as f64, self.only_second as f64, self.images as f64);
        let variance = (b + c - (b - c).powi(2) / n).max(0.0) / (n * n);
        100.0 * Z_95 * variance.sqrt()
    }

    /// Whether a difference is shown at the 5 % level.
    pub fn differs(&self) -> bool {
        self.p_value < 0.05
    }
}

fn mc_nemar(b: u64, c: u64) -> f64 {
    let (n, least) = (b + c, b.min(c));
    if n == 0 {
        return 1.0;
    }
    if n > EXACT_UP_TO {
        let z = ((b.abs_diff(c) as f64) - 1.0).max(0.0) / (n as f64).sqrt();
        return complementary_error(z / std::f64::consts::SQRT_2);
    }
    // Twice the lower tail of the binomial distribution with probability one half.
    let mut mass = 0.5f64.powi(n as i32);
    let mut tail = mass;
    for k in 0..least {
        mass *= (n - k) as f64 / (k + 1) as f64;
        tail += mass;
    }
    (2.0 * tail).min(1.0)
}

/// 1 − erf(x) for x ≥ 0 (Abramowitz and Stegun 1964, 7.1.26; absolute error below 1.5e-7).
fn complementary_error(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    polynomial * (-x * x).exp()
}

/// A mean over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeedMean {
    /// Seeds.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Half the width of Student's 95 % interval; `None` with a single seed, which tells nothing of
    /// the spread.
    pub half_width: Option<f64>,
}

impl SeedMean {
    /// The mean of `values`; `None` without values.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        // Welford 1962: one pass, no cancellation.
        let (mut n, mut mean, mut squares) = (0usize, 0.0, 0.0);
        for value in values {
            n += 1;
            let before = value - mean;
            mean += before / n as f64;
            squares += before * (value - mean);
        }
        let half_width = (n > 1).then(|| {
            let deviation = (squares / (n - 1) as f64).sqrt();
            student_quantile(n - 1) * deviation / (n as f64).sqrt()
        });
        (n > 0).then_some(Self { n, mean, half_width })
    }
}

/// Two-sided 5 % quantile of Student's distribution with `freedom` ≥ 1 degrees: exact in its digits up
/// to ten, above by the expansion of Abramowitz and Stegun 1964, 26.7.5.
fn student_quantile(freedom: usize) -> f64 {
    const FEW: [f64; 10] = [
        12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004,
        2.262_157, 2.228_139,
    ];
    if let Some(value) = freedom.checked_sub(1).and_then(|at| FEW.get(at)) {
        return *value;
    }
    let (z, v) = (Z_95, freedom as f64);
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / v + second / v.powi(2) + third / v.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bitmaps of 200 images on which only the first, or only the second, is right so many times.
    fn bitmaps(only_first: usize, only_second: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut first, mut second) = (vec![0u8; 25], vec![0u8; 25]);
        (0..only_first).for_each(|i| first[i / 8] |= 1 << (i % 8));
        (only_first..only_first + only_second).for_each(|i| second[i / 8] |= 1 << (i % 8));
        (first, second)
    }

    #[test]
    fn few_discordant_images_are_tested_exactly() {
        let (a, b) = bitmaps(2, 8);
        let test = PairedTest::new(&a, &b, 200).expect("long enough");
        assert_eq!((test.only_first, test.only_second), (2, 8));
        // 2 · (1 + 10 + 45) / 1024.
        assert!((test.p_value - 0.109_375).abs() < 1e-12);
        assert!(!test.differs() && (test.difference() + 3.0).abs() < 1e-12);
        let (a, b) = bitmaps(1, 12);
        assert!(PairedTest::new(&a, &b, 200).expect("long enough").differs());
        assert_eq!(PairedTest::new(&a, &a, 200).expect("long enough").p_value, 1.0);
    }

    #[test]
    fn the_exact_and_the_normal_form_meet() {
        let exact = mc_nemar(460, 540);
        let z = 79.0 / 1000f64.sqrt();
        let normal = complementary_error(z / std::f64::consts::SQRT_2);
        assert!((exact - normal).abs() < 0.000_2, "{exact} {normal}");
        assert!((complementary_error(Z_95 / std::f64::consts::SQRT_2) - 0.05).abs() < 1e-6);
    }

    #[test]
    fn bits_beyond_the_images_do_not_count_and_short_bitmaps_are_refused() {
        let test = PairedTest::new(&[0b1111_0001], &[0b0000_0010], 3).expect("long enough");
        assert_eq!((test.only_first, test.only_second), (1, 1));
        assert_eq!(PairedTest::new(&[1], &[1], 9), None);
        assert_eq!(PairedTest::new(&[], &[], 0), None);
    }

    #[test]
    fn pairing_tells_more_than_two_independent_samples() {
        let (a, b) = bitmaps(4, 10);
        let test = PairedTest::new(&a, &b, 200).expect("long enough");
        // sqrt(14 − 36/200) / 200 · 100 · 1.96.
        assert!((test.half_width() - 3.643_2).abs() < 1e-3, "{}", test.half_width());
    }

    #[test]
    fn a_mean_over_seeds_has_students_interval() {
        let mean = SeedMean::new([87.0, 88.0, 89.0]).expect("values");
        assert_eq!((mean.n, mean.mean), (3, 88.0));
        assert!((mean.half_width.expect("three seeds") - 4.302_653 / 3f64.sqrt()).abs() < 1e-9);
        assert_eq!(SeedMean::new([88.0]).and_then(|m| m.half_width), None);
        assert_eq!(SeedMean::new([]), None);
    }

    #[test]
    fn students_quantile_falls_to_the_normal_one() {
        for (freedom, expected) in [(11, 2.200_985), (20, 2.085_963), (60, 2.000_298)] {
            assert!((student_quantile(freedom) - expected).abs() < 2e-4, "{freedom}");
        }
    }
}
