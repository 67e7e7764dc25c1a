//! The trial processes and transfers of a worker.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bitsweep_proto::v1;
use bitsweep_sweep::AttemptEnd;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::directory::{AttemptDirectory, WorkDirectory};
use crate::options::WorkerOptions;
use crate::session::{AttemptKey, Effect, Event};
use crate::transfer::{Depot, TransferError, download, upload};
use crate::trial::{self, Launch, Order};

/// Performs the effects that concern attempts. Dropping it kills every process and removes every file,
/// the former once the runtime gets to it.
#[derive(Debug)]
pub(super) struct RunningTrials {
    attempts: HashMap<AttemptKey, RunningTrial>,
    options: WorkerOptions,
    depot: Depot,
    events: mpsc::Sender<Event>,
    // Last: the folders go when the processes are gone.
    directory: WorkDirectory,
}

/// One attempt from its start until its folder is removed.
#[derive(Debug)]
struct RunningTrial {
    orders: watch::Sender<Order>,
    budget: Arc<Semaphore>,
    directory: AttemptDirectory,
    /// The process and the uploads; aborted when dropped.
    tasks: JoinSet<()>,
}

impl RunningTrials {
    pub(super) fn new(
        options: WorkerOptions,
        directory: WorkDirectory,
        depot: Depot,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self { attempts: HashMap::new(), options, depot, events, directory }
    }

    /// Performs one effect; those of the link are not its business.
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Start { key, slot, assignment } => self.start(key, slot, *assignment),
            Effect::Stop(key) => self.order(&key, Order::Stop),
            Effect::Kill(key) => self.order(&key, Order::Kill),
            Effect::Discard(key) => {
                self.order(&key, Order::Discard);
                if let Some(trial) = self.attempts.get_mut(&key) {
                    // Readers that wait for room give up.
                    trial.budget.close();
                }
            }
            Effect::Upload { key, sequence, path } => self.upload(key, sequence, &path),
            Effect::Release { key, cost } => {
                if let Some(trial) = self.attempts.get(&key) {
                    trial.budget.add_permits(cost as usize);
                }
            }
            Effect::CleanUp(key) => {
                if let Some(trial) = self.attempts.remove(&key) {
                    trial.directory.remove();
                }
            }
            Effect::Connect(_) | Effect::Disconnect | Effect::Welcomed => {}
        }
    }

    /// The folder this worker was given.
    pub(super) fn work_directory(&self) -> PathBuf {
        self.options.directory.clone()
    }

    /// Kills what still runs; when this returns it is dead.
    pub(super) async fn kill_all(&mut self) {
        for (_, mut trial) in self.attempts.drain() {
            trial.tasks.shutdown().await;
        }
    }

    fn order(&self, key: &AttemptKey, order: Order) {
        if let Some(trial) = self.attempts.get(key) {
            trial.orders.send_if_modified(|present| {
                let outranks = order > *present;
                *present = order.max(*present);
                outranks
            });
        }
    }

    fn start(&mut self, key: AttemptKey, slot: u32, assignment: v1::Assign) {
        let devices = &self.options.devices;
        let device = devices[slot as usize % devices.len()].name.clone();
        let directory = self.directory.attempt(&key);
        let (orders, received) = watch::channel(Order::Run);
        let budget = trial::budget();
        let preparation = Preparation {
            depot: self.depot.clone(),
            directory: directory.clone(),
            assignment,
            threads: self.options.threads.max(1),
            device,
        };
        let command = self.options.trial_command.clone();
        let (events, task_budget) = (self.events.clone(), budget.clone());
        let task_key = key.clone();
        let mut tasks = JoinSet::new();
        tracing::info!("starting {key}");
        tasks.spawn(async move {
            let launch = |request| Launch {
                key: task_key.clone(),
                command,
                request,
                budget: task_budget,
                events: events.clone(),
            };
            let event = attempt(&task_key, preparation, launch, received).await;
            let _ = events.send(event).await;
        });
        self.attempts.insert(key, RunningTrial { orders, budget, directory, tasks });
    }

    fn upload(&mut self, key: AttemptKey, sequence: u64, path: &Path) {
        let Some(trial) = self.attempts.get_mut(&key) else { return };
        while trial.tasks.try_join_next().is_some() {}
        let file = trial.directory.written(path);
        let named = path.to_owned();
        let (depot, events) = (self.depot.clone(), self.events.clone());
        trial.tasks.spawn(async move {
            let result = match file {
                Ok(file) => {
                    let result = upload(depot, &file).await;
                    if result.is_ok() {
                        // It lives at the coordinator now.
                        let _ = tokio::fs::remove_file(&file).await;
                    }
                    result
                }
                Err(error) => Err(error.into()),
            };
            let result = result.map_err(|error| format!("{}: {error}", named.display()));
            let _ = events.send(Event::Uploaded { key, sequence, result }).await;
        });
    }
}

/// The whole life of an attempt's process: the event that ends it.
async fn attempt(
    key: &AttemptKey,
    preparation: Preparation,
    launch: impl FnOnce(v1::TrialRequest) -> Launch,
    orders: watch::Receiver<Order>,
) -> Event {
    let mut asked = orders.clone();
    let prepared = tokio::select! {
        biased;
        _ = asked.wait_for(|order| *order != Order::Run) => Err(Unprepared::Ended {
            reason: AttemptEnd::Drained,
            message: "asked to stop before it had started".to_owned(),
        }),
        prepared = preparation.prepare() => prepared,
    };
    let key = key.clone();
    let request = match prepared {
        Ok(request) => request,
        Err(Unprepared::Ended { reason, message }) => {
            return Event::NotStarted { key, reason, message };
        }
        Err(Unprepared::Folder(problem)) => {
            return Event::Unusable { key, problem: problem.to_string() };
        }
    };
    match trial::run(launch(request), orders).await {
        Ok(end) => Event::Exited { key: key.clone(), end },
        Err(problem) => {
            Event::NotStarted { key: key.clone(), reason: problem.reason, message: problem.message }
        }
    }
}

/// What has to be there before the process starts.
struct Preparation {
    depot: Depot,
    directory: AttemptDirectory,
    assignment: v1::Assign,
    threads: u32,
    device: String,
}

/// Why an attempt could not be prepared.
enum Unprepared {
    Ended {
        reason: AttemptEnd,
        message: String,
    },
    /// The worker's folder cannot be written.
    Folder(std::io::Error),
}

impl Preparation {
    /// Makes the folder and fetches the checkpoints.
    async fn prepare(self) -> Result<v1::TrialRequest, Unprepared> {
        if self.assignment.spec.is_none() {
            return Err(Unprepared::Ended {
                reason: AttemptEnd::BadInput,
                message: "the assignment names no trial".to_owned(),
            });
        }
        self.directory.create().map_err(Unprepared::Folder)?;
        let parent = self.directory.parent_checkpoint();
        let resume = self.directory.resume_checkpoint();
        Ok(v1::TrialRequest {
            parent_checkpoint: self.fetch(&self.assignment.parent_checkpoint, parent).await?,
            resume_checkpoint: self.fetch(&self.assignment.resume_checkpoint, resume).await?,
            spec: self.assignment.spec,
            directory: self.directory.output().to_string_lossy().into_owned(),
            threads: self.threads,
            device: self.device,
        })
    }

    /// Fetches the checkpoint, if there is one; its file.
    async fn fetch(
        &self,
        artifact: &Option<v1::ArtifactRef>,
        path: PathBuf,
    ) -> Result<Option<String>, Unprepared> {
        let Some(artifact) = artifact else { return Ok(None) };
        match download(self.depot.clone(), artifact, &path).await {
            Ok(()) => Ok(Some(path.to_string_lossy().into_owned())),
            Err(TransferError::File(problem)) => Err(Unprepared::Folder(problem)),
            Err(error) => Err(Unprepared::Ended {
                reason: AttemptEnd::Crashed,
                message: format!("cannot fetch a checkpoint: {error}"),
            }),
        }
    }
}
