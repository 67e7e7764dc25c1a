//! A worker that does what a test tells it.

use bitsweep_proto::{connect, v1};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use v1::coordinator_message::Message as Down;
use v1::report::Content;
use v1::trial_event::Event;
use v1::worker_message::Message as Up;
use v1::workers_client::WorkersClient;

use super::PATIENCE;

pub struct Worker {
    up: mpsc::Sender<v1::WorkerMessage>,
    down: tonic::Streaming<v1::CoordinatorMessage>,
    pub welcome: v1::Welcome,
}

impl Worker {
    /// Opens a link; `attempts` are those it comes back with.
    pub async fn link(address: &str, id: &str, slots: u32, attempts: &[v1::AttemptRef]) -> Self {
        let hello = v1::Hello {
            worker_id: id.to_owned(),
            name: format!("name of {id}"),
            program_version: "0".to_owned(),
            slots,
            threads: 1,
            devices: Vec::new(),
            attempts: attempts.to_vec(),
        };
        let (up, messages) = mpsc::channel(64);
        up.send(v1::WorkerMessage { message: Some(Up::Hello(hello)) }).await.unwrap();
        let mut client = WorkersClient::new(connect(address).await.unwrap());
        let down = client.link(ReceiverStream::new(messages)).await.unwrap().into_inner();
        let mut worker = Self { up, down, welcome: v1::Welcome::default() };
        match worker.next().await {
            Down::Welcome(welcome) => worker.welcome = welcome,
            other => panic!("the first message is Welcome, not {other:?}"),
        }
        worker
    }

    pub async fn send(&self, message: Up) {
        self.up.send(v1::WorkerMessage { message: Some(message) }).await.unwrap();
    }

    /// The next message; panics when the link ends.
    pub async fn next(&mut self) -> Down {
        let message = tokio::time::timeout(PATIENCE, self.down.message()).await;
        message.expect("a message in time").unwrap().expect("an open link").message.unwrap()
    }

    /// Reads until the link ends; how it ended.
    pub async fn end(&mut self) -> Result<(), tonic::Status> {
        let read = async {
            while self.down.message().await?.is_some() {}
            Ok(())
        };
        tokio::time::timeout(PATIENCE, read).await.expect("an end in time")
    }

    /// The next order to run something.
    pub async fn assigned(&mut self) -> v1::Assign {
        loop {
            if let Down::Assign(assign) = self.next().await {
                return assign;
            }
        }
    }

    /// The next order to stop something.
    pub async fn cancelled(&mut self) -> v1::AttemptRef {
        loop {
            if let Down::Cancel(cancel) = self.next().await {
                return cancel.attempt.unwrap();
            }
        }
    }

    /// Waits until everything up to `sequence` is acknowledged; gives what was.
    pub async fn acknowledged(&mut self, sequence: u64) -> u64 {
        loop {
            if let Down::Acknowledge(ack) = self.next().await
                && ack.sequence >= sequence
            {
                return ack.sequence;
            }
        }
    }

    pub async fn heartbeat(&self, running: &[v1::AttemptRef]) {
        let heartbeat = v1::Heartbeat { time_ms: 0, running: running.to_vec(), telemetry: None };
        self.send(Up::Heartbeat(heartbeat)).await;
    }

    /// Sends one report.
    pub async fn report(&self, attempt: &v1::AttemptRef, sequence: u64, event: Event) {
        self.reports(attempt, sequence, vec![event]).await;
    }

    /// Sends reports numbered from `first`.
    pub async fn reports(&self, attempt: &v1::AttemptRef, first: u64, events: Vec<Event>) {
        let reports = events.into_iter().zip(first..);
        let reports = reports.map(|(event, sequence)| event_report(attempt, sequence, event));
        self.send(Up::Reports(v1::Reports { reports: reports.collect() })).await;
    }

    /// Sends reports numbered from `first`, and the end of the attempt, in one message.
    pub async fn reports_and_end(
        &self,
        attempt: &v1::AttemptRef,
        first: u64,
        events: Vec<Event>,
        reason: v1::AttemptEnd,
    ) {
        let last = first + events.len() as u64;
        let reports = events.into_iter().zip(first..);
        let mut reports: Vec<_> =
            reports.map(|(event, sequence)| event_report(attempt, sequence, event)).collect();
        reports.push(end_report(attempt, last, reason));
        self.send(Up::Reports(v1::Reports { reports })).await;
    }

    pub async fn ended(&self, attempt: &v1::AttemptRef, sequence: u64, reason: v1::AttemptEnd) {
        let reports = vec![end_report(attempt, sequence, reason)];
        self.send(Up::Reports(v1::Reports { reports })).await;
    }
}

pub fn event_report(attempt: &v1::AttemptRef, sequence: u64, event: Event) -> v1::Report {
    v1::Report {
        attempt: Some(attempt.clone()),
        sequence,
        time_ms: 0,
        content: Some(Content::Event(v1::TrialEvent { event: Some(event) })),
    }
}

pub fn end_report(attempt: &v1::AttemptRef, sequence: u64, reason: v1::AttemptEnd) -> v1::Report {
    let ended = v1::Ended { reason: reason.into(), message: "as told".to_owned() };
    v1::Report {
        attempt: Some(attempt.clone()),
        sequence,
        time_ms: 0,
        content: Some(Content::Ended(ended)),
    }
}

pub fn started(from_step: u64) -> Event {
    let provenance = v1::Provenance { device: "none".to_owned(), ..Default::default() };
    Event::Started(v1::Started {
        provenance: Some(provenance),
        parameters: 7,
        steps_per_epoch: 10,
        total_steps: 20,
        from_step,
    })
}

/// A loss for every step, the same for the same `offset`.
pub fn losses(steps: std::ops::RangeInclusive<u64>, offset: f64) -> Event {
    Event::Points(v1::PointBatch {
        metric: v1::Metric::StepLoss.into(),
        values: steps.clone().map(|step| offset + step as f64).collect(),
        steps: steps.collect(),
    })
}

pub fn epoch(epoch: u32, step: u64) -> Event {
    Event::Epoch(v1::EpochSummary {
        epoch,
        step,
        top1: 50.0 + f64::from(epoch),
        ..Default::default()
    })
}

pub fn checkpoint(step: u64, is_final: bool, artifact: &v1::ArtifactRef) -> Event {
    Event::Checkpoint(v1::CheckpointSaved {
        epoch: 1,
        step,
        r#final: is_final,
        path: None,
        artifact: Some(artifact.clone()),
    })
}

pub fn result() -> Event {
    Event::Finished(v1::FinalResult { top1: 90.0, epochs: 2, steps: 20, ..Default::default() })
}
