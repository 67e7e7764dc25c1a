//! The state folder, and the coordinator that belongs to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use bitsweep_coordinator::{Coordinator, CoordinatorOptions, RunningCoordinator};
use bitsweep_proto::v1::sweeps_client::SweepsClient;
use bitsweep_proto::{MAX_MESSAGE_BYTES, ProtocolChannel};
use etcetera::BaseStrategy as _;
use tokio_util::sync::CancellationToken;

use crate::cli::{At, State};

/// Client of the coordinator's services for people.
pub(crate) type Client = SweepsClient<ProtocolChannel>;

impl State {
    /// The folder given, or bitsweep's own in the platform's state folder.
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(directory) = &self.directory {
            return Ok(std::path::absolute(directory)?);
        }
        let strategy = etcetera::choose_base_strategy()
            .context("there is no home folder to keep state in; choose a place with --state DIR")?;
        let base = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
        Ok(base.join("bitsweep"))
    }
}

/// A coordinator to talk to: one that runs already, or one opened here over a state folder that nobody holds.
pub(crate) struct Reached {
    pub(crate) address: String,
    own: Option<(RunningCoordinator, CancellationToken)>,
}

impl Reached {
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        client(&self.address).await
    }

    /// Ends the coordinator if it was opened here.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        if let Some((running, stop)) = self.own {
            stop.cancel();
            running.join().await?;
        }
        Ok(())
    }
}

impl At {
    /// The address given, or the one that the state folder's coordinator wrote down.
    pub(crate) fn address(&self) -> anyhow::Result<String> {
        if let Some(address) = &self.coordinator {
            return Ok(address.clone());
        }
        let state = self.state.path()?;
        running_address(&state).with_context(|| {
            format!(
                "no coordinator runs on {}; start one with `bitsweep coordinator`, or give --coordinator ADDRESS",
                state.display()
            )
        })
    }

    /// Reaches a coordinator to read from: without one running, the state folder itself is opened.
    pub(crate) async fn reach(&self) -> anyhow::Result<Reached> {
        if let Some(address) = &self.coordinator {
            return Ok(Reached { address: address.clone(), own: None });
        }
        let state = self.state.path()?;
        if let Some(address) = running_address(&state)
            && bitsweep_proto::connect(&address).await.is_ok()
        {
            return Ok(Reached { address, own: None });
        }
        anyhow::ensure!(
            state.is_dir(),
            "there is no state in {}; run a sweep first, or choose another place with --state DIR",
            state.display()
        );
        let stop = CancellationToken::new();
        let running = open(&state, "127.0.0.1:0".parse()?, stop.clone()).await?;
        Ok(Reached { address: running.address(), own: Some((running, stop)) })
    }
}

/// Starts a coordinator over `state`.
pub(crate) async fn open(
    state: &Path,
    listen: std::net::SocketAddr,
    stop: CancellationToken,
) -> anyhow::Result<RunningCoordinator> {
    let options = CoordinatorOptions {
        heartbeat: Duration::from_secs(2),
        lease: Duration::from_secs(30),
        ..CoordinatorOptions::new(state.to_path_buf(), listen)
    };
    Ok(Coordinator::start(options, stop).await?)
}

/// What the coordinator of `state` wrote down when it began to listen.
fn running_address(state: &Path) -> Option<String> {
    let text = std::fs::read_to_string(state.join("address")).ok()?;
    Some(text.trim().to_owned()).filter(|address| !address.is_empty())
}

/// A client of the coordinator at `address`.
pub(crate) async fn client(address: &str) -> anyhow::Result<Client> {
    let channel = bitsweep_proto::connect(address).await?;
    Ok(SweepsClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES))
}
