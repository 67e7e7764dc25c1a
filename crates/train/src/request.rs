//! What is to be trained, and how it ended.

use std::path::PathBuf;

use bitsweep_sweep::TrialSpec;

/// One attempt at a trial on this machine.
#[derive(Clone, Debug)]
pub struct TrialRequest {
    /// What to train.
    pub spec: TrialSpec,
    /// Folder for checkpoints; made where it is missing. Files are left for the caller to remove.
    pub directory: PathBuf,
    /// The parent's final checkpoint; needed where the specification names a parent.
    pub parent_checkpoint: Option<PathBuf>,
    /// This trial's newest checkpoint of an earlier attempt; with it the parent is not needed.
    pub resume_checkpoint: Option<PathBuf>,
    /// Threads of the training step. The process has one pool: the first request decides.
    pub threads: usize,
    /// What computes: `flex` or its other name `cpu`.
    pub device: String,
}

/// How a trial ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Trained to its end.
    Finished,
    /// Asked to stop; a checkpoint was saved.
    Stopped,
}
