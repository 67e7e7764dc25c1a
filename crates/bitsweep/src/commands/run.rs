//! `bitsweep run`: a whole sweep on this machine. Coordinator, workers and dashboard are the ones a
//! cluster has; only their addresses are local.

use std::io::IsTerminal as _;
use std::path::Path;

use bitsweep_proto::v1;
use bitsweep_tui::{DashboardOptions, Exit, LeaveQuestion};
use tokio_util::sync::CancellationToken;

use crate::cli;
use crate::commands::worker::cores;
use crate::commands::{devices, submit};
use crate::failure::{Ending, Failure};
use crate::local_fleet::{FleetOptions, LocalFleet};
use crate::signals;
use crate::state::{self, Client};
use crate::sweep_source::SweepSource;

pub(crate) async fn run(arguments: &cli::Run) -> Result<Ending, Failure> {
    if !cfg!(feature = "train") {
        return Err(Failure::Input(
            "this bitsweep was built without training; install it with its default features"
                .to_owned(),
        ));
    }
    devices::chosen(&arguments.devices)?;
    let source = SweepSource::open(&arguments.file)?;
    let state = arguments.state.path()?;
    let stop = signals::stop_on_signal()?;
    let end_coordinator = CancellationToken::new();
    let running = state::open(
        &state,
        "127.0.0.1:0".parse().map_err(anyhow::Error::from)?,
        end_coordinator.clone(),
    )
    .await?;
    let address = running.address();
    let mut client = state::client(&address).await?;
    let submitted = submit::send(&mut client, &source, arguments.fresh).await?;
    running.only(&submitted.sweep_id).await;

    let ending = if prepare(&mut client, &submitted).await? {
        let (workers, threads) = size(arguments, source.plan.chains());
        let options = FleetOptions {
            coordinator: address.clone(),
            threads,
            devices: arguments.devices.clone(),
            state: state.clone(),
        };
        let mut fleet = LocalFleet::start(workers, &options)?;
        let here =
            Here { address: &address, sweep: &submitted.sweep_id, state: &state, stop: &stop };
        let ending = tokio::select! {
            ending = here.watch(interactive(arguments)) => ending,
            error = fleet.given_up() => Err(Failure::Other(error)),
        };
        if !matches!(ending, Ok(Ending::Done)) {
            eprintln!("stopping: trials save their checkpoints");
        }
        fleet.stop().await;
        ending
    } else {
        println!("{} has finished already; --fresh runs it again\n", submitted.sweep_id);
        finished(&address, &submitted.sweep_id).await
    };
    end_coordinator.cancel();
    running.join().await.map_err(anyhow::Error::from)?;
    if matches!(ending, Ok(Ending::Stopped)) {
        eprintln!("stopped; the same command continues where it was");
    }
    ending
}

/// Whether anything is left to run. What failed or was cancelled in an earlier run is tried again.
async fn prepare(client: &mut Client, submitted: &v1::SubmitResponse) -> Result<bool, Failure> {
    if submitted.created {
        return Ok(true);
    }
    let sweep = submitted.sweep_id.clone();
    client.resume(v1::ResumeRequest { sweep: sweep.clone() }).await?;
    let snapshot = client.get(v1::GetRequest { sweep }).await?.into_inner();
    Ok(snapshot.summary.is_none_or(|s| s.state() != v1::SweepState::Finished))
}

/// Workers and threads a trial: every core or every GPU busy, no worker that could never have a trial.
fn size(arguments: &cli::Run, chains: usize) -> (u32, u32) {
    let chains = u32::try_from(chains).unwrap_or(u32::MAX);
    let places = match &arguments.devices[..] {
        gpus @ [_, ..] if gpus.iter().all(|name| name.starts_with("cuda")) => {
            u32::try_from(gpus.len()).unwrap_or(u32::MAX)
        }
        _ => cores(),
    };
    let workers = arguments.workers.unwrap_or_else(|| places.min(chains).max(1));
    let threads = arguments.threads.unwrap_or_else(|| (cores() / workers).max(1));
    (workers, threads)
}

fn interactive(arguments: &cli::Run) -> bool {
    !arguments.headless && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// The running sweep, seen from this process.
struct Here<'a> {
    address: &'a str,
    sweep: &'a str,
    state: &'a Path,
    stop: &'a CancellationToken,
}

impl Here<'_> {
    async fn watch(&self, interactive: bool) -> Result<Ending, Failure> {
        if !interactive {
            return self.plain().await;
        }
        let mut options = DashboardOptions::new(self.address.to_owned());
        options.sweep = Some(self.sweep.to_owned());
        options.leave = LeaveQuestion::AskStop;
        options.shutdown = self.stop.clone();
        let exit = bitsweep_tui::dashboard(options).await.map_err(anyhow::Error::from)?;
        match exit {
            Exit::Left => finished(self.address, self.sweep).await,
            Exit::StopRequested => Ok(Ending::Stopped),
            Exit::KeepRunning => {
                println!(
                    "the sweep goes on; Ctrl-C stops it, `bitsweep tui --state {}` opens the dashboard again",
                    self.state.display()
                );
                self.plain().await
            }
        }
    }

    async fn plain(&self) -> Result<Ending, Failure> {
        follow(self.address, self.sweep, self.stop.clone()).await
    }
}

/// Prints the final table of a sweep in which nothing runs any more.
async fn finished(address: &str, sweep: &str) -> Result<Ending, Failure> {
    follow(address, sweep, CancellationToken::new()).await
}

async fn follow(address: &str, sweep: &str, stop: CancellationToken) -> Result<Ending, Failure> {
    let mut options = DashboardOptions::new(address.to_owned());
    options.sweep = Some(sweep.to_owned());
    let mut out = std::io::stdout();
    let summary = bitsweep_tui::follow_plain(options, &mut out, stop.clone())
        .await
        .map_err(anyhow::Error::from)?;
    Ok(if summary.all_finished {
        Ending::Done
    } else if stop.is_cancelled() {
        Ending::Stopped
    } else {
        Ending::TrialsFailed
    })
}
