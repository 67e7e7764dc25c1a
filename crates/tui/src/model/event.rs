//! What comes into the model and what it asks for.

use bitsweep_proto::v1;
use crossterm::event::KeyEvent;

/// How it stands with the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Not connected yet.
    Connecting,
    /// Updates come as they happen.
    Connected,
    /// The coordinator answers and has no sweep.
    NoSweep,
    /// Tried again by itself.
    Down {
        /// One line: why.
        reason: String,
    },
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// From the coordinator or from a recording.
    Update(Box<v1::WatchUpdate>),
    /// The link changed.
    Link(Link),
    /// The answer to [`Effect::FetchSeries`].
    Series {
        /// Whose.
        trial_id: String,
        /// The points, or one line on what went wrong.
        series: Result<Vec<v1::PointBatch>, String>,
    },
    /// The answer to [`Effect::FetchLayers`].
    Layers {
        /// Whose.
        trial_id: String,
        /// A report an epoch, or one line on what went wrong.
        layers: Result<Vec<v1::LayerReport>, String>,
    },
    /// The answer to any other effect: one line either way.
    CommandDone(Result<String, String>),
    /// A key was pressed.
    Key(KeyEvent),
    /// The terminal has another size.
    Resize,
    /// Time passed.
    Tick,
}

/// A command to the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Cancel the sweep.
    Cancel,
    /// Resume what was cancelled, retry what failed.
    Resume,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask for the points of a trial.
    FetchSeries {
        /// Whose.
        trial_id: String,
    },
    /// Ask for the layers of a trial.
    FetchLayers {
        /// Whose.
        trial_id: String,
    },
    /// Put text on the clipboard.
    Copy {
        /// The text.
        text: String,
    },
    /// Write a file that is not there yet.
    Write {
        /// Its name, without a folder.
        name: String,
        /// What it holds.
        content: String,
    },
    /// Write a picture of the screen to a file that is not there yet.
    Picture {
        /// Its name, without a folder.
        name: String,
    },
    /// Send a command.
    Send {
        /// Which.
        command: Command,
        /// Id of the sweep.
        sweep: String,
    },
    /// Leave the dashboard.
    Exit(Exit),
}

/// How the dashboard was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Closed; the sweep is none of its business.
    Left,
    /// The user wants the sweep stopped.
    StopRequested,
    /// The user wants the sweep to go on without a dashboard.
    KeepRunning,
}

/// What leaving asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveQuestion {
    /// Nothing: the sweep goes on elsewhere.
    Plain,
    /// Whether to stop the sweep that lives in this process, while it is active.
    AskStop,
}
