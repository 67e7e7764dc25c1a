//! Accuracy against width and against size, and the curves of the compared trials.

mod bits;
mod curves;
mod draw;
mod size;
mod verdict;

pub(crate) use curves::export as export_curves;
pub(crate) use draw::draw;
pub(crate) use size::export as export_sizes;

use crate::model::action::{CompareAction, Direction};

/// One of the charts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    /// Accuracy against bit-width.
    #[default]
    Bits,
    /// Accuracy against model size.
    Size,
    /// The compared trials over time.
    Curves,
}

/// What sizes are measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SizeAxis {
    #[default]
    Bytes,
    BitOperations,
}

/// What curves are drawn over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Over {
    #[default]
    Epochs,
    Steps,
    Time,
}

/// What curves show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Quantity {
    #[default]
    Top1,
    ValidationLoss,
    TrainLoss,
    StepLoss,
}

impl Quantity {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Top1 => "validation top-1 %",
            Self::ValidationLoss => "validation loss",
            Self::TrainLoss => "training loss",
            Self::StepLoss => "loss of steps",
        }
    }
}

/// Whose published figures are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Others {
    /// Those of the method that is trained.
    #[default]
    Own,
    Every,
    None,
}

/// Levels of smoothing: standard deviation of the window as a fraction of all points.
const SMOOTHING: [f64; 4] = [0.0, 0.01, 0.03, 0.08];
/// Most doublings of scale.
const ZOOM: u32 = 7;
/// Steps of the crosshair across what is seen.
const CROSSHAIR_STEPS: f64 = 60.0;

/// State of the screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompareScreen {
    pub(crate) pane: Pane,
    pub(crate) size: SizeAxis,
    pub(crate) over: Over,
    pub(crate) quantity: Quantity,
    pub(crate) logarithmic: bool,
    smoothing: usize,
    zoom: u32,
    /// Middle of what is seen, from 0 to 1 of everything.
    middle: f64,
    /// From 0 to 1 of everything.
    crosshair: Option<f64>,
    pub(crate) others: Others,
}

impl CompareScreen {
    pub(crate) fn change(&mut self, action: CompareAction) {
        match action {
            CompareAction::NextPane => self.pane = next_pane(self.pane),
            CompareAction::PreviousPane => self.pane = next_pane(next_pane(self.pane)),
            CompareAction::NextX if self.pane == Pane::Size => self.next_size(),
            CompareAction::NextX => {
                self.over = match self.over {
                    Over::Epochs => Over::Steps,
                    Over::Steps => Over::Time,
                    Over::Time => Over::Epochs,
                };
            }
            CompareAction::NextY => self.logarithmic ^= true,
            CompareAction::NextQuantity => {
                self.quantity = match self.quantity {
                    Quantity::Top1 => Quantity::ValidationLoss,
                    Quantity::ValidationLoss => Quantity::TrainLoss,
                    Quantity::TrainLoss => Quantity::StepLoss,
                    Quantity::StepLoss => Quantity::Top1,
                };
            }
            CompareAction::NextSmoothing => self.smoothing = (self.smoothing + 1) % SMOOTHING.len(),
            CompareAction::NextSize => self.next_size(),
            CompareAction::NextPublished => {
                self.others = match self.others {
                    Others::Own => Others::Every,
                    Others::Every => Others::None,
                    Others::None => Others::Own,
                };
            }
            CompareAction::ZoomIn => {
                self.middle =
                    self.crosshair.unwrap_or(if self.zoom == 0 { 1.0 } else { self.middle });
                self.zoom = (self.zoom + 1).min(ZOOM);
            }
            CompareAction::ZoomOut => self.zoom = self.zoom.saturating_sub(1),
            CompareAction::ZoomAll => (self.zoom, self.crosshair) = (0, None),
        }
    }

    fn next_size(&mut self) {
        self.size = match self.size {
            SizeAxis::Bytes => SizeAxis::BitOperations,
            SizeAxis::BitOperations => SizeAxis::Bytes,
        };
    }

    /// Moves the crosshair, and what is seen with it.
    pub(crate) fn read(&mut self, direction: Direction) {
        let (low, high) = self.seen();
        let step = (high - low) / CROSSHAIR_STEPS;
        let at = match (self.crosshair, direction) {
            (None, _) => high,
            (Some(at), Direction::Left) => at - step,
            (Some(at), _) => at + step,
        }
        .clamp(0.0, 1.0);
        self.crosshair = Some(at);
        if at < low || at > high {
            self.middle = at;
        }
    }

    /// The part of the x axis that is seen, from 0 to 1 of everything.
    pub(crate) fn seen(&self) -> (f64, f64) {
        let width = 0.5f64.powi(self.zoom as i32);
        let low = (self.middle - width / 2.0).clamp(0.0, 1.0 - width);
        (low, low + width)
    }

    pub(crate) fn crosshair(&self) -> Option<f64> {
        self.crosshair
    }

    pub(crate) fn smoothing(&self) -> f64 {
        SMOOTHING[self.smoothing]
    }
}

fn next_pane(pane: Pane) -> Pane {
    match pane {
        Pane::Bits => Pane::Size,
        Pane::Size => Pane::Curves,
        Pane::Curves => Pane::Bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_keeps_the_crosshair_in_sight_and_moving_it_moves_along() {
        let mut screen = CompareScreen::default();
        assert_eq!(screen.seen(), (0.0, 1.0));
        screen.read(Direction::Left);
        screen.read(Direction::Left);
        (0..3).for_each(|_| screen.change(CompareAction::ZoomIn));
        let (low, high) = screen.seen();
        assert!((high - low - 0.125).abs() < 1e-12 && high <= 1.0);
        for _ in 0..200 {
            screen.read(Direction::Left);
            let (at, (low, high)) = (screen.crosshair().expect("set"), screen.seen());
            assert!((low - 1e-9..=high + 1e-9).contains(&at), "{at} {low} {high}");
        }
        screen.change(CompareAction::ZoomAll);
        assert_eq!((screen.seen(), screen.crosshair()), ((0.0, 1.0), None));
    }
}
