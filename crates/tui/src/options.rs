//! What is shown, and how.

use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use crate::appearance::Appearance;
use crate::model::LeaveQuestion;

/// What is shown, and how.
#[derive(Clone, Debug)]
pub struct DashboardOptions {
    /// Coordinator, `host:port` or `http://host:port`.
    pub address: String,
    /// Id, prefix of an id or name; `None`: the newest sweep.
    pub sweep: Option<String>,
    /// What leaving asks. Plain lines ask nothing.
    pub leave: LeaveQuestion,
    /// What the terminal can show.
    pub appearance: Appearance,
    /// Closes the dashboard from outside.
    pub shutdown: CancellationToken,
}

impl DashboardOptions {
    /// The newest sweep of the coordinator at `address`, shown as the environment allows, with
    /// times in the local zone.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            sweep: None,
            leave: LeaveQuestion::Plain,
            appearance: Appearance::from_environment(
                |name| std::env::var(name).ok(),
                TimeZone::system(),
            ),
            shutdown: CancellationToken::new(),
        }
    }
}
