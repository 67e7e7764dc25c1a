//! The line at the top: what, how far, when done. What does not fit goes by priority.

use jiff::tz::TimeZone;

use super::format::{clock, duration, images_per_second, thousands, width};
use super::spark::bar;
use super::text::{Piece, Tone, piece};
use crate::model::sweep::{Sweep, SweepState};
use crate::model::trial::TrialState;
use crate::model::worker::Liveness;
use crate::model::{Link, Model};

/// Which end of the line a segment keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A part of a line that is shown whole or not at all.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) side: Side,
    /// The lowest goes first.
    pub(crate) priority: u8,
}

impl Segment {
    pub(crate) fn new(priority: u8, side: Side, pieces: Vec<Piece>) -> Self {
        Self { pieces, side, priority }
    }

    pub(crate) fn width(&self) -> usize {
        self.pieces.iter().map(|(text, _)| width(text)).sum()
    }
}

/// Columns between segments.
pub(crate) const SEGMENT_GAP: usize = 2;

/// The segments that fit in `columns`, in their order.
pub(crate) fn fit(mut segments: Vec<Segment>, columns: usize) -> Vec<Segment> {
    let total = |all: &[Segment]| -> usize {
        all.iter().map(|s| s.width() + SEGMENT_GAP).sum::<usize>().saturating_sub(SEGMENT_GAP)
    };
    while total(&segments) > columns {
        let Some(lowest) = segments.iter().map(|s| s.priority).min() else { break };
        let Some(at) = segments.iter().rposition(|s| s.priority == lowest) else { break };
        segments.remove(at);
    }
    segments
}

/// The header of every screen.
pub(crate) fn header(model: &Model, zone: &TimeZone) -> Vec<Segment> {
    let left =
        |priority, text: &str, tone| Segment::new(priority, Side::Left, vec![piece(text, tone)]);
    let Some(sweep) = &model.sweep else {
        let (text, tone) = match &model.link {
            Link::Connecting => ("connecting…", Tone::Dim),
            Link::Connected => ("waiting for the first data…", Tone::Dim),
            Link::NoSweep => ("no sweep yet", Tone::Dim),
            Link::Down { .. } => ("reconnecting…", Tone::Attention),
        };
        return vec![left(9, "bitsweep", Tone::Strong), left(8, text, tone)];
    };
    let mut segments = vec![
        Segment::new(1, Side::Left, vec![piece("bitsweep ▸", Tone::Dim)]),
        left(20, &sweep.name, Tone::Strong),
    ];
    if let Some(replay) = &model.replay {
        let (done, rest) = bar(replay.fraction(), 12);
        let playing = if replay.playing { "▸ replay" } else { "⏸ replay" };
        segments.push(left(19, playing, Tone::Accent));
        let slider = vec![
            piece(clock(replay.at_ms, zone), Tone::Strong),
            piece(" ", Tone::Plain),
            piece(done, Tone::Accent),
            piece(rest, Tone::Dim),
            piece(format!(" ×{}", replay.speed), Tone::Dim),
        ];
        segments.push(Segment::new(18, Side::Left, slider));
    }
    match &model.link {
        Link::Down { .. } | Link::NoSweep => {
            let text = format!("reconnecting… data from {}", clock(model.updated_ms, zone));
            segments.push(left(19, &text, Tone::Attention));
        }
        Link::Connecting | Link::Connected => {
            let (text, tone) = state(sweep);
            segments.push(left(19, text, tone));
        }
    }
    segments.extend(counts(sweep));
    segments.extend(rates(sweep, model));
    segments
}

fn state(sweep: &Sweep) -> (&'static str, Tone) {
    let connected = sweep.workers.iter().any(|w| w.liveness == Liveness::Connected);
    match sweep.state {
        SweepState::Active if sweep.count(&[TrialState::Running]) > 0 => ("● running", Tone::Good),
        SweepState::Active if connected => ("○ starting", Tone::Dim),
        SweepState::Active => ("○ waiting for a worker", Tone::Attention),
        SweepState::Finished => ("✔ finished", Tone::Good),
        SweepState::Failed => ("✖ failed", Tone::Bad),
        SweepState::Cancelled => ("⊘ cancelled", Tone::Attention),
    }
}

fn counts(sweep: &Sweep) -> Vec<Segment> {
    let part = |priority, states: &[TrialState], word: &str, tone| {
        let n = sweep.count(states);
        let text = format!("{} {word}", thousands(n as u64));
        (n > 0).then(|| Segment::new(priority, Side::Left, vec![piece(text, tone)]))
    };
    let done = format!(
        "{} of {} done",
        thousands(sweep.count(&[TrialState::Finished]) as u64),
        thousands(sweep.trials.len() as u64)
    );
    let unreadable = (sweep.unreadable > 0).then(|| {
        let text = format!("{} not readable: update bitsweep", sweep.unreadable);
        Segment::new(17, Side::Left, vec![piece(text, Tone::Attention)])
    });
    [
        Some(Segment::new(16, Side::Left, vec![piece(done, Tone::Plain)])),
        part(17, &[TrialState::Failed], "failed", Tone::Bad),
        part(15, &[TrialState::Blocked], "blocked", Tone::Attention),
        part(11, &[TrialState::Cancelled], "cancelled", Tone::Plain),
        part(12, &[TrialState::Running], "running", Tone::Plain),
        part(8, &[TrialState::Waiting, TrialState::Ready], "waiting", Tone::Dim),
        unreadable,
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn rates(sweep: &Sweep, model: &Model) -> Vec<Segment> {
    let right =
        |priority, text: String, tone| Segment::new(priority, Side::Right, vec![piece(text, tone)]);
    let end_ms = sweep.ended_ms.unwrap_or_else(|| model.server_now_ms(sweep));
    let elapsed = duration((end_ms - sweep.created_ms) as f64 / 1000.0);
    if sweep.state != SweepState::Active {
        return vec![right(14, format!("took {elapsed}"), Tone::Plain)];
    }
    if model.is_stale() {
        return vec![right(14, format!("{elapsed} elapsed"), Tone::Dim)];
    }
    let workers = sweep.workers.iter().filter(|w| w.liveness == Liveness::Connected).count();
    let plural = if workers == 1 { "" } else { "s" };
    let left = match model.seconds_left {
        Some(seconds) => format!("~{} left", duration(seconds)),
        None => "-- left".to_owned(),
    };
    vec![
        right(6, format!("{workers} worker{plural}"), Tone::Dim),
        right(10, images_per_second(sweep.images_per_second()), Tone::Plain),
        right(14, format!("{elapsed} elapsed"), Tone::Plain),
        right(18, left, Tone::Strong),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_important_goes_first_and_nothing_is_cut() {
        let segment = |priority, text: &str| {
            Segment::new(priority, Side::Left, vec![piece(text, Tone::Plain)])
        };
        let all = vec![segment(3, "aaaa"), segment(1, "bbbb"), segment(2, "cccc")];
        let shown = |columns| -> Vec<String> {
            fit(all.clone(), columns).into_iter().map(|s| s.pieces[0].0.clone()).collect()
        };
        assert_eq!(shown(16), ["aaaa", "bbbb", "cccc"]);
        assert_eq!(shown(15), ["aaaa", "cccc"]);
        assert_eq!(shown(9), ["aaaa"]);
        assert_eq!(shown(3), Vec::<String>::new());
    }
}
