//! Choice of the instruction set.

use pulp::{Arch, WithSimd};

/// Runs `op` with the widest vectors that `channels` consecutive channels fill at least half.
pub(crate) fn dispatch<Op: WithSimd>(channels: usize, op: Op) -> Op::Output {
    #[cfg(target_arch = "x86_64")]
    if channels <= 8
        && let Some(simd) = pulp::x86::V3::try_new()
    {
        return pulp::Simd::vectorize(simd, op);
    }
    let _ = channels;
    Arch::new().dispatch(op)
}

/// Bounds of part `index` when `length` items are divided into `parts` as evenly as possible.
pub(crate) fn part(length: usize, parts: usize, index: usize) -> std::ops::Range<usize> {
    length * index / parts..length * (index + 1) / parts
}
