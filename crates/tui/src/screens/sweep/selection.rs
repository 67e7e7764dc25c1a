//! Which trial is chosen, and which is next to it.

use bitsweep_sweep::TrialName;

use super::grid::Grid;
use crate::model::action::Direction;
use crate::model::sweep::Sweep;
use crate::model::trial::{Trial, TrialState};

/// The trial that is chosen while the user chose none: what has been running longest, otherwise
/// what ended last, otherwise the first.
pub(crate) fn automatic(sweep: &Sweep) -> Option<&Trial> {
    let running = sweep.trials.running().min_by_key(|t| t.newest_attempt().map(|a| a.started_ms));
    let ended = || {
        let ended = |t: &&Trial| {
            t.state != TrialState::Running
                && t.newest_attempt().is_some_and(|a| a.ended_ms.is_some())
        };
        let at = |t: &&Trial| t.newest_attempt().and_then(|a| a.ended_ms);
        sweep.trials.iter().filter(ended).max_by_key(at)
    };
    running.or_else(ended).or(sweep.trials.first())
}

/// The nearest trial in a direction of the matrix; `None` at its edge.
pub(crate) fn neighbour(
    sweep: &Sweep,
    grid: &Grid,
    from: &TrialName,
    direction: Direction,
) -> Option<TrialName> {
    let from = sweep.trials.index(from)?;
    let seed = sweep.trials[from].spec.seed;
    let (mut row, mut column) = grid.place(from)?;
    loop {
        match direction {
            Direction::Up => row = row.checked_sub(1)?,
            Direction::Down => row += 1,
            Direction::Left => column = column.checked_sub(1)?,
            Direction::Right => column += 1,
        }
        if row >= grid.rows.len() || column >= grid.columns.len() {
            return None;
        }
        // Of several seeds in a cell, the same one.
        let trials = grid.at(row, column);
        let same = trials.iter().find(|&&at| sweep.trials[at].spec.seed == seed);
        if let Some(&trial) = same.or(trials.first()) {
            return Some(sweep.trials[trial].spec.name.clone());
        }
    }
}
