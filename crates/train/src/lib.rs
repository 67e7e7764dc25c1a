//! One trial: schedule, step, evaluation, checkpoint and resume.
//!
//! [`run`] trains what a `TrialSpec` asks for and reports typed events. It knows no network and
//! no protocol: the process around it decodes the request and encodes the events.

mod calibration;
mod check;
mod checkpoint;
mod clipping;
mod control;
mod device;
mod engine;
mod error;
pub mod eval;
mod evaluation;
mod events;
pub mod export;
#[cfg(test)]
mod fixtures;
mod images;
pub mod import;
mod layers;
mod loss;
pub mod measurement;
mod metrics;
mod network;
mod optimizer;
mod origin;
mod projection;
mod provenance;
mod report;
mod request;
mod run;
mod schedule;
mod source;
mod start;
mod step;
mod teacher;
mod trial;

pub use bitsweep_qil::{AvailableDevice, DeviceError, DeviceName, available_devices, without_gpu};
pub use control::Control;
pub use error::{EmitError, TrainError};
pub use metrics::Metrics;
pub use request::{Outcome, TrialRequest};
pub use run::run;
pub use schedule::Schedule;
