//! What the quantizers of a trial learned, layer by layer, over its epochs.

mod draw;
mod enlarged;
mod histogram;
mod rows;

pub(crate) use draw::draw;
pub(crate) use rows::export;

use crate::model::action::Direction;
use crate::model::layers::LayerHistory;

use bitsweep_sweep::LayerReport;

/// State of the screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayersScreen {
    /// Place of the chosen layer in the network.
    pub(crate) layer: usize,
    /// The epoch that is shown; `None`: the newest, as it comes.
    pub(crate) epoch: Option<u32>,
    /// Whether a second trial is shown.
    pub(crate) beside: bool,
}

impl LayersScreen {
    /// Moves among `layers` and the `epochs` there are, in ascending order.
    pub(crate) fn go(&mut self, direction: Direction, by: usize, layers: usize, epochs: &[u32]) {
        let at = self.epoch.and_then(|e| epochs.iter().position(|known| *known >= e));
        let at = at.unwrap_or(epochs.len().saturating_sub(1));
        match direction {
            Direction::Up => self.layer = self.layer.saturating_sub(by),
            Direction::Down => {
                self.layer = self.layer.saturating_add(by).min(layers.saturating_sub(1));
            }
            Direction::Left => self.epoch = epochs.get(at.saturating_sub(1)).copied(),
            // Past the newest one, they are shown as they come.
            Direction::Right => self.epoch = epochs.get(at + 1).copied(),
        }
    }

    /// The report that is shown: of the chosen epoch, or the last one before it.
    pub(crate) fn report<'a>(&self, history: &'a LayerHistory) -> Option<&'a LayerReport> {
        match self.epoch {
            None => history.reports.last(),
            Some(epoch) => {
                let at = history.reports.partition_point(|r| r.epoch <= epoch);
                history.reports.get(at.saturating_sub(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stops_at_the_start_and_goes_on_live_at_the_end() {
        let mut screen = LayersScreen::default();
        let epochs = [0, 1, 2];
        screen.go(Direction::Left, 1, 5, &epochs);
        assert_eq!(screen.epoch, Some(1));
        screen.go(Direction::Left, 1, 5, &epochs);
        screen.go(Direction::Left, 1, 5, &epochs);
        assert_eq!(screen.epoch, Some(0));
        (0..2).for_each(|_| screen.go(Direction::Right, 1, 5, &epochs));
        assert_eq!(screen.epoch, Some(2));
        screen.go(Direction::Right, 1, 5, &epochs);
        assert_eq!(screen.epoch, None);
        screen.go(Direction::Down, usize::MAX / 2, 5, &epochs);
        assert_eq!(screen.layer, 4);
    }
}
