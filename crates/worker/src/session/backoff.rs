//! How long to wait before the next try.

use std::time::Duration;

/// Wait after the first failure, before jitter.
const BASE: Duration = Duration::from_millis(200);

/// Longest wait: a coordinator that was restarted has its fleet back within this.
const CAP: Duration = Duration::from_secs(15);

/// The wait after `failures` failures in a row (from 1), doubling up to [`CAP`].
///
/// `jitter` in `[0, 1)` spreads it over the upper half, so that a fleet does not return all at once.
pub(crate) fn delay(failures: u32, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let full = BASE.saturating_mul(1 << doublings).min(CAP);
    full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap() {
        let longest = |failures| delay(failures, 1.0);
        assert_eq!(longest(1), BASE);
        assert_eq!(longest(2), BASE * 2);
        assert_eq!(longest(4), BASE * 8);
        for failures in [10, 40, u32::MAX] {
            assert_eq!(longest(failures), CAP);
        }
    }

    #[test]
    fn jitter_takes_off_at_most_half() {
        for failures in 1..12 {
            assert_eq!(delay(failures, 0.0) * 2, delay(failures, 1.0));
            assert!(delay(failures, 0.5) > delay(failures, 0.25));
        }
    }
}
