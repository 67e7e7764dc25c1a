//! What keeps intervals valid after an optimizer step.

use bitsweep_models::Interval;

/// Share of its initial value that d may not fall below: gradients grow like d^(−1/2).
const SMALLEST_HALF_WIDTH: f32 = 0.01;

/// The smallest half-width of an interval that started with `initial`.
pub(crate) fn half_width_floor(initial: f32) -> f32 {
    SMALLEST_HALF_WIDTH * initial
}

/// The interval `after` an optimizer's step from `before`, made valid: neither c nor d changed by more than
/// the share `limit` of itself, d not below its floor, and c ≥ d so that zero stays outside the interval.
/// The second value says whether the step was cut to the limit.
///
/// NaN passes: a divergence has to be seen.
pub(crate) fn project(
    after: Interval,
    before: Interval,
    initial_half_width: f32,
    limit: f32,
) -> (Interval, bool) {
    let (center, center_cut) = cut(after.center, before.center, limit);
    let (half_width, half_width_cut) = cut(after.half_width, before.half_width, limit);
    let half_width = at_least(half_width, half_width_floor(initial_half_width));
    let center = at_least(center, half_width);
    (Interval { center, half_width }, center_cut || half_width_cut)
}

/// `f32::max` that lets NaN through.
fn at_least(value: f32, bound: f32) -> f32 {
    if value < bound { bound } else { value }
}

fn cut(after: f32, before: f32, limit: f32) -> (f32, bool) {
    let room = limit * before.abs();
    let too_far = (after - before).abs() > room;
    (if too_far { before + room.copysign(after - before) } else { after }, too_far)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(center: f32, half_width: f32) -> Interval {
        Interval { center, half_width }
    }

    #[test]
    fn a_step_is_cut_to_the_limit() {
        let before = interval(1.0, 0.5);
        let (after, cut) = project(interval(2.0, 0.51), before, 0.5, 0.05);
        assert!(cut);
        assert_eq!(after, interval(1.05, 0.51));
        let (after, cut) = project(interval(1.01, 0.1), before, 0.5, 0.05);
        assert!(cut);
        assert_eq!(after, interval(1.01, 0.475));
        assert!(!project(interval(1.04, 0.49), before, 0.5, 0.05).1);
        let (after, cut) = project(interval(1.4, 0.5), before, 0.5, 0.25);
        assert!(cut);
        assert_eq!(after.center, 1.25);
    }

    #[test]
    fn the_half_width_has_a_floor_and_the_center_stays_above_it() {
        let (after, _) = project(interval(0.0097, 0.0097), interval(0.0101, 0.0101), 1.0, 0.05);
        assert_eq!(after, interval(0.01, 0.01));
        let (after, _) = project(interval(0.49, 0.51), interval(0.5, 0.5), 0.5, 0.05);
        assert_eq!(after.center, after.half_width);
    }

    #[test]
    fn nan_is_not_hidden() {
        let before = interval(1.0, 0.5);
        assert!(project(interval(f32::NAN, 0.5), before, 0.5, 0.05).0.center.is_nan());
        assert!(project(interval(1.0, f32::NAN), before, 0.5, 0.05).0.half_width.is_nan());
    }
}
