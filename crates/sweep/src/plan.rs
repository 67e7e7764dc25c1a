//! From a sweep file to its trials, in an order in which every trial comes after its parent.

mod chain;
mod cost;
mod data;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::file::{FileError, RetrySettings, SweepFile};
use crate::id::TrialName;
use crate::trial::TrialSpec;

use chain::Chain;
pub use cost::{ASSUMED_IMAGES_PER_CLASS, ImageCounts, SplitCounts};
use data::Datasets;

/// One trial of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedTrial {
    /// The trial.
    pub spec: TrialSpec,
    /// Multiply-accumulates of the whole training and its evaluations; for ordering and estimates.
    pub cost: f64,
}

/// The trials of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The sweep's name.
    pub name: String,
    /// Every trial after its parent.
    pub trials: Vec<PlannedTrial>,
    /// How often and how soon a trial is tried again.
    pub retry: RetrySettings,
}

impl Plan {
    /// Plans the trials that `file` asks for. Relative paths are taken from `base_directory`. Costs of folders of
    /// images rest on [`ASSUMED_IMAGES_PER_CLASS`].
    ///
    /// # Errors
    /// When settings do not go together, the network does not fit the images, or a relative path has no base.
    pub fn new(file: &SweepFile, base_directory: Option<&Path>) -> Result<Self, FileError> {
        Self::with_counts(file, base_directory, ImageCounts::default())
    }

    /// As [`Plan::new`], with costs by the images that somebody has counted. The trials are the same.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn with_counts(
        file: &SweepFile,
        base_directory: Option<&Path>,
        counts: ImageCounts,
    ) -> Result<Self, FileError> {
        let datasets = Datasets::new(file, base_directory)?;
        let mut trials = Vec::new();
        for seed in &file.seeds {
            for network in &file.networks {
                let chain =
                    Chain { file, datasets: &datasets, counts, network: *network, seed: *seed };
                chain.plan(&mut trials)?;
            }
        }
        chain::check_use(file, &trials)?;
        Ok(Self { name: file.name.clone(), trials, retry: file.retry })
    }

    /// blake3 of what the plan asks for, lower-case hexadecimal: the same file is the same sweep, whatever is known
    /// of its costs.
    pub fn key(&self) -> String {
        let specs: Vec<&TrialSpec> = self.trials.iter().map(|t| &t.spec).collect();
        let json =
            serde_json::to_vec(&(&self.name, specs, &self.retry)).expect("a plan is plain values");
        blake3::hash(&json).to_hex().to_string()
    }

    /// The trial of that name.
    pub fn find(&self, name: &TrialName) -> Option<&PlannedTrial> {
        self.trials.iter().find(|t| t.spec.name == *name)
    }

    /// How many trials can run side by side: chains that do not wait for each other.
    pub fn chains(&self) -> usize {
        self.trials.iter().filter(|t| t.spec.parent.is_none()).count()
    }
}
