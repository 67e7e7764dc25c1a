//! The terminal dashboard, and its plain-text twin for pipes and logs.
//!
//! `model` folds updates, keys and ticks (pure), `view_model` says what is to be seen as plain
//! values (pure), `view` and `screens` draw it, and thin loops do the rest: `link` talks to the
//! coordinator, `terminal` to the terminal, [`dashboard`] and [`follow_plain`] to both.

#[cfg(test)]
extern crate self as bitsweep_tui;

mod appearance;
mod clock;
mod dashboard;
mod error;
mod files;
#[cfg(test)]
#[path = "../tests/fixture/mod.rs"]
mod fixture;
mod keys;
mod link;
mod memory;
mod model;
mod options;
mod picture;
mod plain;
mod recording;
mod replay;
mod screens;
mod screenshot;
mod terminal;
mod theme;
mod view;
mod view_model;

pub use appearance::{Appearance, ColourDepth};
pub use dashboard::dashboard;
pub use error::TuiError;
pub use model::{Command, Effect, Event, Exit, LeaveQuestion, Link, Model, Preferences};
pub use options::DashboardOptions;
pub use picture::picture;
pub use plain::{PlainPrinter, Summary, follow_plain};
pub use recording::{Recording, RecordingError};
pub use replay::replay;
pub use screenshot::screenshot;
pub use theme::{Theme, ThemeError};
pub use view::draw;
