//! `bitsweep worker`: train the trials that a coordinator hands out.

use std::ffi::OsString;

use anyhow::Context as _;
use bitsweep_worker::{Worker, WorkerOptions};

use crate::cli;
use crate::commands::devices;
use crate::failure::{Ending, Failure};
use crate::signals;

pub(crate) async fn run(arguments: &cli::Worker) -> Result<Ending, Failure> {
    let address = arguments.at.address()?;
    let directory = match &arguments.work {
        Some(directory) => directory.clone(),
        None => arguments.at.state.path()?.join("work"),
    };
    let mut options = WorkerOptions::new(address, directory, trial_command(arguments)?);
    options.name = arguments.name.clone().unwrap_or_else(host_name);
    options.slots = arguments.slots;
    options.threads = arguments.threads.unwrap_or_else(|| (cores() / arguments.slots).max(1));
    options.devices = match &arguments.trainer {
        // It knows its own devices.
        Some(_) if !arguments.devices.is_empty() => devices::named(&arguments.devices),
        _ => devices::chosen(&arguments.devices)?,
    };
    options.exit_with_parent = arguments.exit_with_parent;
    let stop = signals::stop_on_signal()?;
    Worker::run(options, stop).await.map_err(anyhow::Error::from)?;
    Ok(Ending::Done)
}

/// The trainer given, or this program's own `trial` command.
fn trial_command(arguments: &cli::Worker) -> Result<Vec<OsString>, Failure> {
    if let Some(trainer) = &arguments.trainer {
        return Ok(vec![trainer.clone().into()]);
    }
    if !cfg!(feature = "train") {
        return Err(Failure::Input(
            "this bitsweep was built without training; install it with its default features, \
             or give a program that trains: --trainer PROGRAM"
                .to_owned(),
        ));
    }
    let program = std::env::current_exe().context("this program's own path cannot be found")?;
    Ok(vec![program.into(), "trial".into()])
}

/// Processors this process may use.
pub(crate) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
