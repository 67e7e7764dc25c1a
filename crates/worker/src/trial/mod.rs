//! One trial process: started, listened to, stopped, and its end told apart.

mod ending;
mod environment;
mod frame;
mod log;
mod pipe;
mod process;

pub(crate) use ending::{Asked, FinalWord, ProcessEnd, Status, classify};
pub(crate) use frame::MAX_EVENT_BYTES;
pub(crate) use process::{Launch, Order, budget, run};
