//! One attempt that this worker holds.

use bitsweep_proto::v1;
use bitsweep_sweep::{AttemptEnd, TrialEvent};
use v1::report::Content;

use super::message::{AttemptKey, Effect};
use super::outbox::Outbox;
use crate::trial::Asked;

/// One attempt, from its assignment until all its reports are durable.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) key: AttemptKey,
    pub(super) stage: Stage,
    pub(super) outbox: Outbox,
    /// The newest progress that was not sent.
    progress: Option<v1::Report>,
    /// What the worker asked of its process.
    pub(super) asked: Option<Asked>,
    /// The end the worker has decided on; what the process still says is dropped.
    condemned: Option<(AttemptEnd, String)>,
}

/// How far an attempt is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Waits for a slot.
    Queued(Box<v1::Assign>),
    /// Has a slot: fetching, starting, running or being killed.
    Running { slot: u32 },
    /// As `Running`, but nobody wants its reports.
    Discarded { slot: u32 },
    /// The process is gone; its reports are on their way.
    Ended,
}

impl Attempt {
    pub(super) fn new(key: AttemptKey, assignment: v1::Assign) -> Self {
        let outbox = Outbox::new(key.reference());
        let stage = Stage::Queued(Box::new(assignment));
        Self { key, stage, outbox, progress: None, asked: None, condemned: None }
    }

    /// The slot it occupies.
    pub(super) fn slot(&self) -> Option<u32> {
        match self.stage {
            Stage::Running { slot } | Stage::Discarded { slot } => Some(slot),
            Stage::Queued(_) | Stage::Ended => None,
        }
    }

    /// Whether the lease is to be kept: also while reports are on their way.
    pub(super) fn is_held(&self) -> bool {
        !matches!(self.stage, Stage::Discarded { .. })
    }

    /// Whether nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended) && self.outbox.is_empty()
    }

    /// Takes an event of the trial in.
    pub(super) fn hear(&mut self, event: TrialEvent, cost: u32, time_ms: i64) -> Vec<Effect> {
        if !matches!(self.stage, Stage::Running { .. }) || self.condemned.is_some() {
            return self.release(cost);
        }
        match event {
            TrialEvent::Progress(progress) => {
                let event = v1::TrialEvent::from(TrialEvent::Progress(progress));
                self.progress = Some(v1::Report {
                    attempt: Some(self.key.reference()),
                    sequence: 0,
                    time_ms,
                    content: Some(Content::Event(event)),
                });
                Vec::new()
            }
            TrialEvent::Checkpoint(checkpoint) => {
                let path = checkpoint.path.clone();
                let checkpoint = v1::CheckpointSaved { path: None, ..checkpoint.into() };
                self.outbox.push_checkpoint(checkpoint, path, time_ms, cost);
                self.start_upload()
            }
            event => {
                self.outbox.push(Content::Event(event.into()), time_ms, cost);
                Vec::new()
            }
        }
    }

    /// A checkpoint has arrived at the coordinator, or never will.
    pub(super) fn uploaded(
        &mut self,
        sequence: u64,
        result: Result<v1::ArtifactRef, String>,
        time_ms: i64,
    ) -> Vec<Effect> {
        if !self.is_held() || self.condemned.is_some() {
            return Vec::new();
        }
        let problem = match result {
            Ok(artifact) => {
                self.outbox.uploaded(sequence, artifact);
                return self.start_upload();
            }
            Err(problem) => problem,
        };
        let message = format!("a checkpoint could not be delivered: {problem}");
        let cost = self.outbox.truncate(sequence);
        let mut effects = self.release(cost);
        match self.stage {
            Stage::Running { .. } => {
                self.condemned = Some((AttemptEnd::Crashed, message));
                effects.push(Effect::Kill(self.key.clone()));
            }
            Stage::Ended => self.end(AttemptEnd::Crashed, message, time_ms),
            Stage::Queued(_) | Stage::Discarded { .. } => {}
        }
        effects
    }

    /// The process is gone, or there never was one.
    pub(super) fn end(&mut self, reason: AttemptEnd, message: String, time_ms: i64) {
        let (reason, message) = self.condemned.take().unwrap_or((reason, message));
        let ended = v1::Ended { reason: v1::AttemptEnd::from(reason).into(), message };
        self.outbox.push(Content::Ended(ended), time_ms, 0);
        self.progress = None;
        self.stage = Stage::Ended;
    }

    fn start_upload(&mut self) -> Vec<Effect> {
        let upload = self.outbox.start_upload();
        let upload =
            upload.map(|(sequence, path)| Effect::Upload { key: self.key.clone(), sequence, path });
        upload.into_iter().collect()
    }

    /// Gives budget back.
    pub(super) fn release(&self, cost: u32) -> Vec<Effect> {
        if cost == 0 {
            return Vec::new();
        }
        vec![Effect::Release { key: self.key.clone(), cost }]
    }

    /// Whether it has something to say to the coordinator.
    pub(super) fn has_unsent(&self) -> bool {
        self.is_held() && (self.progress.is_some() || self.outbox.has_unsent())
    }

    /// Copies what it has to say into `batch`, about `limit` bytes.
    pub(super) fn take_unsent(&mut self, batch: &mut Vec<v1::Report>, limit: usize) {
        if !self.is_held() {
            return;
        }
        self.outbox.take_unsent(batch, limit);
        // Progress after the reports it follows; it waits while they do not fit.
        if !self.outbox.has_unsent() {
            batch.extend(self.progress.take());
        }
    }
}
