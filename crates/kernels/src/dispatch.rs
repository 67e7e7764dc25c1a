//! Choice of the instruction set.

use std::ops::Range;
use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

/// Environment variable that limits the instruction set.
pub const INSTRUCTIONS_VARIABLE: &str = "BITSWEEP_INSTRUCTIONS";

/// Instruction sets that the kernels are compiled for.
///
/// Results differ in their last bits between sets, because sums run in another number of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// What every processor of the target has, one number at a time.
    Scalar,
    /// The target's usual vectors: AVX2 with FMA on x86-64, NEON on AArch64.
    Vector,
    /// AVX-512.
    WideVector,
}

/// The instruction set in use: the best that this processor has, or less if the environment
/// variable `BITSWEEP_INSTRUCTIONS` says `scalar` or `vector`. Read once per process.
pub fn instructions() -> Instructions {
    static CHOICE: OnceLock<Instructions> = OnceLock::new();
    *CHOICE.get_or_init(|| {
        let best = Arch::new().dispatch(Widest);
        let limit = std::env::var(INSTRUCTIONS_VARIABLE).ok();
        limited(best, limit.as_deref())
    })
}

/// An unknown limit is none: kernels are no place to report a misspelt variable.
fn limited(best: Instructions, limit: Option<&str>) -> Instructions {
    match limit {
        Some("scalar") => Instructions::Scalar,
        Some("vector") => best.min(Instructions::Vector),
        _ => best,
    }
}

struct Widest;

impl WithSimd for Widest {
    type Output = Instructions;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Instructions {
        match S::F32_LANES {
            1 => Instructions::Scalar,
            2..=8 => Instructions::Vector,
            _ => Instructions::WideVector,
        }
    }
}

/// Runs `op` with the instruction set in use.
pub(crate) fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    match instructions() {
        Instructions::Scalar => pulp::Scalar::new().vectorize(op),
        #[cfg(target_arch = "x86_64")]
        Instructions::Vector => match pulp::x86::V3::try_new() {
            Some(simd) => Simd::vectorize(simd, op),
            None => pulp::Scalar::new().vectorize(op),
        },
        _ => Arch::new().dispatch(op),
    }
}

/// Runs `op` with the widest vectors that `channels` consecutive channels fill.
pub(crate) fn dispatch_channels<Op: WithSimd>(channels: usize, op: Op) -> Op::Output {
    #[cfg(target_arch = "x86_64")]
    if channels <= 8
        && instructions() == Instructions::WideVector
        && let Some(simd) = pulp::x86::V3::try_new()
    {
        return Simd::vectorize(simd, op);
    }
    let _ = channels;
    dispatch(op)
}

/// Bounds of part `index` when `length` items are divided into `parts` as evenly as possible.
pub(crate) fn part(length: usize, parts: usize, index: usize) -> Range<usize> {
    length * index / parts..length * (index + 1) / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_never_raises_the_instruction_set() {
        use Instructions::{Scalar, Vector, WideVector};
        assert_eq!(limited(WideVector, None), WideVector);
        assert_eq!(limited(WideVector, Some("vector")), Vector);
        assert_eq!(limited(Scalar, Some("vector")), Scalar);
        assert_eq!(limited(Vector, Some("scalar")), Scalar);
        assert_eq!(limited(Vector, Some("nonsense")), Vector);
    }

    #[test]
    fn parts_cover_everything_once() {
        for (length, parts) in [(0, 3), (7, 3), (3, 7), (12, 4)] {
            let all: Vec<usize> = (0..parts).flat_map(|index| part(length, parts, index)).collect();
            assert_eq!(all, (0..length).collect::<Vec<_>>());
        }
    }
}
