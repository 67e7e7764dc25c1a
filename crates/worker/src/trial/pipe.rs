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
    /// The output ended inside a message.
    pub(super) cut_short: bool,
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
            said.cut_short = !decoder.is_empty();
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
        let lines =
            if count == 0 { cutter.cut().into_iter().collect() } else { cutter.push(&buffer[..count]) };
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
