//! The gRPC services: thin, the desk does the work.

mod artifact;
mod sweep;
mod worker;

pub(crate) use artifact::ArtifactService;
pub(crate) use sweep::SweepService;
pub(crate) use worker::WorkerService;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tonic::Status;

use crate::desk::Request;

/// Reports that wait for the desk take so many KiB at most; beyond that workers wait.
const WAITING_KIB: u32 = 128 << 10;

/// The way to the desk.
#[derive(Clone, Debug)]
pub(crate) struct DeskHandle {
    requests: mpsc::Sender<Request>,
    /// In KiB.
    room: Arc<Semaphore>,
}

impl DeskHandle {
    pub(crate) fn new(requests: mpsc::Sender<Request>) -> Self {
        Self { requests, room: Arc::new(Semaphore::new(WAITING_KIB as usize)) }
    }

    /// Hands a request over; waits while the desk has too many.
    pub(crate) async fn send(&self, request: Request) -> Result<(), Status> {
        self.requests.send(request).await.map_err(|_| stopping())
    }

    /// Waits until so many bytes may wait for the desk, until the permit is dropped. One message always may,
    /// whatever its size.
    pub(crate) async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Status> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(WAITING_KIB);
        tokio::select! {
            permit = Arc::clone(&self.room).acquire_many_owned(kib) => {
                permit.map_err(|_| stopping())
            }
            () = self.closed() => Err(stopping()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reports_wait_while_others_fill_the_memory_and_not_after_the_desk_is_gone() {
        let (requests, inbox) = mpsc::channel(1);
        let handle = DeskHandle::new(requests);
        let whole = handle.room(usize::MAX).await.expect("any message alone has room");
        let other = handle.clone();
        let waiting = tokio::spawn(async move { other.room(1).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(whole);
        let small = waiting.await.expect("no panic").expect("there is room now");
        let other = handle.clone();
        let waiting = tokio::spawn(async move { other.room(usize::MAX).await });
        tokio::task::yield_now().await;
        drop(inbox);
        let refusal = waiting.await.expect("no panic").expect_err("the desk is gone");
        assert_eq!(refusal.code(), tonic::Code::Unavailable);
        drop(small);
    }
}
