//! `bitsweep export`: everything a sweep measured, in a form other programs read.

use std::io::Write;

use anyhow::Context as _;
use bitsweep_proto::v1;
use bitsweep_sweep::{LayerReport, PointBatch};
use serde_json::{Value, json};

use crate::cli;
use crate::failure::{Ending, Failure};
use crate::report;
use crate::state::Client;

pub(crate) async fn run(arguments: &cli::Export) -> Result<Ending, Failure> {
    if matches!(arguments.format, cli::Format::Safetensors) {
        return super::export_weights::run(arguments).await;
    }
    let reached = arguments.at.reach().await?;
    let mut client = reached.client().await?;
    let bytes = match arguments.format {
        cli::Format::Json | cli::Format::Safetensors => {
            json_document(&mut client, &arguments.sweep).await
        }
        cli::Format::Csv => csv_points(&mut client, &arguments.sweep).await,
    };
    reached.close().await?;
    write(arguments.output.as_deref(), &bytes?)?;
    Ok(Ending::Done)
}

/// Writes to the file by way of a temporary one, or to standard output.
pub(crate) fn write(output: Option<&std::path::Path>, bytes: &[u8]) -> anyhow::Result<()> {
    let Some(path) = output else {
        return match std::io::stdout().lock().write_all(bytes) {
            // A reader that has seen enough, for example `head`.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context("standard output cannot be written"),
        };
    };
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, bytes)
        .and_then(|()| std::fs::rename(&partial, path))
        .with_context(|| format!("{} cannot be written", path.display()))
}

async fn series(client: &mut Client, trial_id: &str) -> Result<Vec<PointBatch>, Failure> {
    let request =
        v1::SeriesRequest { trial_id: trial_id.to_owned(), metrics: Vec::new(), max_points: 0 };
    let answer = client.read_series(request).await?.into_inner();
    answer
        .series
        .into_iter()
        .map(|batch| {
            batch.try_into().map_err(|e: bitsweep_proto::ConvertError| Failure::Other(e.into()))
        })
        .collect()
}

async fn json_document(client: &mut Client, sweep: &str) -> Result<Vec<u8>, Failure> {
    let snapshot = client.get(v1::GetRequest { sweep: sweep.to_owned() }).await?.into_inner();
    let summary = snapshot.summary.clone().unwrap_or_default();
    let mut trials = Vec::with_capacity(snapshot.trials.len());
    for trial in report::trial_reports(&snapshot)? {
        let trial_id = trial.status.trial_id.clone();
        let mut document = report::trial_json(&trial)?;
        let points: serde_json::Map<String, Value> = series(client, &trial_id)
            .await?
            .into_iter()
            .map(|batch| {
                let points: Vec<(u64, f64)> = batch.steps.into_iter().zip(batch.values).collect();
                (batch.metric.as_str().to_owned(), json!(points))
            })
            .collect();
        document["series"] = points.into();
        let layers = client.read_layers(v1::LayersRequest { trial_id }).await?.into_inner();
        let layers: Vec<LayerReport> = layers
            .reports
            .into_iter()
            .map(TryInto::try_into)
            .collect::<Result<_, _>>()
            .map_err(anyhow::Error::from)?;
        document["layers"] = serde_json::to_value(layers).map_err(anyhow::Error::from)?;
        trials.push(document);
    }
    let document = json!({
        "sweep": summary.sweep_id,
        "name": summary.name,
        "state": report::sweep_state(summary.state()),
        "created_ms": summary.created_ms,
        "ended_ms": summary.ended_ms,
        "file": snapshot.file,
        "trials": trials,
    });
    let mut bytes = serde_json::to_vec_pretty(&document).map_err(anyhow::Error::from)?;
    bytes.push(b'\n');
    Ok(bytes)
}

async fn csv_points(client: &mut Client, sweep: &str) -> Result<Vec<u8>, Failure> {
    let snapshot = client.get(v1::GetRequest { sweep: sweep.to_owned() }).await?.into_inner();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let row = |result: Result<(), csv::Error>| result.map_err(|e| Failure::Other(e.into()));
    row(writer.write_record([
        "trial",
        "network",
        "weight_bits",
        "activation_bits",
        "seed",
        "metric",
        "step",
        "value",
    ]))?;
    for trial in report::trial_reports(&snapshot)? {
        let spec = &trial.spec;
        for batch in series(client, &trial.status.trial_id).await? {
            for (step, value) in batch.steps.iter().zip(&batch.values) {
                row(writer.write_record([
                    spec.name.as_str(),
                    spec.model.network.as_str(),
                    &spec.bits.weights.to_string(),
                    &spec.bits.activations.to_string(),
                    &spec.seed.to_string(),
                    batch.metric.as_str(),
                    &step.to_string(),
                    &value.to_string(),
                ]))?;
            }
        }
    }
    writer.into_inner().map_err(|error| Failure::Other(anyhow::anyhow!("{error}")))
}
