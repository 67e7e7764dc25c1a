//! Reports of one attempt on their way to the coordinator.

use std::collections::VecDeque;
use std::path::PathBuf;

use bitsweep_proto::v1;
use prost::Message;
use v1::report::Content;
use v1::trial_event;

/// Numbered reports, kept until they are durable at the coordinator.
///
/// Sequences run from 1 without holes. `durable <= sent < next`; the reports kept are exactly
/// `durable + 1 .. next`. A checkpoint whose file is not uploaded holds back itself and everything after it.
#[derive(Debug)]
pub(crate) struct Outbox {
    attempt: v1::AttemptRef,
    next: u64,
    sent: u64,
    kept: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    report: v1::Report,
    /// What it took from the attempt's budget.
    cost: u32,
    upload: Upload,
}

#[derive(Debug, PartialEq)]
enum Upload {
    /// Nothing to upload, or done.
    Done,
    Waiting(PathBuf),
    Running,
}

impl Outbox {
    pub(crate) fn new(attempt: v1::AttemptRef) -> Self {
        Self { attempt, next: 1, sent: 0, kept: VecDeque::new() }
    }

    /// Adds a report.
    pub(crate) fn push(&mut self, content: Content, time_ms: i64, cost: u32) {
        self.add(content, time_ms, cost, Upload::Done);
    }

    /// Adds a checkpoint that waits for the upload of `path`.
    pub(crate) fn push_checkpoint(
        &mut self,
        checkpoint: v1::CheckpointSaved,
        path: PathBuf,
        time_ms: i64,
        cost: u32,
    ) {
        let event = trial_event::Event::Checkpoint(checkpoint);
        let content = Content::Event(v1::TrialEvent { event: Some(event) });
        self.add(content, time_ms, cost, Upload::Waiting(path));
    }

    fn add(&mut self, content: Content, time_ms: i64, cost: u32, upload: Upload) {
        let report = v1::Report {
            attempt: Some(self.attempt.clone()),
            sequence: self.next,
            time_ms,
            content: Some(content),
        };
        self.next += 1;
        self.kept.push_back(Kept { report, cost, upload });
    }

    /// The next file to upload, one at a time: its report's sequence and its path.
    pub(crate) fn start_upload(&mut self) -> Option<(u64, PathBuf)> {
        let kept = self.kept.iter_mut().find(|kept| kept.upload != Upload::Done)?;
        let Upload::Waiting(path) = std::mem::replace(&mut kept.upload, Upload::Running) else {
            return None;
        };
        Some((kept.report.sequence, path))
    }

    /// The checkpoint of `sequence` is at the coordinator: what it held back may go.
    pub(crate) fn uploaded(&mut self, sequence: u64, artifact: v1::ArtifactRef) {
        let Some(kept) = self.kept.iter_mut().find(|kept| kept.report.sequence == sequence) else {
            return;
        };
        kept.upload = Upload::Done;
        if let Some(Content::Event(v1::TrialEvent {
            event: Some(trial_event::Event::Checkpoint(checkpoint)),
        })) = &mut kept.report.content
        {
            checkpoint.artifact = Some(artifact);
        }
    }

    /// Drops `sequence` and everything after it, none of which was ever sent; the cost of it all.
    pub(crate) fn truncate(&mut self, sequence: u64) -> u32 {
        let keep = self.kept.partition_point(|kept| kept.report.sequence < sequence);
        let cost = self.kept.drain(keep..).map(|kept| kept.cost).sum();
        self.next = self.next.min(sequence);
        cost
    }

    /// Whether something could be sent now.
    pub(crate) fn has_unsent(&self) -> bool {
        self.unsent().next().is_some()
    }

    fn unsent(&self) -> impl Iterator<Item = &Kept> {
        let start = self.kept.partition_point(|kept| kept.report.sequence <= self.sent);
        self.kept.range(start..).take_while(|kept| kept.upload == Upload::Done)
    }

    /// Copies unsent reports into `batch`, at most `limit` bytes of them; an empty batch takes one of any
    /// size, so that a large report travels alone.
    pub(crate) fn take_unsent(&mut self, batch: &mut Vec<v1::Report>, limit: usize) {
        let mut bytes = 0;
        let mut sent = self.sent;
        for kept in self.unsent() {
            bytes += kept.report.encoded_len();
            if bytes > limit && !batch.is_empty() {
                break;
            }
            sent = kept.report.sequence;
            batch.push(kept.report.clone());
        }
        self.sent = sent;
    }

    /// Everything up to `sequence` is durable; the cost of what is no longer kept.
    ///
    /// A sequence that was never sent is not believed further than what was.
    pub(crate) fn acknowledge(&mut self, sequence: u64) -> u32 {
        let sequence = sequence.min(self.sent);
        let done = self.kept.partition_point(|kept| kept.report.sequence <= sequence);
        self.kept.drain(..done).map(|kept| kept.cost).sum()
    }

    /// A new stream begins: everything above `durable` goes again; the cost of what need not.
    pub(crate) fn rewind(&mut self, durable: u64) -> u32 {
        let cost = self.acknowledge(durable);
        self.sent = self.kept.front().map_or(self.next, |kept| kept.report.sequence) - 1;
        cost
    }

    /// Whether everything said is durable.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(v1::AttemptRef { trial_id: "s/t".into(), attempt: 1 })
    }

    fn log(message: &str) -> Content {
        let line = v1::LogLine { message: message.into(), ..Default::default() };
        Content::Event(v1::TrialEvent { event: Some(trial_event::Event::Log(line)) })
    }

    fn sequences(outbox: &mut Outbox, limit: usize) -> Vec<u64> {
        let mut batch = Vec::new();
        outbox.take_unsent(&mut batch, limit);
        batch.iter().map(|report| report.sequence).collect()
    }

    #[test]
    fn sends_each_report_once_and_again_from_the_durable_one_on() {
        let mut outbox = outbox();
        for _ in 0..4 {
            outbox.push(log("x"), 0, 2);
        }
        assert_eq!(sequences(&mut outbox, usize::MAX), [1, 2, 3, 4]);
        assert!(sequences(&mut outbox, usize::MAX).is_empty());
        assert_eq!(outbox.acknowledge(1), 2);
        assert_eq!(outbox.rewind(3), 4);
        assert_eq!(sequences(&mut outbox, usize::MAX), [4]);
        assert_eq!(outbox.acknowledge(4), 2);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_rewind_below_what_was_acknowledged_resends_only_what_is_kept() {
        let mut outbox = outbox();
        for _ in 0..3 {
            outbox.push(log("x"), 0, 1);
        }
        sequences(&mut outbox, usize::MAX);
        outbox.acknowledge(2);
        outbox.rewind(0);
        assert_eq!(sequences(&mut outbox, usize::MAX), [3]);
        outbox.acknowledge(3);
        outbox.rewind(0);
        assert!(sequences(&mut outbox, usize::MAX).is_empty());
        outbox.push(log("x"), 0, 1);
        assert_eq!(sequences(&mut outbox, usize::MAX), [4]);
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_drops_nothing_unsent() {
        let mut outbox = outbox();
        outbox.push(log("x"), 0, 1);
        outbox.push(log("x"), 0, 1);
        assert_eq!(outbox.acknowledge(9), 0);
        assert_eq!(sequences(&mut outbox, 1), [1], "a batch holds at least one report");
        assert_eq!(outbox.acknowledge(9), 1);
        assert_eq!(sequences(&mut outbox, usize::MAX), [2]);
    }

    #[test]
    fn batches_stay_within_their_limit_and_a_large_report_travels_alone() {
        let mut outbox = outbox();
        for size in [10, 10, 5000, 10] {
            outbox.push(log(&"x".repeat(size)), 0, 1);
        }
        let mut others = vec![v1::Report::default()];
        outbox.take_unsent(&mut others, 1);
        assert_eq!(others.len(), 1, "nothing fits beside what is there");
        assert_eq!(sequences(&mut outbox, 200), [1, 2]);
        assert_eq!(sequences(&mut outbox, 200), [3]);
        assert_eq!(sequences(&mut outbox, 200), [4]);
    }

    #[test]
    fn a_checkpoint_holds_back_what_follows_until_it_is_uploaded() {
        let mut outbox = outbox();
        outbox.push(log("before"), 0, 1);
        outbox.push_checkpoint(v1::CheckpointSaved::default(), "a".into(), 0, 1);
        outbox.push(log("after"), 0, 1);
        outbox.push_checkpoint(v1::CheckpointSaved::default(), "b".into(), 0, 1);
        assert_eq!(sequences(&mut outbox, usize::MAX), [1]);
        assert_eq!(outbox.start_upload(), Some((2, "a".into())));
        assert_eq!(outbox.start_upload(), None, "one upload at a time");
        assert!(!outbox.has_unsent());
        let artifact = v1::ArtifactRef { hash: "h".into(), bytes: 3 };
        outbox.uploaded(2, artifact.clone());
        let mut batch = Vec::new();
        outbox.take_unsent(&mut batch, usize::MAX);
        assert_eq!(batch.iter().map(|r| r.sequence).collect::<Vec<_>>(), [2, 3]);
        assert!(matches!(
            &batch[0].content,
            Some(Content::Event(v1::TrialEvent { event: Some(trial_event::Event::Checkpoint(c)) }))
                if c.artifact.as_ref() == Some(&artifact)
        ));
        assert_eq!(outbox.start_upload(), Some((4, "b".into())));
    }

    #[test]
    fn truncation_gives_unsent_sequences_back() {
        let mut outbox = outbox();
        outbox.push(log("x"), 0, 1);
        outbox.push_checkpoint(v1::CheckpointSaved::default(), "a".into(), 0, 5);
        outbox.push(log("x"), 0, 7);
        sequences(&mut outbox, usize::MAX);
        assert_eq!(outbox.truncate(2), 12);
        outbox.push(log("instead"), 0, 0);
        assert_eq!(sequences(&mut outbox, usize::MAX), [2]);
    }
}
