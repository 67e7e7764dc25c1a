//! Widths, levels, and what keeps an interval's parameters where the equations hold.

/// Positive levels of signed weights at a width: 2^(N−1) − 1 (QIL Eq. 2).
///
/// # Panics
/// If `bits` is not 2 to 8.
pub fn weight_levels(bits: u8) -> u32 {
    assert!((2..=8).contains(&bits), "weights of {bits} bits have no levels");
    (1 << (bits - 1)) - 1
}

/// Positive levels of activations at a width: 2^N − 1 (QIL Eq. 2).
///
/// # Panics
/// If `bits` is not 2 to 8.
pub fn activation_levels(bits: u8) -> u32 {
    assert!((2..=8).contains(&bits), "activations of {bits} bits have no levels");
    (1 << bits) - 1
}

/// Bounds of γ: outside, its gradient grows without use.
pub const GAMMA_RANGE: (f32, f32) = (0.25, 4.0);

/// Share of its initial value that d may not fall below: gradients grow like d^(−1/2).
const SMALLEST_HALF_WIDTH: f32 = 0.01;

/// Share by which one optimizer step may change c or d.
const LARGEST_STEP: f32 = 0.05;

/// Center and half-width of one interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// c: the middle.
    pub center: f32,
    /// d: from the middle to either end.
    pub half_width: f32,
}

impl Interval {
    /// The interval from 0 to `upper`: where a search starts from and where zeros stay zero.
    pub fn up_to(upper: f32) -> Self {
        Self { center: upper / 2.0, half_width: upper / 2.0 }
    }

    /// The interval between two ends.
    pub fn between(lower: f32, upper: f32) -> Self {
        Self { center: (lower + upper) / 2.0, half_width: (upper - lower) / 2.0 }
    }

    /// Keeps an updated interval valid: no step beyond 5 % of c or d, d not below 1 % of its initial
    /// value, and c ≥ d so that zero stays outside the interval.
    ///
    /// `self` is the interval after the optimizer's step, `before` the one it started from. The second
    /// value says whether the step was cut.
    pub fn project(self, before: Self, initial_half_width: f32) -> (Self, bool) {
        let (center, center_cut) = limit(self.center, before.center);
        let (half_width, half_width_cut) = limit(self.half_width, before.half_width);
        let half_width = at_least(half_width, SMALLEST_HALF_WIDTH * initial_half_width);
        (Self { center: at_least(center, half_width), half_width }, center_cut || half_width_cut)
    }
}

/// `f32::max` that lets NaN through: a divergence has to be seen.
fn at_least(value: f32, bound: f32) -> f32 {
    if value < bound { bound } else { value }
}

/// Cuts a step to a share of where it started; NaN passes.
fn limit(after: f32, before: f32) -> (f32, bool) {
    let room = LARGEST_STEP * before.abs();
    let cut = (after - before).abs() > room;
    (if cut { before + room.copysign(after - before) } else { after }, cut)
}

/// Keeps γ within [`GAMMA_RANGE`].
pub fn project_gamma(gamma: f32) -> f32 {
    gamma.clamp(GAMMA_RANGE.0, GAMMA_RANGE.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bit_weights_are_ternary_and_two_bit_activations_have_four_levels() {
        assert_eq!([2, 3, 4, 8].map(weight_levels), [1, 3, 7, 127]);
        assert_eq!([2, 3, 4, 8].map(activation_levels), [3, 7, 15, 255]);
    }

    #[test]
    fn a_step_is_cut_to_five_percent() {
        let before = Interval { center: 1.0, half_width: 0.5 };
        let (after, cut) = Interval { center: 2.0, half_width: 0.51 }.project(before, 0.5);
        assert!(cut);
        assert_eq!(after, Interval { center: 1.05, half_width: 0.51 });
        let (after, cut) = Interval { center: 1.01, half_width: 0.1 }.project(before, 0.5);
        assert!(cut);
        assert_eq!(after, Interval { center: 1.01, half_width: 0.475 });
        let (_, cut) = Interval { center: 1.04, half_width: 0.49 }.project(before, 0.5);
        assert!(!cut);
    }

    #[test]
    fn the_half_width_has_a_floor_and_the_center_stays_above_it() {
        let before = Interval { center: 0.0101, half_width: 0.0101 };
        let (after, _) = Interval { center: 0.0097, half_width: 0.0097 }.project(before, 1.0);
        assert_eq!(after, Interval { center: 0.01, half_width: 0.01 });
        let before = Interval { center: 0.5, half_width: 0.5 };
        let (after, _) = Interval { center: 0.49, half_width: 0.51 }.project(before, 0.5);
        assert_eq!(after.center, after.half_width);
    }

    #[test]
    fn nan_is_not_hidden() {
        let before = Interval { center: 1.0, half_width: 0.5 };
        let (after, _) = Interval { center: f32::NAN, half_width: 0.5 }.project(before, 0.5);
        assert!(after.center.is_nan());
        let (after, _) = Interval { center: 1.0, half_width: f32::NAN }.project(before, 0.5);
        assert!(after.half_width.is_nan());
        assert!(project_gamma(f32::NAN).is_nan());
    }
}
