//! The newest lines of the log, bounded.

use std::collections::VecDeque;

use bitsweep_proto::v1;
use bitsweep_sweep::Level;

/// Lines kept. Older ones are counted and dropped.
const CAPACITY: usize = 5000;

/// A line.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    pub(crate) time_ms: i64,
    pub(crate) level: Level,
    /// Empty: the coordinator.
    pub(crate) worker: String,
    /// Name within the sweep; empty: of no trial.
    pub(crate) trial: String,
    pub(crate) message: String,
}

impl LogEntry {
    pub(crate) fn read(entry: v1::LogEntry) -> Self {
        let level = entry.level().try_into().unwrap_or(Level::Info);
        let trial = match entry.trial_id.split_once('/') {
            Some((_, name)) => name.to_owned(),
            None => entry.trial_id,
        };
        Self {
            time_ms: entry.time_ms,
            level,
            worker: entry.worker_name,
            trial,
            message: entry.message,
        }
    }
}

/// Lines, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) lines: VecDeque<LogEntry>,
    /// Lines dropped for want of room.
    pub(crate) dropped: u64,
    end: u64,
}

impl Log {
    /// Number of the first line that is here; lines are numbered as they come.
    pub(crate) fn first(&self) -> u64 {
        self.end - self.lines.len() as u64
    }

    /// Number of the next line to come.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn line(&self, number: u64) -> Option<&LogEntry> {
        self.lines.get(usize::try_from(number.checked_sub(self.first())?).ok()?)
    }

    pub(crate) fn push(&mut self, entry: LogEntry) {
        self.lines.push_back(entry);
        self.end += 1;
        while self.lines.len() > CAPACITY {
            self.lines.pop_front();
            self.dropped += 1;
        }
    }

    /// Takes the lines of a snapshot, which repeat some that are known: lines before the first of
    /// them stay.
    pub(crate) fn rebase(&mut self, newest: Vec<LogEntry>) {
        if let Some(first) = newest.first() {
            self.lines.retain(|line| line.time_ms < first.time_ms);
            // What stays is numbered anew: whoever counted lines counts again.
            self.end += CAPACITY as u64 + self.lines.len() as u64;
        }
        newest.into_iter().for_each(|entry| self.push(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(time_ms: i64) -> LogEntry {
        LogEntry {
            time_ms,
            level: Level::Info,
            worker: String::new(),
            trial: String::new(),
            message: time_ms.to_string(),
        }
    }

    #[test]
    fn the_oldest_lines_are_dropped_and_counted() {
        let mut log = Log::default();
        (0..CAPACITY as i64 + 3).for_each(|t| log.push(line(t)));
        assert_eq!((log.lines.len(), log.dropped), (CAPACITY, 3));
        assert_eq!(log.lines[0].time_ms, 3);
    }

    #[test]
    fn a_snapshot_repeats_no_line_and_loses_none() {
        let mut log = Log::default();
        (0..5).for_each(|t| log.push(line(t)));
        log.rebase((3..8).map(line).collect());
        let times: Vec<i64> = log.lines.iter().map(|l| l.time_ms).collect();
        assert_eq!(times, (0..8).collect::<Vec<_>>());
    }
}
