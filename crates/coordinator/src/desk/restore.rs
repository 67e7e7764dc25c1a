//! The desk as the store has it.

use std::sync::Arc;

use bitsweep_proto::v1;
use tokio::sync::broadcast;

use super::Desk;
use crate::artifacts::ArtifactStore;
use crate::board::{Board, LOG_LINES};
use crate::clock::now_ms;
use crate::convert::{attempt_ref, trial_state};
use crate::scheduler::{
    AttemptId, RestoredLease, RestoredSweep, RestoredTrial, Scheduler, Timing, WorkerId,
};
use crate::store::{SqliteStore, StateLock, Store as _, StoreError, TrialRow};

/// Changes kept for watchers; one that falls further behind gets a new snapshot.
const PUBLISHED: usize = 4096;

impl Desk {
    /// Everything that was acknowledged, leases still being worked included.
    pub(crate) fn restore(
        store: SqliteStore,
        lock: Arc<StateLock>,
        artifacts: Arc<ArtifactStore>,
        timing: Timing,
    ) -> Result<Self, StoreError> {
        let now = now_ms();
        let mut board = Board::default();
        let (mut sweeps, mut leases) = (Vec::new(), Vec::new());
        for sweep in store.sweeps()? {
            let trials = store.trials(&sweep.id)?;
            board.restore(&sweep, &trials);
            leases.extend(trials.iter().filter_map(lease));
            let trials = trials.iter().map(restored).collect();
            sweeps.push(RestoredSweep { id: sweep.id, plan: sweep.plan, trials });
        }
        for line in store.log(LOG_LINES as u32)? {
            board.push_log(&line);
        }
        let (scheduler, commands) = Scheduler::restore(timing, sweeps, leases, now);
        // Who held leases before; the rest they tell when they are back.
        for worker in scheduler.workers(now) {
            let status = v1::WorkerStatus {
                worker_id: worker.id.as_str().to_owned(),
                name: worker.name,
                running: worker.running.iter().map(attempt_ref).collect(),
                last_heard_ms: worker.last_heard,
                ..Default::default()
            };
            board.workers.insert(status.worker_id.clone(), status);
        }
        let mut desk = Self {
            scheduler,
            timing,
            board,
            store: Some(store),
            lock,
            artifacts,
            links: Default::default(),
            connections: Default::default(),
            watchers: broadcast::channel(PUBLISHED).0,
            cursor: 0,
            changes: Vec::new(),
            after: Vec::new(),
            points: Default::default(),
            progress: Default::default(),
            log: Vec::new(),
            changed_trials: Default::default(),
            changed_workers: Default::default(),
            changed_sweeps: Default::default(),
        };
        desk.carry_out(commands, now);
        Ok(desk)
    }
}

fn restored(row: &TrialRow) -> RestoredTrial {
    let last = row.attempts.last();
    RestoredTrial {
        trial: row.id.clone(),
        state: trial_state(row.state),
        attempts_used: row.attempts_used,
        last_attempt: last.map_or(0, |attempt| attempt.attempt),
        last_end: last.and_then(|attempt| attempt.end),
        last_worker: last.map(|attempt| WorkerId::new(&attempt.worker_id)),
        retry_at: row.retry_at_ms,
        newest: row.newest_checkpoint.as_ref().map(Into::into),
        final_checkpoint: row.final_checkpoint.as_ref().map(Into::into),
    }
}

fn lease(row: &TrialRow) -> Option<RestoredLease> {
    let last = row.attempts.last().filter(|attempt| attempt.ended_ms.is_none())?;
    Some(RestoredLease {
        attempt: AttemptId::new(row.id.clone(), last.attempt),
        worker: WorkerId::new(&last.worker_id),
        worker_name: last.worker_name.clone(),
    })
}
