//! The workers: who is there, what they run, how loaded they are.

mod draw;
mod table;

pub(crate) use draw::draw;
pub(crate) use table::export;

use bitsweep_sweep::TrialName;

use crate::model::action::Direction;
use crate::model::sweep::Sweep;
use crate::model::trial::Trial;

/// State of the screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkersScreen {
    pub(crate) chosen: usize,
}

impl WorkersScreen {
    pub(crate) fn go(&mut self, direction: Direction, by: usize, workers: usize) {
        match direction {
            Direction::Up => self.chosen = self.chosen.saturating_sub(by),
            Direction::Down => {
                self.chosen = self.chosen.saturating_add(by).min(workers.saturating_sub(1))
            }
            Direction::Left | Direction::Right => {}
        }
    }

    /// The first trial that the chosen worker runs.
    pub(crate) fn trial(&self, sweep: Option<&Sweep>) -> Option<TrialName> {
        let sweep = sweep?;
        let worker = sweep.workers.get(self.chosen)?;
        let runs = |t: &&Trial| worker.running.iter().any(|id| id == t.id.as_str());
        sweep.trials.iter().find(runs).map(|t| t.spec.name.clone())
    }
}
