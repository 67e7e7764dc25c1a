//! One trial: schedule, step, evaluation, checkpoint and resume.
//!
//! [`run`] trains what a `TrialSpec` asks for and reports typed events. It knows no network and
//! no protocol: the process around it decodes the request and encodes the events.

mod calibration;
mod checkpoint;
mod control;
mod device;
mod error;
mod evaluation;
mod events;
#[cfg(test)]
mod fixtures;
mod images;
mod layers;
mod metrics;
mod network;
mod optimizer;
mod provenance;
mod report;
mod request;
mod schedule;
mod start;
mod step;
mod trial;

pub use control::Control;
pub use error::{EmitError, TrainError};
pub use metrics::Metrics;
pub use request::{Outcome, TrialRequest};
pub use schedule::Schedule;
pub use trial::run;
