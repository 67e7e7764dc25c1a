//! What keys and commands mean.

use super::Screen;
use crate::screens::sweep::order::{Group, Sort};

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
    Palette,
    /// Closes what is in front of the screen.
    Close,
    AskCancel,
    Cancel,
    Resume,
    Leave,
    StopSweep,
    KeepRunning,
    /// Compares the chosen trial with the others that are marked, or no more.
    Mark,
    Unmark,
    CopyId,
    ExportCsv,
    ExportSvg,
    NextTheme,
    Theme(usize),
    Sweep(SweepAction),
    Compare(CompareAction),
    Layers(LayersAction),
    Log(LogAction),
    Replay(ReplayAction),
    Text(TextAction),
}

/// On the Sweep screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweepAction {
    NextView,
    Filter,
    NextSort,
    Sort(Sort),
    Reverse,
    NextGroup,
    Group(Group),
}

/// On the Compare screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompareAction {
    NextPane,
    PreviousPane,
    NextX,
    NextY,
    NextQuantity,
    NextSmoothing,
    NextSize,
    NextPublished,
    ZoomIn,
    ZoomOut,
    ZoomAll,
}

/// On the Layers screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayersAction {
    /// The newest epoch, as it comes.
    Live,
    Beside,
    NarrowerTrial,
    WiderTrial,
}

/// On the Log screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogAction {
    NextLevel,
    OneTrial,
    OneWorker,
    Search,
}

/// On every screen of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayAction {
    PlayPause,
    Back,
    Forward,
    Start,
    End,
    Slower,
    Faster,
}

/// Where text is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextAction {
    Type(char),
    Erase,
    Clear,
    Accept,
    Drop,
    Previous,
    Next,
}
