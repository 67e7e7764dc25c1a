//! The coordinator: holds sweeps, hands their trials to workers, keeps what they report.
//!
//! [`scheduler`] decides, `store` and `artifacts` keep, `desk` is the loop between them, `service` are the
//! gRPC services, and `board` is what watchers see.

pub mod scheduler;

mod artifacts;
mod board;
mod clock;
mod convert;
mod desk;
mod server;
mod service;
mod store;

pub use artifacts::ArtifactError;
pub use server::{Coordinator, CoordinatorError, CoordinatorOptions, RunningCoordinator};
pub use store::StoreError;
