//! `bitsweep tui`: the dashboard on a coordinator's sweep.

use std::io::IsTerminal as _;

use bitsweep_tui::{DashboardOptions, LeaveQuestion};

use crate::cli;
use crate::failure::{Ending, Failure};

pub(crate) async fn run(arguments: &cli::Tui) -> Result<Ending, Failure> {
    if !std::io::stdout().is_terminal() {
        return Err(Failure::Input(
            "the dashboard needs a terminal; `bitsweep status` prints where sweeps stand"
                .to_owned(),
        ));
    }
    let reached = arguments.at.reach().await?;
    let mut options = DashboardOptions::new(reached.address.clone());
    options.sweep = arguments.sweep.clone();
    options.leave = LeaveQuestion::Plain;
    options.shutdown = crate::signals::stop_on_signal()?;
    let left = bitsweep_tui::dashboard(options).await.map_err(anyhow::Error::from);
    reached.close().await?;
    left?;
    Ok(Ending::Done)
}
