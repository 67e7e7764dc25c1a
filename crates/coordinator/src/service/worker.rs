//! The link of a worker.

use bitsweep_proto::v1;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request as Call, Response, Status, Streaming};
use v1::worker_message::Message as Up;

use super::DeskHandle;
use crate::desk::{Request, WorkerLink};
use crate::scheduler::WorkerId;

/// Messages on their way to a worker; one that falls further behind has its link closed.
const OUTBOUND: usize = 4096;

/// Longest name of a worker.
const LONGEST_NAME: usize = 200;

pub(crate) struct WorkerService {
    desk: DeskHandle,
}

impl WorkerService {
    pub(crate) fn new(desk: DeskHandle) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl v1::workers_server::Workers for WorkerService {
    type LinkStream = ReceiverStream<Result<v1::CoordinatorMessage, Status>>;

    async fn link(
        &self,
        call: Call<Streaming<v1::WorkerMessage>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        let mut inbound = call.into_inner();
        let first = inbound.message().await?.and_then(|message| message.message);
        let Some(Up::Hello(hello)) = first else {
            return Err(Status::invalid_argument("the first message of a worker is Hello"));
        };
        let named = |text: &str| !text.is_empty() && text.len() <= LONGEST_NAME;
        if !named(&hello.worker_id) || !named(&hello.name) {
            return Err(Status::invalid_argument(format!(
                "a worker has an id and a name of 1 to {LONGEST_NAME} bytes"
            )));
        }
        let worker = WorkerId::new(&hello.worker_id);
        let (outbound, messages) = mpsc::channel(OUTBOUND);
        let link = WorkerLink { outbound };
        let connection = self.desk.ask(|answer| Request::Hello { hello, link, answer }).await?;
        let desk = self.desk.clone();
        tokio::spawn(async move {
            loop {
                let received = tokio::select! {
                    received = inbound.message() => received,
                    () = desk.closed() => return,
                };
                let Ok(Some(message)) = received else { break };
                let Some(message) = message.message else { continue };
                // Only reports are large, and only they can wait: a heartbeat must not.
                let room = match &message {
                    Up::Reports(reports) => match desk.room(reports.encoded_len()).await {
                        Ok(room) => Some(room),
                        Err(_) => return,
                    },
                    _ => None,
                };
                let worker = worker.clone();
                let request = Request::Message { worker, connection, message, room };
                if desk.send(request).await.is_err() {
                    return;
                }
            }
            // The desk may have gone first.
            let _ = desk.send(Request::Gone { worker, connection }).await;
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}
