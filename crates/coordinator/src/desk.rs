//! Where everything meets: one loop that takes requests in turn, lets the scheduler decide, makes the
//! decisions durable, and only then answers, acknowledges and tells watchers.
//!
//! Requests that wait are taken together: their changes share one transaction (group commit). While a
//! transaction fails, for example on a full disk, nothing is answered; it is tried again until it succeeds,
//! and the time it takes counts against nobody's lease.

mod commands;
mod reports;
mod requests;
mod restore;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bitsweep_proto::v1;
use bitsweep_sweep::{SweepId, TrialId};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use v1::watch_update::Update;

use crate::artifacts::ArtifactStore;
use crate::board::Board;
use crate::clock::now_ms;
use crate::scheduler::{Scheduler, Timing, WorkerId};
use crate::service::stopping;
use crate::store::{Change, SqliteStore, StateLock, Store as _};

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
    /// From now on the worker is reached by this link.
    Link(WorkerId, u64, WorkerLink),
    /// The worker's link ends; it connects again and is told everything again.
    Unlink(WorkerId, String),
    Send(WorkerId, Box<v1::CoordinatorMessage>),
    /// An answer that has been waiting for durability.
    Answer(Box<dyn FnOnce(&Desk) + Send>),
}

/// The loop's state.
pub(crate) struct Desk {
    scheduler: Scheduler,
    timing: Timing,
    board: Board,
    store: Option<SqliteStore>,
    /// Held until nothing writes to the store any more, also after the desk is gone.
    lock: Arc<StateLock>,
    artifacts: Arc<ArtifactStore>,
    /// With the numbers of their connections.
    links: BTreeMap<WorkerId, (u64, WorkerLink)>,
    /// Number of each worker's newest connection; what still comes over an older one is not heard.
    connections: BTreeMap<WorkerId, u64>,
    watchers: broadcast::Sender<Arc<Published>>,
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
    /// Serves requests until `stop` is cancelled or the channel closes. Then every link and every watch ends,
    /// and what was answered is durable.
    ///
    /// # Errors
    /// When the store broke in a way that waiting does not cure.
    pub(crate) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        stop: CancellationToken,
    ) -> Result<(), String> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut taken_at = now_ms();
        loop {
            let deadline = self.scheduler.next_deadline();
            let wait = deadline.map_or(LIVENESS, |at| {
                Duration::from_millis(u64::try_from(at - now_ms()).unwrap_or(0)).min(LIVENESS)
            });
            // Waiting requests come first: a heartbeat in the queue must be seen before its lease is judged.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                taken = requests.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
            let now = now_ms();
            self.excuse(now - taken_at - wait.as_millis() as i64);
            taken_at = now;
            for request in batch.drain(..) {
                self.take(request, now_ms());
            }
            let commands = self.scheduler.tick(now_ms());
            self.carry_out(commands, now_ms());
            self.refresh_liveness(now_ms());
            if !self.flush(&stop).await? {
                break;
            }
        }
        for (_, link) in self.links.values() {
            // A link that is full ends without a word.
            let _ = link.outbound.try_send(Err(stopping()));
        }
        Ok(())
    }

    /// Time in which nobody could be heard, if it was more than a hiccup, ends no lease.
    fn excuse(&mut self, stood_still_ms: i64) {
        if stood_still_ms > self.timing.heartbeat_ms {
            tracing::warn!(
                "the coordinator stood still for {} s; leases are extended by as much",
                stood_still_ms / 1000
            );
            self.scheduler.stood_still(stood_still_ms);
        }
    }

    /// Makes the batch durable, then lets it be seen; `false` when it has to stop before it could.
    async fn flush(&mut self, stop: &CancellationToken) -> Result<bool, String> {
        if !self.changes.is_empty() && !self.make_durable(stop).await? {
            return Ok(false);
        }
        self.publish();
        for after in std::mem::take(&mut self.after) {
            match after {
                After::Link(worker, connection, link) => {
                    self.links.insert(worker, (connection, link));
                }
                After::Unlink(worker, why) => self.unlink(&worker, why),
                After::Send(worker, message) => self.send(&worker, *message),
                After::Answer(answer) => answer(self),
            }
        }
        Ok(true)
    }

    /// `false`: not durable, and not tried again because the coordinator is stopping.
    async fn make_durable(&mut self, stop: &CancellationToken) -> Result<bool, String> {
        let changes = Arc::new(std::mem::take(&mut self.changes));
        loop {
            let Some(mut store) = self.store.take() else { return Ok(false) };
            let batch = Arc::clone(&changes);
            let lock = Arc::clone(&self.lock);
            let applied = tokio::task::spawn_blocking(move || {
                let result = store.apply(&batch);
                drop(lock);
                (store, result)
            })
            .await;
            // A panic in the store is a bug: without it nothing can be promised any more.
            let (store, result) = applied.map_err(|error| format!("the store is lost: {error}"))?;
            self.store = Some(store);
            match result {
                Ok(()) => return Ok(true),
                Err(error) if error.is_passing() => {
                    tracing::error!("nothing is acknowledged for now: {error}");
                }
                // Trying again would fail again; what was acknowledged is safe, and workers keep the rest.
                Err(error) => return Err(error.to_string()),
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(false),
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// Hands a message to a worker's link. A link that does not keep up is closed: the worker reconnects and
    /// is told everything again.
    fn send(&mut self, worker: &WorkerId, message: v1::CoordinatorMessage) {
        if let Some((connection, link)) = self.links.get(worker)
            && link.outbound.try_send(Ok(message)).is_err()
        {
            let connection = *connection;
            self.links.remove(worker);
            self.disconnect(worker, connection, now_ms());
        }
    }

    /// Ends a link with a reason.
    fn unlink(&mut self, worker: &WorkerId, why: String) {
        if let Some((_, link)) = self.links.remove(worker) {
            // One that is full or gone ends without a word.
            let _ = link.outbound.try_send(Err(tonic::Status::aborted(why)));
        }
    }

    /// A connection is over; a newer one of the same worker stays.
    fn disconnect(&mut self, worker: &WorkerId, connection: u64, now: i64) {
        if self.connections.get(worker) == Some(&connection) {
            self.connections.remove(worker);
        }
        let commands = self.scheduler.worker_disconnected(worker, connection, now);
        self.carry_out(commands, now);
        self.changed_workers.insert(worker.as_str().to_owned());
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
        let _ = self.watchers.send(Arc::new(Published { sweep, update }));
    }
}
