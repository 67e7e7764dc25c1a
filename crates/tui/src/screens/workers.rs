//! The workers: who is there, what they run, how loaded they are.

mod draw;
mod table;

pub(crate) use draw::draw;

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
    pub(crate) fn go(&mut self, direction: Direction, workers: usize) {
        match direction {
            Direction::Up => self.chosen = self.chosen.saturating_sub(1),
            Direction::Down => self.chosen = (self.chosen + 1).min(workers.saturating_sub(1)),
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
