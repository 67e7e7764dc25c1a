//! Where everything meets: one loop that takes requests in turn, lets the scheduler decide, makes the
//! decisions durable, and only then answers, acknowledges and tells watchers.
//!
//! Requests that wait are taken together: their changes share one transaction (group commit). While a
//! transaction fails, for example on a full disk, nothing is answered; it is tried again until it succeeds.

mod commands;
mod reports;
mod requests;
mod restore;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitsweep_proto::v1;
use bitsweep_sweep::{SweepId, TrialId};
use tokio::sync::{broadcast, mpsc};
use v1::watch_update::Update;

use crate::board::Board;
use crate::clock::now_ms;
use crate::scheduler::{Scheduler, Timing, WorkerId};
use crate::store::{Change, SqliteStore, Store as _};

pub(crate) use requests::{Request, WorkerLink};

/// Requests taken into one transaction.
const BATCH: usize = 512;
/// Wait before a failed transaction is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often liveness of workers is looked at when nothing happens.
const LIVENESS: Duration = Duration::from_secs(1);

/// One change as every watcher gets it; watchers pick those of their sweep.
#[derive(Debug)]
pub(crate) struct Published {
    /// `None`: of interest to the watchers of every sweep.
    pub(crate) sweep: Option<SweepId>,
    pub(crate) update: v1::WatchUpdate,
}

/// What is done once the changes of a batch are durable, in this order.
enum After {
    Send(WorkerId, v1::CoordinatorMessage),
    /// An answer that has been waiting for durability.
    Answer(Box<dyn FnOnce(&Desk) + Send>),
}

/// The loop's state.
pub(crate) struct Desk {
    scheduler: Scheduler,
    timing: Timing,
    board: Board,
    store: Option<SqliteStore>,
    links: BTreeMap<WorkerId, WorkerLink>,
    watchers: broadcast::Sender<std::sync::Arc<Published>>,
    cursor: u64,
    changes: Vec<Change>,
    after: Vec<After>,
    /// Points of this batch by trial, and where a new attempt cut its series.
    points: BTreeMap<TrialId, v1::PointsAdded>,
    progress: BTreeMap<TrialId, v1::ProgressUpdate>,
    log: Vec<(Option<SweepId>, v1::LogEntry)>,
    changed_trials: BTreeSet<TrialId>,
    changed_workers: BTreeSet<String>,
    changed_sweeps: BTreeSet<SweepId>,
}

impl Desk {
    /// Serves requests until the channel closes, then returns with everything durable.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let deadline = self.scheduler.next_deadline();
            let wait = deadline.map_or(LIVENESS, |at| {
                Duration::from_millis(u64::try_from(at - now_ms()).unwrap_or(0)).min(LIVENESS)
            });
            // Waiting requests come first: a heartbeat in the queue must be seen before its lease is judged.
            tokio::select! {
                biased;
                taken = requests.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return;
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
            for request in batch.drain(..) {
                self.take(request, now_ms());
            }
            let commands = self.scheduler.tick(now_ms());
            self.carry_out(commands, now_ms());
            self.refresh_liveness(now_ms());
            self.flush().await;
        }
    }

    /// Makes the batch durable, then lets it be seen.
    async fn flush(&mut self) {
        if !self.changes.is_empty() {
            self.make_durable().await;
        }
        self.publish();
        for after in std::mem::take(&mut self.after) {
            match after {
                After::Send(worker, message) => self.send(&worker, message),
                After::Answer(answer) => answer(self),
            }
        }
    }

    async fn make_durable(&mut self) {
        let changes = std::sync::Arc::new(std::mem::take(&mut self.changes));
        loop {
            let Some(mut store) = self.store.take() else { return };
            let batch = std::sync::Arc::clone(&changes);
            let applied = tokio::task::spawn_blocking(move || {
                let result = store.apply(&batch);
                (store, result)
            })
            .await;
            match applied {
                Ok((store, result)) => {
                    self.store = Some(store);
                    match result {
                        Ok(()) => return,
                        Err(error) => tracing::error!("nothing is acknowledged for now: {error}"),
                    }
                }
                Err(error) => {
                    // A bug in the store: without it nothing can be promised any more.
                    tracing::error!("the store is lost, the coordinator stops: {error}");
                    std::process::abort();
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Hands a message to a worker's link. A link that does not keep up is closed: the worker reconnects and
    /// is told everything again.
    fn send(&mut self, worker: &WorkerId, message: v1::CoordinatorMessage) {
        if let Some(link) = self.links.get(worker)
            && link.outbound.try_send(Ok(message)).is_err()
        {
            self.links.remove(worker);
        }
    }

    /// Tells watchers what this batch changed.
    fn publish(&mut self) {
        for trial in std::mem::take(&mut self.changed_trials) {
            if let Some(entry) = self.board.trials.get(&trial) {
                let (sweep, status) = (entry.sweep.clone(), entry.status.clone());
                self.tell(Some(sweep), Update::Trial(status));
            }
        }
        for (trial, progress) in std::mem::take(&mut self.progress) {
            self.tell(trial.split().map(|(sweep, _)| sweep), Update::Progress(progress));
        }
        for (trial, points) in std::mem::take(&mut self.points) {
            self.tell(trial.split().map(|(sweep, _)| sweep), Update::Points(points));
        }
        for (sweep, entry) in std::mem::take(&mut self.log) {
            self.tell(sweep, Update::Log(entry));
        }
        for worker in std::mem::take(&mut self.changed_workers) {
            if let Some(status) = self.board.workers.get(&worker).cloned() {
                self.tell(None, Update::Worker(status));
            }
        }
        for sweep in std::mem::take(&mut self.changed_sweeps) {
            if let Some(summary) = self.board.summary(&sweep) {
                self.tell(Some(sweep), Update::Summary(summary));
            }
        }
    }

    fn tell(&mut self, sweep: Option<SweepId>, update: Update) {
        self.cursor += 1;
        let update = v1::WatchUpdate { cursor: self.cursor, update: Some(update) };
        // Without watchers there is nobody to tell.
        let _ = self.watchers.send(std::sync::Arc::new(Published { sweep, update }));
    }
}
