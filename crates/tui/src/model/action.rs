//! What keys mean.

use super::Screen;

/// A direction on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
    Left,
    Right,
}

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Move(Direction),
    PageUp,
    PageDown,
    Top,
    Bottom,
    /// The chosen thing.
    Open,
    Back,
    Show(Screen),
    NextScreen,
    PreviousScreen,
    Help,
    /// Closes what is in front of the screen.
    Close,
    AskCancel,
    Cancel,
    Resume,
    Leave,
    StopSweep,
    KeepRunning,
    NextLevel,
    Search,
    TypeText(char),
    EraseText,
    ClearText,
    AcceptText,
    DropText,
}
