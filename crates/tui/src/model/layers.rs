//! The quantized layers of the trials that were looked at, by epoch.

use bitsweep_proto::v1;
use bitsweep_sweep::{Collapse, LayerReport};

/// All reports of one trial.
#[derive(Clone, Debug)]
pub(crate) struct LayerHistory {
    /// By epoch, ascending.
    pub(crate) reports: Vec<LayerReport>,
    /// Whether an answer is awaited.
    pub(crate) pending: bool,
    /// Whether there is more than what is here.
    pub(crate) outdated: bool,
}

/// Layers of a trial that do not compute any more, at its newest epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collapsed {
    /// Names and ways, in network order.
    pub(crate) layers: Vec<(String, Collapse)>,
    /// When this was known.
    pub(crate) epoch: u32,
}

impl LayerHistory {
    /// Awaits the first answer.
    pub(crate) fn pending() -> Self {
        Self { reports: Vec::new(), pending: true, outdated: false }
    }

    /// Whether the report of an epoch is here.
    pub(crate) fn has(&self, epoch: u32) -> bool {
        self.reports.last().is_some_and(|r| r.epoch >= epoch)
    }

    /// Takes the answer to a request; an epoch trained twice counts as it was the last time.
    pub(crate) fn answer(&mut self, reports: Vec<v1::LayerReport>) {
        self.reports.clear();
        for report in reports.into_iter().filter_map(|r| LayerReport::try_from(r).ok()) {
            self.reports.retain(|r| r.epoch != report.epoch);
            self.reports.push(report);
        }
        self.reports.sort_by_key(|r| r.epoch);
        (self.pending, self.outdated) = (false, false);
    }

    /// What has collapsed at the newest epoch.
    pub(crate) fn collapsed(&self) -> Option<Collapsed> {
        let newest = self.reports.last()?;
        let layers = newest.layers.iter().filter_map(|l| Some((l.name.clone(), l.collapse?)));
        Some(Collapsed { layers: layers.collect(), epoch: newest.epoch })
    }
}

/// In words.
pub(crate) fn said(collapse: Collapse) -> &'static str {
    match collapse {
        Collapse::HalfWidth => "interval at its narrowest",
        Collapse::Pruned => "everything pruned",
        Collapse::Clipped => "everything clipped",
    }
}
