//! Why a dashboard cannot be shown.

use bitsweep_proto::ConnectError;

/// Why a dashboard cannot be shown. Once it is shown, a lost link is no error: it reconnects.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// Nobody answers, or the address is none.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The coordinator has no such sweep.
    #[error(
        "the coordinator at {address} has no sweep \"{sweep}\"; `bitsweep status` lists those it has"
    )]
    NoSuchSweep {
        /// Where.
        address: String,
        /// What was asked for.
        sweep: String,
    },
    /// The coordinator refuses, and will again.
    #[error("the coordinator at {address} refuses: {message}")]
    Refused {
        /// Where.
        address: String,
        /// What it says.
        message: String,
    },
    /// The terminal cannot be used.
    #[error("the terminal cannot be used ({0}); `--headless` prints lines instead")]
    Terminal(std::io::Error),
    /// Output cannot be written.
    #[error("cannot write progress: {0}")]
    Output(std::io::Error),
}
