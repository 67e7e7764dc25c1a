//! What the scheduler decided, turned into changes, messages and statuses.

use bitsweep_proto::v1;
use bitsweep_sweep::{AttemptEnd, TrialId};
use v1::coordinator_message::Message as Down;

use super::{After, Desk};
use crate::convert::attempt_ref;
use crate::scheduler::{AttemptId, Checkpoint, Command, WorkerId};
use crate::store::{AttemptRow, Change, LogRow};

impl Desk {
    pub(super) fn carry_out(&mut self, commands: Vec<Command>, now: i64) {
        for command in commands {
            match command {
                Command::Assign { worker, attempt, parent, resume, from_step } => {
                    let checkpoints = (parent.as_ref(), resume.as_ref());
                    self.assign(&worker, &attempt, checkpoints, from_step, now);
                }
                Command::CancelAttempt { worker, attempt, reason } => {
                    let attempt = Some(attempt_ref(&attempt));
                    let message = Down::Cancel(v1::CancelAttempt { attempt, reason });
                    self.send_later(&worker, message);
                }
                Command::AttemptEnded { attempt, end, message } => {
                    self.attempt_ended(&attempt, end, message, now);
                }
                Command::AttemptRevived { attempt, .. } => self.attempt_revived(&attempt),
                Command::TrialChanged { trial, state, attempts_used, retry_at } => {
                    let state = v1::TrialState::from(state);
                    self.changes.push(Change::Trial {
                        trial: trial.clone(),
                        state,
                        attempts_used,
                        retry_at_ms: retry_at,
                    });
                    if let Some(entry) = self.board.trials.get_mut(&trial) {
                        entry.status.set_state(state);
                        entry.status.retry_at_ms = retry_at;
                        if state != v1::TrialState::Running {
                            entry.status.progress = None;
                            self.progress.remove(&trial);
                        }
                        self.changed_sweeps.insert(entry.sweep.clone());
                    }
                    self.changed_trials.insert(trial);
                }
                Command::SweepEnded { sweep } => {
                    let ended_ms = Some(now);
                    self.changes.push(Change::SweepEnded { sweep: sweep.clone(), ended_ms });
                    if let Some(entry) = self.board.sweeps.get_mut(&sweep) {
                        entry.ended_ms = ended_ms;
                    }
                    self.changed_sweeps.insert(sweep);
                }
                Command::Log { level, trial, message } => {
                    let trial_id = trial.map(|t| t.to_string()).unwrap_or_default();
                    let worker_name = String::new();
                    self.write_log(LogRow { time_ms: now, level, worker_name, trial_id, message });
                }
            }
        }
    }

    pub(super) fn send_later(&mut self, worker: &WorkerId, message: Down) {
        let message = v1::CoordinatorMessage { message: Some(message) };
        self.after.push(After::Send(worker.clone(), Box::new(message)));
    }

    pub(super) fn write_log(&mut self, line: LogRow) {
        let entry = self.board.push_log(&line);
        let sweep = TrialId::new(&line.trial_id).split().map(|(sweep, _)| sweep);
        self.log.push((sweep, entry));
        self.changes.push(Change::Log(line));
    }

    fn assign(
        &mut self,
        worker: &WorkerId,
        attempt: &AttemptId,
        (parent, resume): (Option<&Checkpoint>, Option<&Checkpoint>),
        from_step: u64,
        now: i64,
    ) {
        let worker_name =
            self.board.workers.get(worker.as_str()).map(|w| w.name.clone()).unwrap_or_default();
        let row = AttemptRow {
            attempt: attempt.attempt,
            worker_id: worker.as_str().to_owned(),
            worker_name,
            started_ms: now,
            ended_ms: None,
            end: None,
            message: String::new(),
            from_step,
            last_sequence: 0,
        };
        let Some(entry) = self.board.trials.get_mut(&attempt.trial) else { return };
        entry.last_sequence = 0;
        let status = &mut entry.status;
        status.attempts.push((&row).into());
        status.epochs.retain(|epoch| from_step > 0 && epoch.step <= from_step);
        status.progress = None;
        status.result = None;
        let spec = status.spec.clone();
        self.changed_trials.insert(attempt.trial.clone());
        self.progress.remove(&attempt.trial);
        self.cut_points(&attempt.trial, from_step);
        self.changes.push(Change::StartAttempt { trial: attempt.trial.clone(), attempt: row });
        let message = Down::Assign(v1::Assign {
            attempt: Some(attempt_ref(attempt)),
            spec,
            parent_checkpoint: parent.map(Into::into),
            resume_checkpoint: resume.map(Into::into),
        });
        self.send_later(worker, message);
    }

    fn attempt_ended(&mut self, attempt: &AttemptId, end: AttemptEnd, message: String, now: i64) {
        if let Some(status) = self.attempt_status(attempt) {
            status.ended_ms = Some(now);
            status.set_end(end.into());
            status.message.clone_from(&message);
        }
        self.changed_trials.insert(attempt.trial.clone());
        self.changes.push(Change::EndAttempt {
            trial: attempt.trial.clone(),
            attempt: attempt.attempt,
            end,
            message,
            ended_ms: now,
        });
    }

    fn attempt_revived(&mut self, attempt: &AttemptId) {
        if let Some(status) = self.attempt_status(attempt) {
            status.ended_ms = None;
            status.set_end(v1::AttemptEnd::Unspecified);
            status.message.clear();
        }
        self.changed_trials.insert(attempt.trial.clone());
        let (trial, attempt) = (attempt.trial.clone(), attempt.attempt);
        self.changes.push(Change::ReviveAttempt { trial, attempt });
    }

    fn attempt_status(&mut self, id: &AttemptId) -> Option<&mut v1::AttemptStatus> {
        let entry = self.board.trials.get_mut(&id.trial)?;
        entry.status.attempts.iter_mut().find(|status| status.attempt == id.attempt)
    }

    /// Brings what watchers see of workers up to date with how long ago they were heard from.
    pub(super) fn refresh_liveness(&mut self, now: i64) {
        let scheduler = &self.scheduler;
        // Those that the scheduler has forgotten have been gone for long.
        self.board.workers.retain(|id, _| scheduler.worker(&WorkerId::new(id), now).is_some());
        for (id, status) in &mut self.board.workers {
            let Some(worker) = scheduler.worker(&WorkerId::new(id), now) else { continue };
            let liveness = v1::Liveness::from(worker.liveness);
            if status.liveness() != liveness || status.draining != worker.is_draining {
                status.set_liveness(liveness);
                status.draining = worker.is_draining;
                self.changed_workers.insert(id.clone());
            }
        }
    }
}
