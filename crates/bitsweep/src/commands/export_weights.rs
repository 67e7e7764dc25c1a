//! `bitsweep export TRIAL --format safetensors`: a trained network for other programs.

use std::path::PathBuf;

use anyhow::Context as _;
use bitsweep_proto::v1;
use bitsweep_proto::v1::artifacts_client::ArtifactsClient;

use crate::cli;
use crate::failure::{Ending, Failure};
use crate::report;
use crate::state::Reached;

pub(crate) async fn run(arguments: &cli::Export) -> Result<Ending, Failure> {
    let (sweep, name) = arguments.sweep.rsplit_once('/').unwrap_or(("", &arguments.sweep));
    let reached = arguments.at.reach().await?;
    let exported = export(&reached, sweep, name).await;
    reached.close().await?;
    let output =
        arguments.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.safetensors")));
    super::export::write(Some(&output), &exported?)?;
    eprintln!("{}: weights of {name}", output.display());
    Ok(Ending::Done)
}

async fn export(reached: &Reached, sweep: &str, name: &str) -> Result<Vec<u8>, Failure> {
    let mut client = reached.client().await?;
    let snapshot = client.get(v1::GetRequest { sweep: sweep.to_owned() }).await?.into_inner();
    let sweep = snapshot.summary.as_ref().map(|summary| summary.name.clone()).unwrap_or_default();
    let trials = report::trial_reports(&snapshot)?;
    let Some(trial) = trials.iter().find(|trial| trial.spec.name.as_str() == name) else {
        let names: Vec<&str> = trials.iter().map(|trial| trial.spec.name.as_str()).collect();
        return Err(Failure::Input(format!(
            "sweep {sweep} has no trial {name}; it has {}. Another sweep's trial is SWEEP/TRIAL",
            names.join(", ")
        )));
    };
    let Some(artifact) = &trial.status.final_checkpoint else {
        return Err(Failure::Other(anyhow::anyhow!(
            "trial {name} is {}; its weights can be exported when its training has ended",
            report::trial_state(trial.status.state())
        )));
    };
    let checkpoint = download(reached, artifact).await?;
    encode(&checkpoint, &sweep, trial)
}

/// The blob, checked against its hash.
async fn download(reached: &Reached, artifact: &v1::ArtifactRef) -> anyhow::Result<Vec<u8>> {
    let channel = bitsweep_proto::connect(&reached.address).await?;
    let mut artifacts =
        ArtifactsClient::new(channel).max_decoding_message_size(bitsweep_proto::MAX_MESSAGE_BYTES);
    let request = v1::DownloadRequest { hash: artifact.hash.clone(), offset: 0 };
    let fetch = || format!("checkpoint {} cannot be fetched", artifact.hash);
    let mut chunks = artifacts.download(request).await.with_context(fetch)?.into_inner();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.message().await.with_context(fetch)? {
        bytes.extend(chunk.data);
    }
    anyhow::ensure!(
        blake3::hash(&bytes).to_hex().as_str() == artifact.hash,
        "checkpoint {} is damaged in the coordinator's state folder",
        artifact.hash
    );
    Ok(bytes)
}

#[cfg(feature = "train")]
fn encode(checkpoint: &[u8], sweep: &str, trial: &report::TrialReport) -> Result<Vec<u8>, Failure> {
    let result = trial.status.result.clone().map(bitsweep_sweep::FinalResult::from);
    let provenance = trial.status.provenance.clone().map(bitsweep_sweep::Provenance::from);
    let record = bitsweep_train::export::Record {
        sweep,
        spec: &trial.spec,
        result: result.as_ref(),
        provenance: provenance.as_ref(),
    };
    bitsweep_train::export::export(checkpoint, &record)
        .map_err(|error| Failure::Other(anyhow::anyhow!("{error}")))
}

#[cfg(not(feature = "train"))]
fn encode(_: &[u8], _: &str, _: &report::TrialReport) -> Result<Vec<u8>, Failure> {
    Err(Failure::Input(
        "this bitsweep was built without training and exports no weights".to_owned(),
    ))
}
