//! The gRPC services: thin, the desk does the work.

mod artifact;
mod sweep;
mod worker;

pub(crate) use artifact::ArtifactService;
pub(crate) use sweep::SweepService;
pub(crate) use worker::WorkerService;

use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use crate::desk::Request;

/// The way to the desk.
#[derive(Clone, Debug)]
pub(crate) struct DeskHandle {
    requests: mpsc::Sender<Request>,
}

impl DeskHandle {
    pub(crate) fn new(requests: mpsc::Sender<Request>) -> Self {
        Self { requests }
    }

    /// Hands a request over; waits while the desk has too many.
    pub(crate) async fn send(&self, request: Request) -> Result<(), Status> {
        self.requests.send(request).await.map_err(|_| stopping())
    }

    /// Waits until there is no desk any more.
    pub(crate) async fn closed(&self) {
        self.requests.closed().await;
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Status>>) -> Request,
    ) -> Result<T, Status> {
        let (answer, answered) = oneshot::channel();
        self.send(request(answer)).await?;
        answered.await.map_err(|_| stopping())?
    }
}

/// What callers hear when the coordinator stops: try again later.
pub(crate) fn stopping() -> Status {
    Status::unavailable("the coordinator is stopping")
}
