//! When to connect, when to give a stream up, when to give up altogether.

use std::time::Duration;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{RngCore, SeedableRng};

use super::backoff::delay;

/// How long a coordinator may take to answer a Hello. One that restores a large state is slow, one
/// that hangs must not hold the worker for ever.
const WELCOME_WITHIN: Duration = Duration::from_secs(60);

/// A stream that lived so long was a success: the next failure is the first.
const PROVEN_AFTER: Duration = Duration::from_secs(5);

/// Tries before an unreachable coordinator is called unreachable, however long they took.
const LEAST_TRIES: u32 = 3;

/// The worker's side of its one stream.
#[derive(Debug)]
pub(super) struct Connection {
    state: State,
    /// In a row.
    failures: u32,
    patience: Duration,
    welcomed_ever: bool,
    jitter: Pcg32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// The next try is due then.
    Waiting {
        until: Duration,
    },
    Connecting,
    /// The Hello is out.
    Greeting {
        since: Duration,
    },
    Open {
        since: Duration,
    },
}

/// The coordinator was never there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreachable {
    pub(super) seconds: u64,
    pub(super) tries: u32,
}

impl Connection {
    pub(super) fn new(patience: Duration, seed: u64) -> Self {
        Self {
            state: State::Waiting { until: Duration::ZERO },
            failures: 0,
            patience,
            welcomed_ever: false,
            jitter: Pcg32::seed_from_u64(seed),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether to try now; from then on it is being tried.
    pub(super) fn try_now(&mut self, now: Duration) -> bool {
        let due = matches!(self.state, State::Waiting { until } if until <= now);
        if due {
            self.state = State::Connecting;
        }
        due
    }

    pub(super) fn connected(&mut self, now: Duration) {
        self.state = State::Greeting { since: now };
    }

    pub(super) fn welcomed(&mut self, now: Duration) {
        self.state = State::Open { since: now };
        self.welcomed_ever = true;
    }

    /// Whether the coordinator has let the Hello wait too long.
    pub(super) fn is_unanswered(&self, now: Duration) -> bool {
        matches!(self.state, State::Greeting { since } if now >= since + WELCOME_WITHIN)
    }

    /// The stream is gone. `Err` when there is no point in another try.
    pub(super) fn lost(&mut self, now: Duration) -> Result<(), Unreachable> {
        if matches!(self.state, State::Open { since } if now >= since + PROVEN_AFTER) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        if !self.welcomed_ever && self.failures >= LEAST_TRIES && now >= self.patience {
            return Err(Unreachable { seconds: now.as_secs(), tries: self.failures });
        }
        let jitter = f64::from(self.jitter.next_u32()) / (f64::from(u32::MAX) + 1.0);
        self.state = State::Waiting { until: now + delay(self.failures, jitter) };
        Ok(())
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Greeting { since } => Some(since + WELCOME_WITHIN),
            State::Connecting | State::Open { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The wait before the next try.
    fn wait(connection: &Connection, now: Duration) -> Duration {
        connection.deadline().expect("waiting") - now
    }

    #[test]
    fn a_coordinator_that_was_never_there_is_given_up_after_time_and_tries() {
        let mut connection = Connection::new(PATIENCE, 1);
        assert!(connection.lost(seconds(60)).is_ok(), "one try is not enough");
        assert!(connection.lost(seconds(61)).is_ok());
        let gone = Unreachable { seconds: 62, tries: 3 };
        assert_eq!(connection.lost(seconds(62)), Err(gone));

        let mut connection = Connection::new(PATIENCE, 1);
        for _ in 0..50 {
            assert!(connection.lost(seconds(9)).is_ok(), "too early");
        }
    }

    #[test]
    fn a_coordinator_that_goes_away_is_waited_for_without_limit() {
        let mut connection = Connection::new(PATIENCE, 1);
        connection.connected(seconds(0));
        connection.welcomed(seconds(0));
        for hour in 1..1000 {
            assert!(connection.lost(seconds(3600 * hour)).is_ok());
        }
    }

    #[test]
    fn waits_start_over_after_a_stream_that_lived_but_not_after_one_that_did_not() {
        let mut connection = Connection::new(PATIENCE, 1);
        for _ in 0..5 {
            connection.lost(seconds(0)).expect("patient");
        }
        let long = wait(&connection, seconds(0));
        connection.welcomed(seconds(10));
        connection.lost(seconds(11)).expect("known");
        assert!(wait(&connection, seconds(11)) >= long, "a coordinator that dies at once");
        connection.welcomed(seconds(20));
        connection.lost(seconds(3600)).expect("known");
        assert!(wait(&connection, seconds(3600)) <= Duration::from_millis(200));
    }

    #[test]
    fn tries_happen_once_when_due() {
        let mut connection = Connection::new(PATIENCE, 1);
        assert!(connection.try_now(seconds(0)));
        assert!(!connection.try_now(seconds(100)), "one at a time");
        connection.lost(seconds(0)).expect("patient");
        assert!(!connection.try_now(Duration::ZERO));
        assert!(connection.try_now(seconds(1)));
    }

    #[test]
    fn a_hello_that_nobody_answers_is_given_up() {
        let mut connection = Connection::new(PATIENCE, 1);
        connection.connected(seconds(1));
        assert!(!connection.is_unanswered(seconds(60)));
        assert!(connection.is_unanswered(seconds(61)));
        connection.welcomed(seconds(61));
        assert!(!connection.is_unanswered(seconds(1000)));
    }
}
