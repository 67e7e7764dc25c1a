//! `bitsweep status`: where sweeps stand.

use bitsweep_proto::v1;
use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::cli;
use crate::failure::{Ending, Failure};
use crate::report;

pub(crate) async fn run(arguments: &cli::Status) -> Result<Ending, Failure> {
    let reached = arguments.at.reach().await?;
    let mut client = reached.client().await?;
    let printed = match &arguments.sweep {
        Some(sweep) => one(&mut client, sweep, arguments.json).await,
        None => all(&mut client, arguments.json).await,
    };
    reached.close().await?;
    printed?;
    Ok(Ending::Done)
}

async fn all(client: &mut crate::state::Client, as_json: bool) -> Result<(), Failure> {
    let list = client.list(v1::ListRequest {}).await?.into_inner();
    if as_json {
        let sweeps: Vec<Value> = list.sweeps.iter().map(summary_json).collect();
        println!("{}", pretty(&json!({ "sweeps": sweeps }))?);
        return Ok(());
    }
    if list.sweeps.is_empty() {
        println!("no sweeps yet; submit one: bitsweep submit my-sweep.toml");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["sweep", "state", "trials", "finished", "running", "failed"]);
    for sweep in &list.sweeps {
        table.add_row([
            sweep.sweep_id.clone(),
            report::sweep_state(sweep.state()).to_owned(),
            sweep.trials.to_string(),
            sweep.finished.to_string(),
            sweep.running.to_string(),
            sweep.failed.to_string(),
        ]);
    }
    println!("{table}");
    Ok(())
}

async fn one(client: &mut crate::state::Client, sweep: &str, as_json: bool) -> Result<(), Failure> {
    let snapshot = client.get(v1::GetRequest { sweep: sweep.to_owned() }).await?.into_inner();
    let summary = snapshot.summary.clone().unwrap_or_default();
    if as_json {
        let mut document = summary_json(&summary);
        document["trials"] = report::trials_json(&snapshot)?;
        document["workers"] = snapshot.workers.iter().map(report::worker_json).collect();
        println!("{}", pretty(&document)?);
        return Ok(());
    }
    println!(
        "{}  {}  {} of {} trials finished, {} running, {} failed\n",
        summary.sweep_id,
        report::sweep_state(summary.state()),
        summary.finished,
        summary.trials,
        summary.running,
        summary.failed
    );
    println!("{}", report::trial_table(&snapshot)?);
    Ok(())
}

fn summary_json(summary: &v1::SweepSummary) -> Value {
    json!({
        "sweep": summary.sweep_id,
        "name": summary.name,
        "state": report::sweep_state(summary.state()),
        "created_ms": summary.created_ms,
        "ended_ms": summary.ended_ms,
        "counts": {
            "trials": summary.trials,
            "finished": summary.finished,
            "running": summary.running,
            "failed": summary.failed,
        },
    })
}

fn pretty(value: &Value) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?)
}
