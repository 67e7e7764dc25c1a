//! What clients ask.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bitsweep_proto::v1;
use bitsweep_sweep::{FileError, Metric, Plan, PointBatch, SweepFile, TrialId};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request as Call, Response, Status};
use v1::watch_update::Update;

use super::{DeskHandle, stopping};
use crate::desk::Request;
use crate::store::{SeriesStore, SqliteStore, StoreError, downsample};

/// Updates on their way to a watcher before it counts as slow.
const OUTBOUND: usize = 256;

pub(crate) struct SweepService {
    desk: DeskHandle,
    series: Arc<Mutex<SqliteStore>>,
}

impl SweepService {
    pub(crate) fn new(desk: DeskHandle, series: SqliteStore) -> Self {
        Self { desk, series: Arc::new(Mutex::new(series)) }
    }

    /// Reads from the store on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&SqliteStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Status> {
        let series = Arc::clone(&self.series);
        let result = tokio::task::spawn_blocking(move || {
            let store = series.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            read(&store)
        })
        .await
        .map_err(|error| Status::internal(error.to_string()))?;
        result.map_err(|error| Status::internal(error.to_string()))
    }
}

/// A sweep file as the coordinator understands it.
fn plan(request: &v1::SubmitRequest) -> Result<Plan, FileError> {
    let file = SweepFile::parse(&request.file, &request.file_name)?;
    let base = Some(request.base_directory.as_str()).filter(|b| !b.is_empty()).map(Path::new);
    Plan::new(&file, base)
}

#[tonic::async_trait]
impl v1::sweeps_server::Sweeps for SweepService {
    async fn submit(
        &self,
        call: Call<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let request = call.into_inner();
        let plan = plan(&request).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let key = request.key.clone().unwrap_or_else(|| plan.key());
        if key.is_empty() || key.len() > 128 || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Status::invalid_argument("a key has 1 to 128 letters and digits"));
        }
        let plan = Box::new(plan);
        let response =
            self.desk.ask(|answer| Request::Submit { request, plan, key, answer }).await?;
        Ok(Response::new(response))
    }

    async fn list(&self, _: Call<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        self.desk.ask(|answer| Request::List { answer }).await.map(Response::new)
    }

    async fn get(&self, call: Call<v1::GetRequest>) -> Result<Response<v1::SweepSnapshot>, Status> {
        let sweep = call.into_inner().sweep;
        self.desk.ask(|answer| Request::Get { sweep, answer }).await.map(Response::new)
    }

    async fn cancel(
        &self,
        call: Call<v1::CancelRequest>,
    ) -> Result<Response<v1::CancelResponse>, Status> {
        let sweep = call.into_inner().sweep;
        self.desk.ask(|answer| Request::Cancel { sweep, answer }).await.map(Response::new)
    }

    async fn resume(
        &self,
        call: Call<v1::ResumeRequest>,
    ) -> Result<Response<v1::ResumeResponse>, Status> {
        let sweep = call.into_inner().sweep;
        self.desk.ask(|answer| Request::Resume { sweep, answer }).await.map(Response::new)
    }

    async fn read_series(
        &self,
        call: Call<v1::SeriesRequest>,
    ) -> Result<Response<v1::SeriesResponse>, Status> {
        let request = call.into_inner();
        let metrics = request
            .metrics()
            .map(|metric| Metric::try_from(metric).map_err(Status::from))
            .collect::<Result<Vec<Metric>, Status>>()?;
        let trial = TrialId::new(request.trial_id);
        let max = request.max_points as usize;
        let series = self.read(move |store| store.series(&trial, &metrics)).await?;
        let series = series.into_iter().map(|batch| {
            let (steps, values) = downsample(&batch.steps, &batch.values, max);
            PointBatch { metric: batch.metric, steps, values }.into()
        });
        Ok(Response::new(v1::SeriesResponse { series: series.collect() }))
    }

    async fn read_layers(
        &self,
        call: Call<v1::LayersRequest>,
    ) -> Result<Response<v1::LayersResponse>, Status> {
        let trial = TrialId::new(call.into_inner().trial_id);
        let layers = self.read(move |store| store.layers(&trial)).await?;
        let reports = layers.into_iter().map(Into::into).collect();
        Ok(Response::new(v1::LayersResponse { reports }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchUpdate, Status>> + Send>>;

    async fn watch(
        &self,
        call: Call<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let sweep = call.into_inner().sweep;
        let (snapshot, changes) = self.desk.ask(|answer| Request::Watch { sweep, answer }).await?;
        let (sender, outbound) = mpsc::channel(OUTBOUND);
        tokio::spawn(follow(self.desk.clone(), snapshot, changes, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(outbound))))
    }
}

type Changes = tokio::sync::broadcast::Receiver<Arc<crate::desk::Published>>;

/// Sends a snapshot and what changes after it. A watcher that falls behind gets a new snapshot instead of
/// what it missed; nobody waits for it.
async fn follow(
    desk: DeskHandle,
    mut snapshot: v1::SweepSnapshot,
    mut changes: Changes,
    sender: mpsc::Sender<Result<v1::WatchUpdate, Status>>,
) {
    let id = snapshot.summary.as_ref().map(|s| s.sweep_id.clone()).unwrap_or_default();
    loop {
        let cursor = snapshot.cursor;
        let update = v1::WatchUpdate { cursor, update: Some(Update::Snapshot(snapshot)) };
        if sender.send(Ok(update)).await.is_err() {
            return;
        }
        loop {
            let change = tokio::select! {
                () = sender.closed() => return,
                change = changes.recv() => change,
            };
            match change {
                Ok(change) => {
                    let concerns = change.sweep.as_ref().is_none_or(|sweep| sweep.as_str() == id);
                    if concerns && sender.send(Ok(change.update.clone())).await.is_err() {
                        return;
                    }
                }
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => {
                    // Whoever does not read finds out by the end of the stream.
                    let _ = sender.try_send(Err(stopping()));
                    return;
                }
            }
        }
        let sweep = id.clone();
        match desk.ask(|answer| Request::Watch { sweep, answer }).await {
            Ok(again) => (snapshot, changes) = again,
            Err(status) => {
                let _ = sender.send(Err(status)).await;
                return;
            }
        }
    }
}
