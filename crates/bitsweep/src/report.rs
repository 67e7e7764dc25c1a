//! A sweep's snapshot as JSON and as text, for `status` and `export`.

use anyhow::Context as _;
use bitsweep_proto::v1;
use bitsweep_sweep::{AttemptEnd, Comparison, Role, TrialOutcome, TrialSpec};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

/// The word for a sweep's state.
pub(crate) fn sweep_state(state: v1::SweepState) -> &'static str {
    match state {
        v1::SweepState::Unspecified => "unknown",
        v1::SweepState::Active => "active",
        v1::SweepState::Finished => "finished",
        v1::SweepState::Failed => "failed",
        v1::SweepState::Cancelled => "cancelled",
    }
}

/// The word for a trial's state.
pub(crate) fn trial_state(state: v1::TrialState) -> &'static str {
    match state {
        v1::TrialState::Unspecified => "unknown",
        v1::TrialState::Waiting => "waiting",
        v1::TrialState::Ready => "ready",
        v1::TrialState::Running => "running",
        v1::TrialState::Finished => "finished",
        v1::TrialState::Failed => "failed",
        v1::TrialState::Blocked => "blocked",
        v1::TrialState::Cancelled => "cancelled",
    }
}

/// One trial with what is compared about it.
pub(crate) struct TrialReport {
    pub(crate) status: v1::TrialStatus,
    pub(crate) spec: TrialSpec,
    /// Percent: the final figure, or the newest epoch's while it runs.
    pub(crate) top1: Option<f64>,
    /// Points against the reference; `None` for baselines and controls.
    pub(crate) gap: Option<f64>,
}

/// All trials of a snapshot in plan order.
pub(crate) fn trial_reports(snapshot: &v1::SweepSnapshot) -> anyhow::Result<Vec<TrialReport>> {
    let mut reports = Vec::with_capacity(snapshot.trials.len());
    for status in &snapshot.trials {
        let spec = status
            .spec
            .clone()
            .context("the coordinator sent a trial without its specification")?;
        let top1 = match &status.result {
            Some(result) => Some(result.top1),
            None => status.epochs.last().map(|epoch| epoch.top1),
        };
        reports.push(TrialReport {
            status: status.clone(),
            spec: spec.try_into()?,
            top1,
            gap: None,
        });
    }
    let comparison = Comparison::new(&outcomes(&reports));
    for report in &mut reports {
        if report.spec.role == Role::Quantized {
            report.gap = comparison.find(&report.spec.name).and_then(|cell| cell.gap);
        }
    }
    Ok(reports)
}

/// What [`Comparison`] takes.
pub(crate) fn outcomes(reports: &[TrialReport]) -> Vec<TrialOutcome<'_>> {
    reports
        .iter()
        .map(|r| TrialOutcome { spec: &r.spec, top1: r.top1, is_final: r.status.result.is_some() })
        .collect()
}

/// A table of trials with state, progress, top-1 and gap.
pub(crate) fn trial_table(snapshot: &v1::SweepSnapshot) -> anyhow::Result<Table> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["trial", "state", "epochs", "top-1 %", "gap", "attempts"]);
    for report in trial_reports(snapshot)? {
        let done = report.status.epochs.last().map_or(0, |epoch| epoch.epoch);
        let ended = report.status.attempts.iter().filter_map(|a| attempt_end(a.end()));
        let reasons: Vec<&str> =
            ended.filter(|e| *e != AttemptEnd::Finished).map(AttemptEnd::as_str).collect();
        let mut attempts = report.status.attempts.len().to_string();
        if !reasons.is_empty() {
            attempts = format!("{attempts} ({})", reasons.join(", "));
        }
        table.add_row([
            report.spec.name.to_string(),
            trial_state(report.status.state()).to_owned(),
            format!("{done}/{}", report.spec.train.epochs),
            report.top1.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}")),
            report.gap.map_or_else(|| "-".to_owned(), |v| format!("{v:+.2}")),
            attempts,
        ]);
    }
    for index in 2..=4 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Ok(table)
}

/// The `trials` list of JSON documents.
pub(crate) fn trials_json(snapshot: &v1::SweepSnapshot) -> anyhow::Result<Value> {
    trial_reports(snapshot)?
        .iter()
        .map(trial_json)
        .collect::<anyhow::Result<Vec<_>>>()
        .map(Value::from)
}

/// One trial: figures first, then everything behind them.
pub(crate) fn trial_json(report: &TrialReport) -> anyhow::Result<Value> {
    let TrialReport { status, spec, top1, gap } = report;
    let last = status.epochs.last();
    let provenance = status.provenance.clone().map(bitsweep_sweep::Provenance::from);
    let epochs: Vec<bitsweep_sweep::EpochSummary> =
        status.epochs.iter().map(|epoch| (*epoch).into()).collect();
    Ok(json!({
        "trial": status.trial_id,
        "name": spec.name,
        "network": spec.model.network,
        "bits": bits_json(spec.bits),
        "seed": spec.seed,
        "role": spec.role,
        "state": trial_state(status.state()),
        "top1": top1,
        "top5": status.result.as_ref().map(|r| r.top5).or_else(|| last.map(|e| e.top5)),
        "gap": gap,
        "final": status.result.is_some(),
        "validation_loss": status.result.as_ref().map(|r| r.validation_loss)
            .or_else(|| last.map(|e| e.validation_loss)),
        "parent": spec.parent,
        "reference": spec.reference,
        "parameters": status.parameters,
        "checkpoint_step": status.checkpoint_step,
        "progress": status.progress.as_ref().map(|p| json!({
            "step": p.step,
            "total_steps": p.total_steps,
            "epoch": p.epoch,
            "total_epochs": p.total_epochs,
            "images_per_second": p.images_per_second,
        })),
        "attempts": status.attempts.iter().map(attempt_json).collect::<Vec<_>>(),
        "epochs": epochs,
        "correct": status.result.as_ref().map(|r| hexadecimal(&r.correct)),
        "provenance": provenance,
        "spec": spec,
    }))
}

/// A number where weights and activations have the same width, otherwise both.
fn bits_json(bits: bitsweep_sweep::Bits) -> Value {
    if bits.weights == bits.activations { json!(bits.weights) } else { json!(bits) }
}

fn attempt_json(attempt: &v1::AttemptStatus) -> Value {
    json!({
        "attempt": attempt.attempt,
        "worker": attempt.worker_name,
        "worker_id": attempt.worker_id,
        "started_ms": attempt.started_ms,
        "ended_ms": attempt.ended_ms,
        "end": attempt_end(attempt.end()).map(AttemptEnd::as_str),
        "message": attempt.message,
        "from_step": attempt.from_step,
    })
}

fn attempt_end(end: v1::AttemptEnd) -> Option<AttemptEnd> {
    AttemptEnd::try_from(end).ok()
}

/// One worker.
pub(crate) fn worker_json(worker: &v1::WorkerStatus) -> Value {
    let liveness = match worker.liveness() {
        v1::Liveness::Unspecified => "unknown",
        v1::Liveness::Connected => "connected",
        v1::Liveness::Silent => "silent",
        v1::Liveness::Lost => "lost",
        v1::Liveness::Left => "left",
    };
    json!({
        "worker_id": worker.worker_id,
        "name": worker.name,
        "version": worker.program_version,
        "liveness": liveness,
        "slots": worker.slots,
        "threads": worker.threads,
        "running": worker.running.iter().map(|a| a.trial_id.clone()).collect::<Vec<_>>(),
        "last_heard_ms": worker.last_heard_ms,
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
