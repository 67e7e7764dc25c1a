//! The table of quantized against full-precision accuracy.

mod statistics;

use serde::{Deserialize, Serialize};

use crate::id::TrialName;
use crate::trial::{Bits, Network, Role, TrialSpec};

pub use statistics::{PairedTest, SeedMean};

/// Top-1 of a trial minus top-1 of its reference, in points.
pub fn gap(top1: f64, reference_top1: f64) -> f64 {
    top1 - reference_top1
}

/// What is known of one trial's accuracy.
#[derive(Clone, Debug)]
pub struct TrialOutcome<'a> {
    /// The trial.
    pub spec: &'a TrialSpec,
    /// Percent on the validation images; the newest epoch's while it runs, `None` before the first.
    pub top1: Option<f64>,
    /// Whether `top1` is final.
    pub is_final: bool,
}

/// One trial in the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonCell {
    /// The trial.
    pub trial: TrialName,
    /// Its widths.
    pub bits: Bits,
    /// Percent; `None` before the first evaluation.
    pub top1: Option<f64>,
    /// Points against the reference; `None` for baselines, and while either is unknown.
    pub gap: Option<f64>,
    /// Whether both numbers behind the gap are final.
    pub is_final: bool,
    /// The trial the gap refers to.
    pub reference: Option<TrialName>,
}

/// All widths of one network and seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// The network.
    pub network: Network,
    /// The seed.
    pub seed: u64,
    /// One cell per column of the table; `None` where the sweep has no such trial.
    pub cells: Vec<Option<ComparisonCell>>,
}

/// Network × bits with top-1 and gap. Controls have no cell: they stand behind the gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Widths of the columns, full precision first, then descending.
    pub columns: Vec<Bits>,
    /// By network in the order of the sweep, then by seed.
    pub rows: Vec<ComparisonRow>,
}

impl Comparison {
    /// Compares the trials of one sweep, given in plan order.
    pub fn new(outcomes: &[TrialOutcome<'_>]) -> Self {
        let shown = || outcomes.iter().filter(|o| o.spec.role != Role::Control);
        let mut columns: Vec<Bits> = shown().map(|o| o.spec.bits).collect();
        columns.sort_unstable_by(|a, b| b.cmp(a));
        columns.dedup();

        let mut rows: Vec<ComparisonRow> = Vec::new();
        for outcome in shown() {
            let (network, seed) = (outcome.spec.model.network, outcome.spec.seed);
            let at = rows
                .iter()
                .position(|r| r.network == network && r.seed == seed)
                .unwrap_or_else(|| {
                    rows.push(ComparisonRow { network, seed, cells: vec![None; columns.len()] });
                    rows.len() - 1
                });
            let column = columns.iter().position(|b| *b == outcome.spec.bits).unwrap_or_default();
            rows[at].cells[column] = Some(Self::cell(outcome, outcomes));
        }
        Self { columns, rows }
    }

    /// The cell of a trial, by name.
    pub fn find(&self, trial: &TrialName) -> Option<&ComparisonCell> {
        self.rows.iter().flat_map(|r| r.cells.iter().flatten()).find(|c| c.trial == *trial)
    }

    fn cell(outcome: &TrialOutcome<'_>, all: &[TrialOutcome<'_>]) -> ComparisonCell {
        let spec = outcome.spec;
        let reference =
            spec.reference.as_ref().and_then(|name| all.iter().find(|o| o.spec.name == *name));
        let gap = match (outcome.top1, reference.and_then(|r| r.top1)) {
            (Some(own), Some(other)) => Some(gap(own, other)),
            _ => None,
        };
        ComparisonCell {
            trial: spec.name.clone(),
            bits: spec.bits,
            top1: outcome.top1,
            gap,
            is_final: outcome.is_final && reference.is_none_or(|r| r.is_final),
            reference: spec.reference.clone(),
        }
    }
}
