//! What workers report of their attempts.

use bitsweep_proto::v1;
use bitsweep_sweep::{AttemptEnd, EpochSummary, LogLine, TrialId};
use v1::coordinator_message::Message as Down;
use v1::report::Content;
use v1::trial_event::Event;

use super::{After, Desk};
use crate::artifacts::ArtifactStore;
use crate::convert::{attempt_id, attempt_ref};
use crate::scheduler::{AttemptId, Checkpoint, WorkerId};
use crate::store::{Change, LogRow};

/// Longest line that is kept, in bytes.
const LONGEST_LINE: usize = 8192;

impl Desk {
    pub(super) fn report(&mut self, worker: &WorkerId, report: v1::Report, now: i64) {
        let Some(attempt) = attempt_id(report.attempt.as_ref()) else {
            tracing::warn!("{worker} sent a report that names no attempt");
            return;
        };
        let is_open = self.scheduler.accepts(&attempt);
        let was_its_own = self.scheduler.trial(&attempt.trial).is_some_and(|trial| {
            let is_newest = trial.last_attempt == attempt.attempt;
            is_newest && trial.last_worker.as_ref() == Some(worker)
        });
        let may_be_known = is_open || self.scheduler.accepts_checkpoint(&attempt);
        if !was_its_own || !may_be_known {
            self.refuse(worker, &attempt);
            return;
        }
        if report.sequence == 0 {
            if is_open {
                self.progress(&attempt, report, now);
            }
            return;
        }
        let last = self.board.trials.get(&attempt.trial).map_or(0, |trial| trial.last_sequence);
        if report.sequence <= last {
            self.acknowledge(worker, &attempt, last);
            return;
        }
        if !is_open {
            // The end of an attempt is its last report.
            self.refuse(worker, &attempt);
            return;
        }
        if report.sequence != last + 1 {
            // On a new link the worker is told where to go on.
            let (found, expected) = (report.sequence, last + 1);
            let why = format!("report {found} of {} came where {expected} is next", attempt.trial);
            tracing::warn!("{worker}: {why}");
            if let Some(connection) = self.connections.get(worker).copied() {
                self.disconnect(worker, connection, now);
            }
            self.after.push(After::Unlink(worker.clone(), why));
            return;
        }
        if let Some(problem) = problem_of(&report, &self.artifacts) {
            // The worker's trial speaks nonsense; keeping the connection would only repeat it.
            tracing::warn!("{worker}: report of {}: {problem}", attempt.trial);
            let commands = self.scheduler.ended(&attempt, AttemptEnd::Crashed, &problem, now);
            self.carry_out(commands, now);
            self.refuse(worker, &attempt);
            return;
        }
        if let Some(entry) = self.board.trials.get_mut(&attempt.trial) {
            entry.last_sequence = report.sequence;
        }
        self.changes.push(Change::Report(Box::new(report.clone())));
        self.acknowledge(worker, &attempt, report.sequence);
        match report.content {
            Some(Content::Event(v1::TrialEvent { event: Some(event) })) => {
                self.event(worker, &attempt, event, now);
            }
            Some(Content::Ended(ended)) => {
                let end = AttemptEnd::try_from(ended.reason()).unwrap_or(AttemptEnd::Crashed);
                let message = shortened(ended.message);
                let commands = self.scheduler.ended(&attempt, end, &message, now);
                self.carry_out(commands, now);
            }
            _ => {}
        }
    }

    /// Answers a report under a fence: the sender stops, and does not crash.
    fn refuse(&mut self, worker: &WorkerId, attempt: &AttemptId) {
        let reason = "the trial is in other hands, or ended".to_owned();
        let message = v1::CancelAttempt { attempt: Some(attempt_ref(attempt)), reason };
        self.send_later(worker, Down::Cancel(message));
    }

    fn acknowledge(&mut self, worker: &WorkerId, attempt: &AttemptId, sequence: u64) {
        let attempt = Some(attempt_ref(attempt));
        self.send_later(worker, Down::Acknowledge(v1::Acknowledge { attempt, sequence }));
    }

    fn progress(&mut self, attempt: &AttemptId, report: v1::Report, now: i64) {
        let Some(Content::Event(v1::TrialEvent { event: Some(Event::Progress(progress)) })) =
            report.content
        else {
            return;
        };
        let Some(entry) = self.board.trials.get_mut(&attempt.trial) else { return };
        entry.status.progress = Some(progress);
        entry.status.progress_ms = now;
        let update = v1::ProgressUpdate {
            trial_id: attempt.trial.to_string(),
            progress: Some(progress),
            time_ms: now,
        };
        self.progress.insert(attempt.trial.clone(), update);
    }

    fn event(&mut self, worker: &WorkerId, attempt: &AttemptId, event: Event, now: i64) {
        let trial = &attempt.trial;
        match event {
            Event::Points(batch) => self.add_points(trial, batch),
            Event::Epoch(epoch) => {
                for (metric, step, value) in EpochSummary::from(epoch).points() {
                    let metric = v1::Metric::from(metric).into();
                    let batch = v1::PointBatch { metric, steps: vec![step], values: vec![value] };
                    self.add_points(trial, batch);
                }
                self.change_trial(trial, |status| {
                    status.epochs.retain(|known| known.epoch != epoch.epoch);
                    status.epochs.push(epoch);
                    status.epochs.sort_by_key(|known| known.epoch);
                });
            }
            Event::Started(started) => self.change_trial(trial, |status| {
                status.parameters = started.parameters;
                status.provenance = started.provenance;
            }),
            Event::Finished(result) => {
                self.change_trial(trial, |status| status.result = Some(result));
            }
            Event::Log(line) => {
                if let Ok(line) = LogLine::try_from(line) {
                    let worker_name = self.worker_name(worker);
                    let trial_id = trial.to_string();
                    let (level, message) = (line.level, shortened(line.message));
                    self.write_log(LogRow { time_ms: now, level, worker_name, trial_id, message });
                }
            }
            Event::Checkpoint(checkpoint) => {
                let Some(artifact) = checkpoint.artifact else { return };
                let step = checkpoint.step;
                self.change_trial(trial, |status| status.checkpoint_step = Some(step));
                let stored = Checkpoint { hash: artifact.hash, bytes: artifact.bytes, step };
                let commands = self.scheduler.checkpoint(attempt, stored, checkpoint.r#final, now);
                let last = self.scheduler.trial(trial).and_then(|view| view.final_checkpoint);
                self.change_trial(trial, |status| {
                    status.final_checkpoint = last.as_ref().map(Into::into);
                });
                self.carry_out(commands, now);
            }
            Event::Progress(_) | Event::Layers(_) | Event::Failed(_) | Event::Stopped(_) => {}
        }
    }

    fn change_trial(&mut self, trial: &TrialId, change: impl FnOnce(&mut v1::TrialStatus)) {
        if let Some(entry) = self.board.trials.get_mut(trial) {
            change(&mut entry.status);
            self.changed_trials.insert(trial.clone());
        }
    }

    fn add_points(&mut self, trial: &TrialId, batch: v1::PointBatch) {
        self.added_points(trial).series.push(batch);
    }

    /// A new attempt continues from `step`: what came after it is dropped, also of what this batch added
    /// before. Watchers first drop and then add.
    pub(super) fn cut_points(&mut self, trial: &TrialId, step: u64) {
        let added = self.added_points(trial);
        added.truncated_after = Some(added.truncated_after.map_or(step, |before| before.min(step)));
        for batch in &mut added.series {
            let kept = batch.steps.iter().take_while(|at| step > 0 && **at <= step).count();
            batch.steps.truncate(kept);
            batch.values.truncate(kept);
        }
        added.series.retain(|batch| !batch.steps.is_empty());
    }

    /// What this batch adds to the series of a trial.
    fn added_points(&mut self, trial: &TrialId) -> &mut v1::PointsAdded {
        self.points.entry(trial.clone()).or_insert_with(|| v1::PointsAdded {
            trial_id: trial.to_string(),
            series: Vec::new(),
            truncated_after: None,
        })
    }

    fn worker_name(&self, worker: &WorkerId) -> String {
        self.board.workers.get(worker.as_str()).map(|w| w.name.clone()).unwrap_or_default()
    }
}

/// Lines are kept in memory and sent to every watcher: one of a trial that went mad is cut.
fn shortened(mut line: String) -> String {
    if line.len() > LONGEST_LINE {
        let end = (0..=LONGEST_LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        line.truncate(end);
        line.push('…');
    }
    line
}

/// What makes a report unfit to be stored, if anything.
fn problem_of(report: &v1::Report, artifacts: &ArtifactStore) -> Option<String> {
    match &report.content {
        None => Some("it is empty".to_owned()),
        Some(Content::Ended(_)) => None,
        Some(Content::Event(v1::TrialEvent { event: None })) => {
            Some("its event is empty".to_owned())
        }
        Some(Content::Event(v1::TrialEvent { event: Some(Event::Points(batch)) })) => {
            bitsweep_sweep::PointBatch::try_from(batch.clone()).err().map(|e| e.to_string())
        }
        Some(Content::Event(v1::TrialEvent { event: Some(Event::Checkpoint(checkpoint)) })) => {
            let Some(artifact) = &checkpoint.artifact else {
                return Some("a checkpoint without an artifact".to_owned());
            };
            // The trial could not be continued from it, here or elsewhere.
            match artifacts.contains(&artifact.hash) {
                Ok(true) => None,
                Ok(false) => Some(format!("its checkpoint {} was never uploaded", artifact.hash)),
                Err(error) => Some(error.to_string()),
            }
        }
        Some(Content::Event(_)) => None,
    }
}
