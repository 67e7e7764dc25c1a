//! The loop around the printer.

use std::io::Write;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::printer::{PlainPrinter, Summary};
use crate::clock::now_ms;
use crate::error::TuiError;
use crate::link::{Connection, Target};
use crate::model::{LeaveQuestion, Model};
use crate::options::DashboardOptions;

/// Updates that wait for the printer.
const EVENTS: usize = 1024;

/// Prints a line per epoch and per change of a trial until the sweep ends, then the comparison.
/// After `shutdown` it prints the comparison as it stands and returns.
///
/// # Errors
/// When nobody answers at first, the coordinator refuses, or `out` cannot be written.
pub async fn follow_plain(
    options: DashboardOptions,
    out: &mut (dyn Write + Send),
    shutdown: CancellationToken,
) -> Result<Summary, TuiError> {
    let (sender, mut updates) = mpsc::channel(EVENTS);
    let target = Target { address: options.address, sweep: options.sweep };
    let _connection = Connection::open(target, sender).await?;
    let mut model = Model::new(LeaveQuestion::Plain, now_ms());
    let mut printer = PlainPrinter::new(options.appearance.unicode, options.appearance.zone);
    loop {
        let event = tokio::select! {
            biased;
            () = shutdown.cancelled() => None,
            event = updates.recv() => event,
        };
        let Some(event) = event else { break };
        model.update(event, now_ms());
        printer.print(&model, out).map_err(TuiError::Output)?;
        if PlainPrinter::is_over(&model) {
            break;
        }
    }
    printer.finish(&model, out).map_err(TuiError::Output)
}
