//! One trial: schedule, step, evaluation, checkpoint and resume.
//!
//! [`run`] trains what a `TrialSpec` asks for and reports typed events. It knows no network and
//! no protocol: the process around it decodes the request and encodes the events.

mod checkpoint;
mod control;
mod error;
#[cfg(test)]
mod fixtures;
mod metrics;
mod provenance;
mod report;
mod schedule;

pub use control::Control;
pub use error::{EmitError, TrainError};
pub use metrics::Metrics;
pub use schedule::Schedule;
