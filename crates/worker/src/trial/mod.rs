//! One trial process: started, listened to, stopped, and its end told apart.

mod ending;
mod environment;
mod frame;
mod log;
mod pipe;
mod process;

pub(crate) use ending::{Asked, ProcessEnd, classify};
#[cfg(test)]
pub(crate) use ending::{FinalWord, Status};
pub(crate) use process::{Launch, Order, budget, run};
