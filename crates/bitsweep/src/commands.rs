//! One file a command.

pub(crate) mod check;
pub(crate) mod coordinator;
pub(crate) mod data;
pub(crate) mod devices;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod export_weights;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod trial;
pub(crate) mod tui;
pub(crate) mod worker;
