//! Reading what a trial process says.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bitsweep_proto::v1;
use bitsweep_sweep::{Level, LogLine, TrialEvent};
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Semaphore, mpsc};

use super::ending::FinalWord;
use super::frame::{self, FrameDecoder};
use super::log::LineCutter;
use crate::session::{AttemptKey, Event};

/// What one attempt may have outside the process and not yet durable, in units of [`UNIT`].
const BUDGET: u32 = (64 << 20) / UNIT;

/// Bytes a permit of the budget stands for.
const UNIT: u32 = 1 << 10;

/// Bytes asked of the pipe at a time.
const READ_BYTES: usize = 64 << 10;

/// Memory for what one attempt has said and the coordinator has not yet made durable.
///
/// When it is used up the pipe is no longer read, and the process waits: nothing is ever dropped.
pub(crate) fn budget() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(BUDGET as usize))
}

/// Where an attempt's events go.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    pub(super) key: AttemptKey,
    pub(super) budget: Arc<Semaphore>,
    pub(super) events: mpsc::Sender<Event>,
}

/// Nobody wants to hear more.
#[derive(Debug)]
pub(super) struct Closed;

impl Outlet {
    /// Hands an event of `bytes` over once the budget has room for it.
    async fn send(&self, event: TrialEvent, bytes: usize) -> Result<(), Closed> {
        // Progress replaces itself and is never kept.
        let cost = match event {
            TrialEvent::Progress(_) => 0,
            _ => u32::try_from(bytes).unwrap_or(u32::MAX).div_ceil(UNIT).clamp(1, BUDGET),
        };
        if cost > 0 {
            self.budget.acquire_many(cost).await.map_err(|_| Closed)?.forget();
        }
        let event = Event::Trial { key: self.key.clone(), event, cost };
        self.events.send(event).await.map_err(|_| Closed)
    }
}

/// What standard output came to.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) last: Option<FinalWord>,
    /// It broke the protocol: nothing after this was read.
    pub(super) broke_protocol: Option<String>,
    /// The output ended inside a message, as the protocol problem that this is if the process ended well.
    pub(super) cut_short: Option<String>,
}

/// Reads events until the pipe closes or the protocol is broken.
pub(super) async fn read_events(mut output: impl AsyncRead + Unpin, outlet: &Outlet) -> Said {
    let mut decoder = FrameDecoder::default();
    let mut said = Said::default();
    loop {
        loop {
            let (event, bytes) = match next_event(&mut decoder) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(problem) => {
                    said.broke_protocol = Some(problem);
                    return said;
                }
            };
            if said.last.is_some() {
                said.broke_protocol = Some("it went on after its last event".to_owned());
                return said;
            }
            said.last = last_word(&event);
            if outlet.send(event, bytes).await.is_err() {
                return said;
            }
        }
        decoder.buffer().reserve(READ_BYTES);
        // A read error on a pipe means that the other end is gone.
        if output.read_buf(decoder.buffer()).await.unwrap_or(0) == 0 {
            said.cut_short = (!decoder.is_empty())
                .then(|| format!("its output ends inside a message{}", decoder.text()));
            return said;
        }
    }
}

fn next_event(decoder: &mut FrameDecoder) -> Result<Option<(TrialEvent, usize)>, String> {
    let Some(bytes) = decoder.next()? else { return Ok(None) };
    let message = v1::TrialEvent::decode(bytes.clone()).map_err(|error| {
        let length = bytes.len();
        format!("a message of {length} bytes cannot be read: {error}{}", frame::text(&bytes))
    })?;
    let event = TrialEvent::try_from(message).map_err(|error| error.to_string())?;
    Ok(Some((event, bytes.len())))
}

fn last_word(event: &TrialEvent) -> Option<FinalWord> {
    match event {
        TrialEvent::Finished(_) => Some(FinalWord::Finished),
        TrialEvent::Failed(failure) => Some(FinalWord::Failed(failure.clone())),
        TrialEvent::Stopped => Some(FinalWord::Stopped),
        TrialEvent::Started(_)
        | TrialEvent::Progress(_)
        | TrialEvent::Points(_)
        | TrialEvent::Epoch(_)
        | TrialEvent::Layers(_)
        | TrialEvent::Log(_)
        | TrialEvent::Checkpoint(_) => None,
    }
}

/// Forwards log lines until the pipe closes; the last lines.
pub(super) async fn read_log(mut output: impl AsyncRead + Unpin, outlet: &Outlet) -> Vec<String> {
    let mut cutter = LineCutter::default();
    let mut buffer = vec![0; 4096];
    loop {
        let count = output.read(&mut buffer).await.unwrap_or(0);
        let lines = if count == 0 {
            cutter.cut().into_iter().collect()
        } else {
            cutter.push(&buffer[..count])
        };
        for message in lines {
            let bytes = message.len();
            let line = LogLine { level: Level::Info, message, time_ms: unix_ms() };
            if outlet.send(TrialEvent::Log(line), bytes).await.is_err() {
                return cutter.into_last();
            }
        }
        if count == 0 {
            return cutter.into_last();
        }
    }
}

fn unix_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use bitsweep_sweep::TrialId;
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn outlet(events: mpsc::Sender<Event>) -> Outlet {
        let key = AttemptKey { trial: TrialId::new("s/t"), attempt: 1 };
        Outlet { key, budget: budget(), events }
    }

    fn log(bytes: usize) -> Vec<u8> {
        let message = "x".repeat(bytes);
        let line = v1::LogLine { level: v1::Level::Info.into(), message, time_ms: 0 };
        let event = v1::trial_event::Event::Log(line);
        v1::TrialEvent { event: Some(event) }.encode_length_delimited_to_vec()
    }

    /// How many events come before everything waits for something else.
    async fn count(events: &mut mpsc::Receiver<Event>) -> usize {
        let mut count = 0;
        while tokio::time::timeout(Duration::from_secs(1), events.recv())
            .await
            .is_ok_and(|e| e.is_some())
        {
            count += 1;
        }
        count
    }

    #[tokio::test(start_paused = true)]
    async fn the_pipe_is_not_read_while_the_budget_is_used_up_and_nothing_is_lost() {
        const EVENTS: usize = 100;
        let (mut trial, pipe) = tokio::io::duplex(1 << 16);
        let (sender, mut events) = mpsc::channel(1000);
        let outlet = outlet(sender);
        let budget = outlet.budget.clone();
        let reader = tokio::spawn(async move { read_events(pipe, &outlet).await });
        tokio::spawn(async move {
            for _ in 0..EVENTS {
                trial.write_all(&log(1 << 20)).await.unwrap();
            }
        });
        let before = count(&mut events).await;
        assert_eq!(before, 63, "as many as fit the budget");
        budget.add_permits(BUDGET as usize);
        assert_eq!(before + count(&mut events).await, EVENTS);
        assert!(reader.await.unwrap().broke_protocol.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_waits_for_room_gives_up_when_nobody_wants_more() {
        let (mut trial, pipe) = tokio::io::duplex(1 << 16);
        let (sender, _events) = mpsc::channel(1000);
        let outlet = outlet(sender);
        outlet.budget.forget_permits(BUDGET as usize);
        let budget = outlet.budget.clone();
        let reader = tokio::spawn(async move { read_events(pipe, &outlet).await });
        trial.write_all(&log(10)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!reader.is_finished());
        budget.close();
        reader.await.unwrap();
    }

    async fn read(bytes: &[u8]) -> Said {
        let (sender, _events) = mpsc::channel(1000);
        read_events(bytes, &outlet(sender)).await
    }

    #[tokio::test]
    async fn garbage_is_told_from_a_message_that_was_cut_short() {
        let printed: String =
            (0..9).map(|i| format!("epoch {i}: loss 2.3, top-1 10 %\n")).collect();
        let problem = read(printed.as_bytes()).await.broke_protocol.unwrap();
        assert!(problem.contains("och 0: loss"), "{problem}");
        let cut = read(b"done\n").await;
        assert!(cut.broke_protocol.is_none());
        assert!(cut.cut_short.unwrap().contains("done"));
        let mut bytes = log(3);
        bytes.pop();
        let cut = read(&bytes).await;
        assert!(cut.cut_short.is_some() && cut.broke_protocol.is_none());
    }

    #[tokio::test]
    async fn nothing_may_follow_the_last_event() {
        let stopped = v1::trial_event::Event::Stopped(v1::Stopped {});
        let stopped = v1::TrialEvent { event: Some(stopped) }.encode_length_delimited_to_vec();
        let said = read(&stopped).await;
        assert_eq!((said.last, said.broke_protocol), (Some(FinalWord::Stopped), None));
        let said = read(&[stopped, log(1)].concat()).await;
        assert!(said.broke_protocol.unwrap().contains("last event"));
    }

    #[tokio::test]
    async fn an_event_that_means_nothing_breaks_the_protocol() {
        let batch = v1::PointBatch { metric: 1, steps: vec![1, 2], values: vec![0.5] };
        let event = v1::TrialEvent { event: Some(v1::trial_event::Event::Points(batch)) };
        let said = read(&event.encode_length_delimited_to_vec()).await;
        assert!(said.broke_protocol.unwrap().contains("2 steps for 1 values"));
    }
}
