//! Why a trial process ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use bitsweep_sweep::{AttemptEnd, Failure};

/// How many of the last log lines a message quotes.
const QUOTED_LINES: usize = 3;

/// What the log's end looks like when Rust's allocator gave up.
const ALLOCATION_FAILED: &str = "memory allocation of ";

/// The last event of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FinalWord {
    Finished,
    Failed(Failure),
    Stopped,
}

/// How the process ended, as the system tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Code(i32),
    Signal(i32),
}

impl From<ExitStatus> for Status {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}

/// What was seen of a process that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessEnd {
    pub(crate) status: Status,
    pub(crate) last: Option<FinalWord>,
    /// How it broke the pipe protocol.
    pub(crate) broke_protocol: Option<String>,
    /// The last lines of its log, oldest first.
    pub(crate) log: Vec<String>,
    /// The kernel killed something for want of memory while it ran.
    pub(crate) host_out_of_memory: bool,
}

/// What the worker asked of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// How the attempt ends if the process complies.
    pub(crate) reason: AttemptEnd,
    /// It was killed in the end.
    pub(crate) killed: bool,
}

/// The end of the attempt and one line on it (empty when finished).
pub(crate) fn classify(end: &ProcessEnd, asked: Option<Asked>) -> (AttemptEnd, String) {
    let killed = asked.is_some_and(|asked| asked.killed);
    if let Some(problem) = &end.broke_protocol {
        return crashed(format!("trial process broke its protocol: {problem}"), &end.log);
    }
    match (&end.last, asked) {
        (Some(FinalWord::Failed(failure)), _) => failed(failure),
        (Some(FinalWord::Finished), _) if end.status == Status::Code(0) || killed => {
            (AttemptEnd::Finished, String::new())
        }
        (Some(FinalWord::Finished), _) => {
            let message = format!("trial process said it had finished, then {}", words(end.status));
            crashed(message, &end.log)
        }
        (Some(FinalWord::Stopped), Some(Asked { reason, .. })) => {
            (reason, "stopped at a checkpoint".to_owned())
        }
        (Some(FinalWord::Stopped), None) => {
            crashed("trial process stopped without being asked to".to_owned(), &end.log)
        }
        (None, Some(Asked { reason, killed: true })) => {
            (reason, "killed before it could save a checkpoint".to_owned())
        }
        (None, _) => unexplained(end),
    }
}

/// The trial's own words, as far as a trial may choose its end.
fn failed(failure: &Failure) -> (AttemptEnd, String) {
    match failure.reason {
        AttemptEnd::Diverged
        | AttemptEnd::Crashed
        | AttemptEnd::OutOfMemory
        | AttemptEnd::BadInput => (failure.reason, failure.message.clone()),
        AttemptEnd::Finished
        | AttemptEnd::Preempted
        | AttemptEnd::Cancelled
        | AttemptEnd::Lost
        | AttemptEnd::Drained => (
            AttemptEnd::Crashed,
            format!("{} (given as \"{}\")", failure.message, failure.reason.as_str()),
        ),
    }
}

fn unexplained(end: &ProcessEnd) -> (AttemptEnd, String) {
    const KILL: i32 = 9;
    if end.log.iter().rev().take(QUOTED_LINES).any(|line| line.contains(ALLOCATION_FAILED)) {
        let message = quote("trial process ran out of memory".to_owned(), &end.log);
        return (AttemptEnd::OutOfMemory, message);
    }
    match end.status {
        Status::Signal(KILL) if end.host_out_of_memory => (
            AttemptEnd::OutOfMemory,
            "trial process was killed by the kernel for want of memory; use fewer slots, \
             a smaller batch, or a host with more memory"
                .to_owned(),
        ),
        Status::Signal(KILL) => crashed(
            "trial process was killed by signal 9; if nobody did that, the host ran out of memory"
                .to_owned(),
            &end.log,
        ),
        status => crashed(format!("trial process {} without a last word", words(status)), &end.log),
    }
}

fn words(status: Status) -> String {
    match status {
        Status::Code(code) => format!("exited with status {code}"),
        Status::Signal(signal) => format!("was killed by signal {signal}"),
    }
}

fn crashed(message: String, log: &[String]) -> (AttemptEnd, String) {
    (AttemptEnd::Crashed, quote(message, log))
}

/// Appends the last log lines, still as one line.
fn quote(message: String, log: &[String]) -> String {
    const LONGEST: usize = 200;
    let lines: Vec<String> = log
        .iter()
        .skip(log.len().saturating_sub(QUOTED_LINES))
        .map(|line| line.trim().chars().take(LONGEST).collect())
        .filter(|line: &String| !line.is_empty())
        .collect();
    if lines.is_empty() {
        message
    } else {
        format!("{message}; its log ends: {}", lines.join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(status: Status, last: Option<FinalWord>) -> ProcessEnd {
        ProcessEnd { status, last, broke_protocol: None, log: vec![], host_out_of_memory: false }
    }

    const DRAINED: Option<Asked> = Some(Asked { reason: AttemptEnd::Drained, killed: false });
    const DRAINED_AND_KILLED: Option<Asked> =
        Some(Asked { reason: AttemptEnd::Drained, killed: true });

    #[test]
    fn a_finished_trial_must_also_exit_well() {
        let finished = |status| classify(&end(status, Some(FinalWord::Finished)), None);
        assert_eq!(finished(Status::Code(0)), (AttemptEnd::Finished, String::new()));
        let (reason, message) = finished(Status::Signal(11));
        assert_eq!(reason, AttemptEnd::Crashed);
        assert!(message.contains("signal 11"), "{message}");
    }

    #[test]
    fn finishing_wins_over_having_been_asked_to_stop() {
        let finished = end(Status::Code(0), Some(FinalWord::Finished));
        assert_eq!(classify(&finished, DRAINED).0, AttemptEnd::Finished);
        let killed_on_its_way_out = end(Status::Signal(9), Some(FinalWord::Finished));
        assert_eq!(classify(&killed_on_its_way_out, DRAINED_AND_KILLED).0, AttemptEnd::Finished);
    }

    #[test]
    fn a_failure_keeps_the_trials_own_reason_and_words() {
        let said = |reason| {
            let failure = Failure { reason, message: "loss is NaN at step 7".into() };
            classify(&end(Status::Code(1), Some(FinalWord::Failed(failure))), None)
        };
        for reason in [AttemptEnd::Diverged, AttemptEnd::BadInput, AttemptEnd::OutOfMemory] {
            assert_eq!(said(reason), (reason, "loss is NaN at step 7".into()));
        }
        for reason in [AttemptEnd::Finished, AttemptEnd::Lost, AttemptEnd::Drained] {
            assert_eq!(said(reason).0, AttemptEnd::Crashed, "a trial cannot claim {reason:?}");
        }
    }

    #[test]
    fn stopping_is_named_after_who_asked() {
        let stopped = end(Status::Code(0), Some(FinalWord::Stopped));
        for reason in [AttemptEnd::Drained, AttemptEnd::Preempted, AttemptEnd::Cancelled] {
            let asked = Some(Asked { reason, killed: false });
            assert_eq!(classify(&stopped, asked).0, reason);
        }
        assert_eq!(classify(&stopped, None).0, AttemptEnd::Crashed);
    }

    #[test]
    fn being_killed_after_the_grace_is_still_a_drain_but_crashing_is_not() {
        assert_eq!(
            classify(&end(Status::Signal(9), None), DRAINED_AND_KILLED).0,
            AttemptEnd::Drained
        );
        assert_eq!(classify(&end(Status::Code(101), None), DRAINED).0, AttemptEnd::Crashed);
    }

    #[test]
    fn signal_nine_is_out_of_memory_only_where_the_kernel_says_so() {
        let mut killed = end(Status::Signal(9), None);
        let (reason, message) = classify(&killed, None);
        assert_eq!(reason, AttemptEnd::Crashed);
        assert!(message.contains("memory"), "{message}");
        killed.host_out_of_memory = true;
        assert_eq!(classify(&killed, None).0, AttemptEnd::OutOfMemory);
    }

    #[test]
    fn a_failed_allocation_is_out_of_memory() {
        let mut aborted = end(Status::Signal(6), None);
        aborted.log = vec!["memory allocation of 4096 bytes failed".into()];
        assert_eq!(classify(&aborted, None).0, AttemptEnd::OutOfMemory);
    }

    #[test]
    fn an_exit_without_a_word_quotes_the_log_on_one_line() {
        let mut silent = end(Status::Code(101), None);
        silent.log = (0..9).map(|i| format!("line {i}")).collect();
        let (reason, message) = classify(&silent, None);
        assert_eq!(reason, AttemptEnd::Crashed);
        assert!(message.contains("status 101"), "{message}");
        assert!(message.ends_with("line 6 | line 7 | line 8"), "{message}");
    }

    #[test]
    fn broken_protocol_names_the_problem_and_outweighs_the_kill_that_followed() {
        let mut broken = end(Status::Signal(9), None);
        broken.broke_protocol = Some("message of 99 bytes cannot be read".into());
        broken.host_out_of_memory = true;
        let (reason, message) = classify(&broken, None);
        assert_eq!(reason, AttemptEnd::Crashed);
        assert!(message.contains("broke its protocol: message of 99 bytes"), "{message}");
    }
}
