//! What a running trial says, on its way out.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bitsweep_sweep::{Level, LogLine, Phase, TrialEvent};

use crate::error::{EmitError, TrainError};
use crate::report::{Reporter, StepRecord};

/// Where events go.
pub(crate) type Emit<'a> = dyn FnMut(TrialEvent) -> Result<(), EmitError> + 'a;

/// Reads the clock for the [`Reporter`] and sends what it decides.
pub(crate) struct Events<'a, 'b> {
    emit: &'a mut Emit<'b>,
    reporter: Reporter,
    started: Instant,
}

impl<'a, 'b> Events<'a, 'b> {
    pub(crate) fn new(emit: &'a mut Emit<'b>, reporter: Reporter) -> Self {
        Self { emit, reporter, started: Instant::now() }
    }

    /// Sends one event as it is, after all pending points.
    pub(crate) fn send(&mut self, event: TrialEvent) -> Result<(), TrainError> {
        let pending = self.reporter.flush();
        self.all(pending)?;
        Ok((self.emit)(event)?)
    }

    /// Sends a line for the log.
    pub(crate) fn log(&mut self, level: Level, message: String) -> Result<(), TrainError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let time_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        self.send(TrialEvent::Log(LogLine { level, message, time_ms }))
    }

    /// Something else is being done from now on.
    pub(crate) fn enter(&mut self, phase: Phase, epoch: u32) -> Result<(), TrainError> {
        let events = self.reporter.enter(phase, epoch, self.started.elapsed());
        self.all(events)
    }

    /// A step is done.
    pub(crate) fn step(&mut self, record: StepRecord) -> Result<(), TrainError> {
        let events = self.reporter.step(record, self.started.elapsed());
        self.all(events)
    }

    /// Time has passed within the phase.
    pub(crate) fn tick(&mut self) -> Result<(), TrainError> {
        let event = self.reporter.tick(self.started.elapsed());
        self.all(event)
    }

    fn all(&mut self, events: impl IntoIterator<Item = TrialEvent>) -> Result<(), TrainError> {
        for event in events {
            (self.emit)(event)?;
        }
        Ok(())
    }
}
