//! `bitsweep coordinator`: hold sweeps until told to stop.

use crate::cli;
use crate::failure::{Ending, Failure};
use crate::signals;
use crate::state;

pub(crate) async fn run(arguments: &cli::Coordinator) -> Result<Ending, Failure> {
    let directory = arguments.state.path()?;
    let stop = signals::stop_on_signal()?;
    let running = state::open(&directory, arguments.listen, stop).await?;
    println!("coordinator listens on {}, state in {}", running.address(), directory.display());
    println!("give it workers: bitsweep worker --coordinator {}", running.address());
    running.join().await.map_err(anyhow::Error::from)?;
    Ok(Ending::Done)
}
