//! Leaving with the process that started this one.

use std::io::{Read, stdin};

use tokio_util::sync::CancellationToken;

/// Cancels `gone` when standard input, a pipe that the parent holds open, closes.
///
/// On a thread of its own: a blocked read on a runtime thread would hold up the end of the process.
pub(super) fn watch(gone: CancellationToken) {
    std::thread::spawn(move || {
        let mut nothing = [0; 64];
        while matches!(stdin().read(&mut nothing), Ok(1..)) {}
        gone.cancel();
    });
}
