//! What watchers see: the status of every sweep, trial and worker, kept in memory.
//!
//! Everything here can be made again from the store, but for what is worth nothing after a restart:
//! progress, telemetry and who is linked.

use std::collections::{BTreeMap, VecDeque};

use bitsweep_proto::v1;
use bitsweep_sweep::{Plan, SweepId, TrialId};

use crate::store::{LogRow, SweepRow, TrialRow};

/// Lines of the log that a snapshot carries.
pub(crate) const LOG_LINES: usize = 300;

/// A sweep as watchers see it.
#[derive(Clone, Debug)]
pub(crate) struct SweepEntry {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) created_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    /// In plan order.
    pub(crate) trials: Vec<TrialId>,
}

/// A trial as watchers see it, with where its reports stand.
#[derive(Clone, Debug)]
pub(crate) struct TrialEntry {
    pub(crate) sweep: SweepId,
    pub(crate) status: v1::TrialStatus,
    /// Last stored report of the newest attempt.
    pub(crate) last_sequence: u64,
}

/// Statuses of everything.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) sweeps: BTreeMap<SweepId, SweepEntry>,
    pub(crate) trials: BTreeMap<TrialId, TrialEntry>,
    pub(crate) workers: BTreeMap<String, v1::WorkerStatus>,
    pub(crate) log: VecDeque<v1::LogEntry>,
}

impl Board {
    /// Adds a sweep whose trials have not begun.
    pub(crate) fn add_sweep(&mut self, id: &SweepId, key: &str, file: &str, plan: &Plan, now: i64) {
        let trials: Vec<TrialId> =
            plan.trials.iter().map(|planned| TrialId::of(id, &planned.spec.name)).collect();
        for (trial, planned) in trials.iter().zip(&plan.trials) {
            let status = v1::TrialStatus {
                trial_id: trial.to_string(),
                spec: Some((&planned.spec).into()),
                state: v1::TrialState::Waiting.into(),
                ..Default::default()
            };
            let entry = TrialEntry { sweep: id.clone(), status, last_sequence: 0 };
            self.trials.insert(trial.clone(), entry);
        }
        let entry = SweepEntry {
            key: key.to_owned(),
            name: plan.name.clone(),
            file: file.to_owned(),
            created_ms: now,
            ended_ms: None,
            trials,
        };
        self.sweeps.insert(id.clone(), entry);
    }

    /// Adds a sweep as the store has it.
    pub(crate) fn restore(&mut self, sweep: &SweepRow, trials: &[TrialRow]) {
        self.add_sweep(&sweep.id, &sweep.key, &sweep.file, &sweep.plan, sweep.created_ms);
        if let Some(entry) = self.sweeps.get_mut(&sweep.id) {
            entry.ended_ms = sweep.ended_ms;
        }
        for row in trials {
            let Some(entry) = self.trials.get_mut(&row.id) else { continue };
            entry.last_sequence = row.attempts.last().map_or(0, |a| a.last_sequence);
            let status = &mut entry.status;
            status.set_state(row.state);
            status.attempts = row.attempts.iter().map(Into::into).collect();
            status.epochs = row.epochs.iter().map(|epoch| (*epoch).into()).collect();
            status.result = row.result.clone().map(Into::into);
            status.provenance = row.provenance.clone().map(Into::into);
            status.parameters = row.parameters;
            status.retry_at_ms = row.retry_at_ms;
            status.checkpoint_step = row.newest_checkpoint.as_ref().map(|c| c.step);
            status.final_checkpoint = row.final_checkpoint.as_ref().map(Into::into);
        }
    }

    /// Appends a line; the oldest goes when there are too many.
    pub(crate) fn push_log(&mut self, line: &LogRow) -> v1::LogEntry {
        let entry = v1::LogEntry::from(line);
        self.log.push_back(entry.clone());
        while self.log.len() > LOG_LINES {
            self.log.pop_front();
        }
        entry
    }

    /// Where a sweep stands, counted from its trials.
    pub(crate) fn summary(&self, id: &SweepId) -> Option<v1::SweepSummary> {
        let sweep = self.sweeps.get(id)?;
        let count = |wanted: &[v1::TrialState]| {
            let trials = sweep.trials.iter().filter_map(|trial| self.trials.get(trial));
            trials.filter(|t| wanted.contains(&t.status.state())).count() as u32
        };
        use v1::TrialState::{Blocked, Cancelled, Failed, Finished, Ready, Running, Waiting};
        let (failed, blocked) = (count(&[Failed]), count(&[Blocked]));
        let state = if count(&[Waiting, Ready, Running]) > 0 {
            v1::SweepState::Active
        } else if failed + blocked > 0 {
            v1::SweepState::Failed
        } else if count(&[Cancelled]) > 0 {
            v1::SweepState::Cancelled
        } else {
            v1::SweepState::Finished
        };
        Some(v1::SweepSummary {
            sweep_id: id.to_string(),
            name: sweep.name.clone(),
            state: state.into(),
            created_ms: sweep.created_ms,
            ended_ms: sweep.ended_ms,
            trials: sweep.trials.len() as u32,
            finished: count(&[Finished]),
            running: count(&[Running]),
            failed,
        })
    }

    /// Summaries of all sweeps, newest first.
    pub(crate) fn summaries(&self) -> Vec<v1::SweepSummary> {
        let mut all: Vec<v1::SweepSummary> =
            self.sweeps.keys().filter_map(|id| self.summary(id)).collect();
        all.sort_by_key(|summary| std::cmp::Reverse(summary.created_ms));
        all
    }

    /// Everything about a sweep but its points and layer states.
    pub(crate) fn snapshot(
        &self,
        id: &SweepId,
        cursor: u64,
        now: i64,
    ) -> Option<v1::SweepSnapshot> {
        let sweep = self.sweeps.get(id)?;
        let trials = sweep.trials.iter().filter_map(|trial| self.trials.get(trial));
        let prefix = format!("{id}/");
        let concerns = |entry: &&v1::LogEntry| {
            entry.trial_id.is_empty() || entry.trial_id.starts_with(&prefix)
        };
        Some(v1::SweepSnapshot {
            cursor,
            summary: self.summary(id),
            file: sweep.file.clone(),
            trials: trials.map(|trial| trial.status.clone()).collect(),
            workers: self.workers.values().cloned().collect(),
            log: self.log.iter().filter(concerns).cloned().collect(),
            now_ms: now,
        })
    }

    /// The sweep of that id, of the only id that begins so, or the newest of that name; nothing: the newest.
    ///
    /// # Errors
    /// A message that says what there is.
    pub(crate) fn find(&self, asked: &str) -> Result<SweepId, String> {
        let newest = |named: &dyn Fn(&SweepId, &SweepEntry) -> bool| {
            let matching = self.sweeps.iter().filter(|(id, sweep)| named(id, sweep));
            matching.max_by_key(|(_, sweep)| sweep.created_ms).map(|(id, _)| id.clone())
        };
        if asked.is_empty() {
            return newest(&|_, _| true).ok_or_else(|| {
                "there is no sweep yet; submit one: bitsweep submit FILE".to_owned()
            });
        }
        let exact = SweepId::new(asked);
        if self.sweeps.contains_key(&exact) {
            return Ok(exact);
        }
        if let Some(id) = newest(&|_, sweep| sweep.name == asked) {
            return Ok(id);
        }
        let starting: Vec<&SweepId> =
            self.sweeps.keys().filter(|id| id.as_str().starts_with(asked)).collect();
        let list = |ids: Vec<&SweepId>| {
            ids.iter().take(20).map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        match starting.as_slice() {
            [only] => Ok((*only).clone()),
            [] if self.sweeps.is_empty() => {
                Err(format!("no sweep \"{asked}\": there is none at all"))
            }
            [] => Err(format!(
                "no sweep \"{asked}\"; there are: {}",
                list(self.sweeps.keys().collect())
            )),
            _ => Err(format!("\"{asked}\" begins several: {}", list(starting))),
        }
    }
}
