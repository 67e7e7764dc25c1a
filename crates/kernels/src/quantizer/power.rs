//! Powers of numbers in (0, 1], in a form that compilers turn into vector code.
//!
//! Both functions are branch-free. The error of `exp2(gamma * log2(t))` is a few units in the last
//! place of 1 at most: a relative error of `|gamma log2 t|` units meets a value that is then small.

use std::f32::consts::{LN_2, LOG2_E, SQRT_2};

/// Base-2 logarithm of a positive number; denormals count as the smallest normal number.
#[inline(always)]
pub(super) fn log2(value: f32) -> f32 {
    let bits = value.max(f32::MIN_POSITIVE).to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    // Center the mantissa on 1: [1, 2) -> [sqrt(1/2), sqrt(2)).
    let high = mantissa > SQRT_2;
    let mantissa = if high { 0.5 * mantissa } else { mantissa };
    let exponent = if high { exponent + 1 } else { exponent } as f32;
    // ln m = 2 artanh((m - 1) / (m + 1)); the series stops where its rest is below 1e-9.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let z = s * s;
    let series = 2.0 + z * (2.0 / 3.0 + z * (2.0 / 5.0 + z * (2.0 / 7.0 + z * (2.0 / 9.0))));
    exponent + s * series * LOG2_E
}

/// Power of two; exponents outside [-126, 127] count as the nearer of the two, NaN as -126.
#[inline(always)]
#[expect(clippy::manual_clamp, reason = "clamp would let NaN through")]
pub(super) fn exp2(exponent: f32) -> f32 {
    let exponent = exponent.max(-126.0).min(127.0);
    let whole = exponent.round_ties_even();
    let x = (exponent - whole) * LN_2;
    let series = 1.0
        + x * (1.0
            + x * (1.0 / 2.0
                + x * (1.0 / 6.0
                    + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x * (1.0 / 720.0 + x / 5040.0))))));
    // SAFETY: `whole` is an integer between -126 and 127: `max` and `min` bound the exponent, and
    // `max` returns its other operand for NaN.
    let whole: i32 = unsafe { whole.to_int_unchecked() };
    series * f32::from_bits(((whole + 127) << 23) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_stay_within_a_few_units_in_the_last_place_of_one() {
        for gamma in [0.25f32, 0.5, 0.9, 1.1, 2.0, 4.0] {
            for step in 1..=20_000 {
                let t = step as f32 / 20_000.0;
                let got = f64::from(exp2(gamma * log2(t)));
                let want = f64::from(t).powf(f64::from(gamma));
                assert!((got - want).abs() < 3e-7, "t {t} gamma {gamma}: {got} {want}");
            }
        }
    }

    #[test]
    fn one_to_any_power_is_exactly_one() {
        assert_eq!(exp2(3.7 * log2(1.0)), 1.0);
    }

    #[test]
    fn tiny_numbers_have_tiny_powers() {
        for t in [f32::MIN_POSITIVE, f32::from_bits(1), 1e-30] {
            assert!(exp2(0.25 * log2(t)) < 4e-8, "{t}");
            assert!(exp2(4.0 * log2(t)) < 1e-37, "{t}");
        }
    }
}
