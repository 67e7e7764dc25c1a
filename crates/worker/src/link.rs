//! The stream to the coordinator.

use bitsweep_proto::v1::workers_client::WorkersClient;
use bitsweep_proto::{ConnectError, MAX_MESSAGE_BYTES, connect, v1};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use v1::worker_message::Message;

use crate::session::Event;

/// Messages on their way to the transport: few, so that reports wait where they are counted.
const OUTGOING: usize = 4;

/// An event of one stream. Streams are numbered, since a dead one may still have events queued.
#[derive(Debug)]
pub(crate) struct LinkEvent {
    pub(crate) stream: u64,
    pub(crate) event: Event,
}

/// One stream; dropping it closes it at once.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: u64,
    /// Closing this ends the worker's half: the coordinator reads what was sent, then closes its own.
    pub(crate) outgoing: Option<mpsc::Sender<v1::WorkerMessage>>,
    exchange: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.exchange.abort();
    }
}

impl Link {
    /// Opens stream number `stream` to `address`. Says `Connected`, then `Received`, last `Lost` or
    /// `Refused`.
    pub(crate) fn open(
        stream: u64,
        address: String,
        hello: v1::Hello,
        events: mpsc::Sender<LinkEvent>,
    ) -> Self {
        let (outgoing, messages) = mpsc::channel(OUTGOING);
        let hello = v1::WorkerMessage { message: Some(Message::Hello(hello)) };
        // A fresh channel has room; the first message must be there before the stream opens.
        let _ = outgoing.try_send(hello);
        let exchange = tokio::spawn(async move {
            let send = |event| events.send(LinkEvent { stream, event });
            let end = match converse(&address, messages, send).await {
                Ok(()) => Event::Lost { reason: "the coordinator closed the stream".to_owned() },
                Err(event) => event,
            };
            let _ = send(end).await;
        });
        Self { stream, outgoing: Some(outgoing), exchange: exchange.abort_handle() }
    }
}

async fn converse<S, F>(
    address: &str,
    messages: mpsc::Receiver<v1::WorkerMessage>,
    send: S,
) -> Result<(), Event>
where
    S: Fn(Event) -> F,
    F: Future<Output = Result<(), mpsc::error::SendError<LinkEvent>>>,
{
    let channel = connect(address).await.map_err(unconnected)?;
    let mut client = WorkersClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let mut stream =
        client.link(ReceiverStream::new(messages)).await.map_err(|s| ended(&s))?.into_inner();
    if send(Event::Connected).await.is_err() {
        return Ok(());
    }
    while let Some(message) = stream.message().await.map_err(|status| ended(&status))? {
        if send(Event::Received(Box::new(message))).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn unconnected(error: ConnectError) -> Event {
    let reason = match error {
        ConnectError::Unreachable { reason, .. } => reason,
        ConnectError::Address { .. } => error.to_string(),
    };
    Event::Lost { reason }
}

/// Whether a failed stream is worth another try.
fn ended(status: &Status) -> Event {
    match status.code() {
        // The same again would be answered the same.
        Code::FailedPrecondition
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::InvalidArgument => Event::Refused { message: status.message().to_owned() },
        Code::Unimplemented => Event::Refused {
            message: "what answers there is not a bitsweep coordinator, or another version of one"
                .to_owned(),
        },
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => {
            let reason = match status.message() {
                "" => status.code().description(),
                // The transport's inner life is of no use to anybody.
                message if message.starts_with("h2 protocol error") => "the connection broke",
                message => message,
            };
            Event::Lost { reason: reason.to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_final_and_failures_are_not() {
        for code in [Code::FailedPrecondition, Code::PermissionDenied, Code::Unauthenticated] {
            let event = ended(&Status::new(code, "protocol 1, protocol 2"));
            assert!(
                matches!(&event, Event::Refused { message } if message == "protocol 1, protocol 2"),
                "{event:?}"
            );
        }
        for code in [Code::Unavailable, Code::Internal, Code::Unknown, Code::Cancelled] {
            assert!(
                matches!(ended(&Status::new(code, "")), Event::Lost { reason } if !reason.is_empty())
            );
        }
    }
}
