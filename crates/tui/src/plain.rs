//! A sweep as lines of text, for pipes, logs and machines without a terminal.

mod follow;
mod news;
mod printer;
mod table;

pub use follow::follow_plain;
pub use printer::{PlainPrinter, Summary};
