//! Tasks that may run at the same time.

use rayon::prelude::*;

/// Runs tasks `0..count`, in parallel if there are several.
pub(crate) fn each(count: usize, task: impl Fn(usize) + Send + Sync) {
    if count <= 1 { (0..count).for_each(task) } else { (0..count).into_par_iter().for_each(task) }
}
