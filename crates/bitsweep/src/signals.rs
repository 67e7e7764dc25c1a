//! Signals that ask a process to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that had to be told twice.
const TOLD_TWICE: i32 = 130;

/// A token that the first SIGINT or SIGTERM cancels; the second ends the process at once.
///
/// # Errors
/// When the handlers cannot be installed.
pub(crate) fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(TOLD_TWICE);
            }
            stop.cancel();
        }
    });
    Ok(token)
}
