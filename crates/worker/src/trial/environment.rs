//! The environment of a trial process.

/// Variables set for a trial process that computes on `threads` threads.
///
/// Every step frees and allocates the same large tensors: with glibc's default thresholds each goes
/// back to the kernel and is faulted in anew, at a fifth to half of the speed. OpenMP's idle threads
/// otherwise spin on the cores that rayon's threads compute on.
pub(super) fn variables(threads: u32) -> [(&'static str, String); 5] {
    const NEVER: &str = "1073741824";
    [
        ("RAYON_NUM_THREADS", threads.to_string()),
        ("OMP_NUM_THREADS", threads.to_string()),
        ("OMP_WAIT_POLICY", "passive".to_owned()),
        ("MALLOC_MMAP_THRESHOLD_", NEVER.to_owned()),
        ("MALLOC_TRIM_THRESHOLD_", NEVER.to_owned()),
    ]
}
