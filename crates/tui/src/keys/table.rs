//! The bindings.

use crossterm::event::KeyCode;

use super::{Binding, Key, Scope};
use crate::model::Screen;
use crate::model::action::{
    Action, CompareAction as Compare, Direction, LayersAction as Layers, LogAction as Log,
    ReplayAction as Replay, SweepAction as Sweep, TextAction as Text,
};
use crate::screens::sweep::order::{Group, Sort};

/// Keys and what they mean.
type Keys = &'static [(Key, Action)];
/// Names of commands and what they mean.
type Commands = &'static [(&'static str, Action)];

const UP: (Key, Action) = (Key::Code(KeyCode::Up), Action::Move(Direction::Up));
const DOWN: (Key, Action) = (Key::Code(KeyCode::Down), Action::Move(Direction::Down));
const LEFT: (Key, Action) = (Key::Code(KeyCode::Left), Action::Move(Direction::Left));
const RIGHT: (Key, Action) = (Key::Code(KeyCode::Right), Action::Move(Direction::Right));
const K: (Key, Action) = (Key::Char('k'), Action::Move(Direction::Up));
const J: (Key, Action) = (Key::Char('j'), Action::Move(Direction::Down));
const H: (Key, Action) = (Key::Char('h'), Action::Move(Direction::Left));
const L: (Key, Action) = (Key::Char('l'), Action::Move(Direction::Right));
const ESC: (Key, Action) = (Key::Code(KeyCode::Esc), Action::Back);
const ENTER: (Key, Action) = (Key::Code(KeyCode::Enter), Action::Open);

const MOVE: Keys = &[UP, DOWN, LEFT, RIGHT, K, J, H, L];
const UP_DOWN: Keys = &[UP, DOWN, K, J];
const SIDEWAYS: Keys = &[LEFT, RIGHT, H, L];
const PAGES: Keys = &[
    (Key::Code(KeyCode::PageUp), Action::PageUp),
    (Key::Code(KeyCode::PageDown), Action::PageDown),
    (Key::Control('u'), Action::PageUp),
    (Key::Control('d'), Action::PageDown),
    (Key::Char('g'), Action::Top),
    (Key::Code(KeyCode::Home), Action::Top),
];
const ENDS: Keys = &[
    (Key::Code(KeyCode::PageUp), Action::PageUp),
    (Key::Code(KeyCode::PageDown), Action::PageDown),
    (Key::Control('u'), Action::PageUp),
    (Key::Control('d'), Action::PageDown),
    (Key::Code(KeyCode::Home), Action::Top),
    (Key::Code(KeyCode::End), Action::Bottom),
];
const NONE: Commands = &[];

const fn row(
    scope: Scope,
    (shown, footer, priority): (&'static str, &'static str, u8),
    help: &'static str,
    keys: Keys,
    commands: Commands,
) -> Binding {
    Binding { scope, shown, footer, priority, help, keys, commands }
}

const SWEEP: Scope = Scope::On(Screen::Sweep);
const COMPARE: Scope = Scope::On(Screen::Compare);
const TRIAL: Scope = Scope::On(Screen::Trial);
const LAYERS: Scope = Scope::On(Screen::Layers);
const WORKERS: Scope = Scope::On(Screen::Workers);
const LOG: Scope = Scope::On(Screen::Log);
const ALL: Scope = Scope::Everywhere;

/// A key of one command.
macro_rules! one {
    ($key:expr, $name:literal, $action:expr) => {
        (&[($key, $action)], &[($name, $action)])
    };
}

/// Builds rows from `scope, (shown, footer, priority), help, keys, commands;` and
/// `scope, (shown, footer, priority), help => key, name, action;`.
macro_rules! rows {
    (@ [$($done:expr),*]) => { &[$($done),*] };
    (@ [$($done:expr),*] $scope:expr, $face:expr, $help:literal => $key:expr, $name:literal, $action:expr; $($rest:tt)*) => {
        rows!(@ [$($done,)* { const ONE: (Keys, Commands) = one!($key, $name, $action); row($scope, $face, $help, ONE.0, ONE.1) }] $($rest)*)
    };
    (@ [$($done:expr),*] $scope:expr, $face:expr, $help:literal, $keys:expr, $commands:expr; $($rest:tt)*) => {
        rows!(@ [$($done,)* row($scope, $face, $help, $keys, $commands)] $($rest)*)
    };
    ($($all:tt)*) => { rows!(@ [] $($all)*) };
}

/// Every binding. Where a screen and [`Scope::Everywhere`] bind a key, the screen's meaning holds.
pub(crate) const BINDINGS: &[Binding] = rows! {
    SWEEP, ("↑↓←→", "move", 8), "choose a trial (also h j k l)", MOVE, NONE;
    SWEEP, ("pgup pgdn", "", 0), "move by a page; home and end go to the first and the last", ENDS, NONE;
    SWEEP, ("enter", "open", 7), "open the chosen trial" => Key::Code(KeyCode::Enter), "open", Action::Open;
    SWEEP, ("v", "list", 5), "show the matrix or the list of trials" => Key::Char('v'), "list", Action::Sweep(Sweep::NextView);
    SWEEP, ("/", "filter", 6), "show only trials with these words in their name, state or worker" => Key::Char('/'), "filter", Action::Sweep(Sweep::Filter);
    SWEEP, ("s", "sort", 4), "sort the list by the next column" => Key::Char('s'), "sort", Action::Sweep(Sweep::NextSort);
    SWEEP, ("S", "", 0), "turn the order of the list round" => Key::Char('S'), "reverse", Action::Sweep(Sweep::Reverse);
    SWEEP, ("g", "", 0), "group the list by network, bits, state or worker" => Key::Char('g'), "group", Action::Sweep(Sweep::NextGroup);
    SWEEP, ("esc", "", 0), "end the filter; without one, back to the matrix", &[ESC], NONE;
    SWEEP, ("", "", 0), "sort the list", &[], &[
        ("sort plan", Action::Sweep(Sweep::Sort(Sort::Plan))),
        ("sort gap", Action::Sweep(Sweep::Sort(Sort::Gap))),
        ("sort top-1", Action::Sweep(Sweep::Sort(Sort::Top1))),
        ("sort left", Action::Sweep(Sweep::Sort(Sort::Left))),
        ("sort state", Action::Sweep(Sweep::Sort(Sort::State))),
        ("sort size", Action::Sweep(Sweep::Sort(Sort::Size))),
    ];
    SWEEP, ("", "", 0), "group the list", &[], &[
        ("group none", Action::Sweep(Sweep::Group(Group::None))),
        ("group network", Action::Sweep(Sweep::Group(Group::Network))),
        ("group bits", Action::Sweep(Sweep::Group(Group::Bits))),
        ("group state", Action::Sweep(Sweep::Group(Group::State))),
        ("group worker", Action::Sweep(Sweep::Group(Group::Worker))),
    ];

    COMPARE, ("tab", "pane", 8), "go to the next chart (back: shift-tab)", &[
        (Key::Code(KeyCode::Tab), Action::Compare(Compare::NextPane)),
        (Key::Code(KeyCode::BackTab), Action::Compare(Compare::PreviousPane)),
    ], &[("next chart", Action::Compare(Compare::NextPane))];
    COMPARE, ("←→", "read", 7), "move the crosshair, which reads every curve at one x (also h l)", SIDEWAYS, NONE;
    COMPARE, ("↑↓", "trial", 6), "choose a trial, and with it the network whose published figures are shown (also j k)", UP_DOWN, NONE;
    COMPARE, ("+ -", "zoom", 5), "zoom in and out around the crosshair; 0 shows everything", &[
        (Key::Char('+'), Action::Compare(Compare::ZoomIn)),
        (Key::Char('='), Action::Compare(Compare::ZoomIn)),
        (Key::Char('-'), Action::Compare(Compare::ZoomOut)),
        (Key::Char('0'), Action::Compare(Compare::ZoomAll)),
    ], &[("zoom in", Action::Compare(Compare::ZoomIn)), ("zoom out", Action::Compare(Compare::ZoomOut)), ("zoom all", Action::Compare(Compare::ZoomAll))];
    COMPARE, ("x", "x axis", 4), "curves by epoch, step or time; sizes in bytes or bit operations" => Key::Char('x'), "x axis", Action::Compare(Compare::NextX);
    COMPARE, ("y", "log", 3), "curves on a linear or a logarithmic axis" => Key::Char('y'), "logarithmic axis", Action::Compare(Compare::NextY);
    COMPARE, ("v", "quantity", 3), "curves of top-1, validation loss, training loss or the loss of steps" => Key::Char('v'), "quantity", Action::Compare(Compare::NextQuantity);
    COMPARE, ("s", "smooth", 2), "smooth the curves more, or not at all" => Key::Char('s'), "smooth", Action::Compare(Compare::NextSmoothing);
    COMPARE, ("b", "", 0), "model size in bytes or bit operations of an image" => Key::Char('b'), "size axis", Action::Compare(Compare::NextSize);
    COMPARE, ("p", "published", 3), "published figures: of QIL, of every method, or none" => Key::Char('p'), "published", Action::Compare(Compare::NextPublished);
    COMPARE, ("M", "", 0), "unmark all trials: the chosen trial's network is compared" => Key::Char('M'), "unmark all", Action::Unmark;
    COMPARE, ("enter", "open", 1), "open the chosen trial" => Key::Code(KeyCode::Enter), "open", Action::Open;
    COMPARE, ("esc", "", 0), "back to the sweep", &[ESC], NONE;

    TRIAL, ("↑↓←→", "other trial", 8), "go to another network or width (also h j k l)", MOVE, NONE;
    TRIAL, ("esc", "back", 7), "back to the sweep", &[ESC, (Key::Code(KeyCode::Backspace), Action::Back)], NONE;

    LAYERS, ("↑↓", "layer", 8), "choose a layer (also j k, page keys)", UP_DOWN, NONE;
    LAYERS, ("pgup pgdn", "", 0), "move by a page; g goes to the first", PAGES, NONE;
    LAYERS, ("←→", "epoch", 7), "go back and forth in time (also h l)", SIDEWAYS, NONE;
    LAYERS, ("f", "live", 5), "follow the newest epoch" => Key::Char('f'), "live", Action::Layers(Layers::Live);
    LAYERS, ("b", "beside", 6), "show the trial that this one started from beside it, or the first marked one" => Key::Char('b'), "beside", Action::Layers(Layers::Beside);
    LAYERS, ("[ ]", "bits", 4), "go to the wider or the narrower trial of this network", &[
        (Key::Char('['), Action::Layers(Layers::WiderTrial)),
        (Key::Char(']'), Action::Layers(Layers::NarrowerTrial)),
    ], &[("wider trial", Action::Layers(Layers::WiderTrial)), ("narrower trial", Action::Layers(Layers::NarrowerTrial))];
    LAYERS, ("enter", "", 0), "open the trial", &[ENTER], NONE;
    LAYERS, ("esc", "", 0), "back to the sweep", &[ESC], NONE;

    WORKERS, ("↑↓", "choose", 8), "choose a worker (also j k)", UP_DOWN, NONE;
    WORKERS, ("pgup pgdn", "", 0), "move by a page; g goes to the first", PAGES, NONE;
    WORKERS, ("enter", "its trial", 7), "open the trial that the chosen worker runs" => Key::Code(KeyCode::Enter), "open its trial", Action::Open;
    WORKERS, ("esc", "", 0), "back to the sweep", &[ESC], NONE;

    LOG, ("↑↓", "scroll", 8), "scroll (also j k, page keys, ctrl-u ctrl-d; g goes to the oldest line)", UP_DOWN, NONE;
    LOG, ("pgup pgdn", "", 0), "scroll by a page", PAGES, NONE;
    LOG, ("f", "follow", 7), "follow the newest line (also G, end)", &[
        (Key::Char('f'), Action::Bottom), (Key::Char('G'), Action::Bottom), (Key::Code(KeyCode::End), Action::Bottom),
    ], &[("follow", Action::Bottom)];
    LOG, ("l", "level", 6), "show info, warnings, errors, or everything" => Key::Char('l'), "level", Action::Log(Log::NextLevel);
    LOG, ("t", "trial", 5), "show only lines of the chosen trial" => Key::Char('t'), "only this trial", Action::Log(Log::OneTrial);
    LOG, ("w", "worker", 5), "show only lines of the worker chosen on the Workers screen" => Key::Char('w'), "only this worker", Action::Log(Log::OneWorker);
    LOG, ("/", "search", 6), "show only lines with a text in them" => Key::Char('/'), "search", Action::Log(Log::Search);
    LOG, ("esc", "", 0), "end the search and the filters; without any, back to the sweep", &[ESC], NONE;

    Scope::Replay, ("space", "play", 7), "play on or stand still" => Key::Char(' '), "play", Action::Replay(Replay::PlayPause);
    Scope::Replay, (", .", "time", 7), "go back and forth in the recording", &[
        (Key::Char(','), Action::Replay(Replay::Back)), (Key::Char('.'), Action::Replay(Replay::Forward)),
    ], &[("back in time", Action::Replay(Replay::Back)), ("forth in time", Action::Replay(Replay::Forward))];
    Scope::Replay, ("< >", "speed", 5), "play slower or faster", &[
        (Key::Char('<'), Action::Replay(Replay::Slower)), (Key::Char('>'), Action::Replay(Replay::Faster)),
    ], &[("slower", Action::Replay(Replay::Slower)), ("faster", Action::Replay(Replay::Faster))];
    Scope::Replay, ("ctrl-a", "", 0), "go to the start of the recording (end: ctrl-e)", &[
        (Key::Control('a'), Action::Replay(Replay::Start)), (Key::Control('e'), Action::Replay(Replay::End)),
    ], &[("start of the recording", Action::Replay(Replay::Start)), ("end of the recording", Action::Replay(Replay::End))];

    ALL, ("1-6", "screens", 4), "go to a screen (also tab, shift-tab)", &[
        (Key::Char('1'), Action::Show(Screen::Sweep)),
        (Key::Char('2'), Action::Show(Screen::Compare)),
        (Key::Char('3'), Action::Show(Screen::Trial)),
        (Key::Char('4'), Action::Show(Screen::Layers)),
        (Key::Char('5'), Action::Show(Screen::Workers)),
        (Key::Char('6'), Action::Show(Screen::Log)),
        (Key::Code(KeyCode::Tab), Action::NextScreen),
        (Key::Code(KeyCode::BackTab), Action::PreviousScreen),
    ], &[
        ("sweep", Action::Show(Screen::Sweep)),
        ("compare", Action::Show(Screen::Compare)),
        ("trial", Action::Show(Screen::Trial)),
        ("layers", Action::Show(Screen::Layers)),
        ("workers", Action::Show(Screen::Workers)),
        ("log", Action::Show(Screen::Log)),
    ];
    ALL, ("m", "mark", 6), "mark the chosen trial for comparison, at most eight; again: unmark it" => Key::Char('m'), "mark", Action::Mark;
    ALL, ("c", "compare", 5), "compare the marked trials" => Key::Char('c'), "compare marked", Action::Show(Screen::Compare);
    ALL, ("i", "", 0), "copy the id of the chosen trial to the terminal's clipboard" => Key::Char('i'), "copy id", Action::CopyId;
    ALL, ("e", "", 0), "write what is on screen to a CSV file in this folder" => Key::Char('e'), "export csv", Action::ExportCsv;
    ALL, ("E", "", 0), "write a picture of the screen to an SVG file in this folder" => Key::Char('E'), "export svg", Action::ExportSvg;
    ALL, ("T", "", 0), "use the next theme" => Key::Char('T'), "next theme", Action::NextTheme;
    ALL, ("x", "cancel", 3), "cancel the sweep: what runs stops at its last checkpoint (asks first)" => Key::Char('x'), "cancel sweep", Action::AskCancel;
    ALL, ("R", "resume", 2), "resume what was cancelled and retry what failed" => Key::Char('R'), "resume and retry", Action::Resume;
    ALL, (":", "command", 8), "do anything by its name" => Key::Char(':'), "commands", Action::Palette;
    ALL, ("?", "keys", 9), "list the keys of this screen" => Key::Char('?'), "keys", Action::Help;
    ALL, ("q", "leave", 10), "leave (also ctrl-c); the sweep goes on unless you stop it", &[(Key::Char('q'), Action::Leave), (Key::Control('c'), Action::Leave)], &[("leave", Action::Leave)];

    Scope::Help, ("esc", "close", 10), "close the list", &[
        (Key::Code(KeyCode::Esc), Action::Close), (Key::Char('?'), Action::Close),
        (Key::Char('q'), Action::Close), (Key::Code(KeyCode::Enter), Action::Close),
        (Key::Control('c'), Action::Leave),
    ], NONE;
    Scope::Palette, ("↑↓", "choose", 8), "choose a command", &[
        (Key::Code(KeyCode::Up), Action::Text(Text::Previous)), (Key::Code(KeyCode::Down), Action::Text(Text::Next)),
        (Key::Control('p'), Action::Text(Text::Previous)), (Key::Control('n'), Action::Text(Text::Next)),
        (Key::Code(KeyCode::BackTab), Action::Text(Text::Previous)), (Key::Code(KeyCode::Tab), Action::Text(Text::Next)),
    ], NONE;
    Scope::Palette, ("enter", "do it", 9), "do it", &[(Key::Code(KeyCode::Enter), Action::Text(Text::Accept))], NONE;
    Scope::Palette, ("esc", "close", 10), "close", &[(Key::Code(KeyCode::Esc), Action::Close), (Key::Control('c'), Action::Close)], NONE;
    Scope::Palette, ("backspace", "", 0), "delete a character; ctrl-u deletes all", &[
        (Key::Code(KeyCode::Backspace), Action::Text(Text::Erase)), (Key::Control('u'), Action::Text(Text::Clear)),
    ], NONE;
    Scope::ConfirmCancel, ("y", "cancel the sweep", 9), "cancel the sweep", &[(Key::Char('y'), Action::Cancel)], NONE;
    Scope::ConfirmCancel, ("esc", "leave it running", 10), "leave it running", &[
        (Key::Code(KeyCode::Esc), Action::Close), (Key::Char('n'), Action::Close),
        (Key::Char('q'), Action::Close), (Key::Control('c'), Action::Close),
    ], NONE;
    Scope::Leaving, ("s", "stop the sweep (run again resumes)", 9), "stop the sweep; running it again resumes where it was", &[
        (Key::Char('s'), Action::StopSweep), (Key::Control('c'), Action::StopSweep),
    ], NONE;
    Scope::Leaving, ("k", "keep it going without the dashboard", 8), "leave the dashboard; the sweep goes on", &[(Key::Char('k'), Action::KeepRunning)], NONE;
    Scope::Leaving, ("esc", "stay", 10), "stay", &[(Key::Code(KeyCode::Esc), Action::Close), (Key::Char('n'), Action::Close)], NONE;
    Scope::Typing, ("enter", "keep", 9), "keep the text", &[(Key::Code(KeyCode::Enter), Action::Text(Text::Accept))], NONE;
    Scope::Typing, ("esc", "drop", 10), "drop the text", &[(Key::Code(KeyCode::Esc), Action::Text(Text::Drop)), (Key::Control('c'), Action::Text(Text::Drop))], NONE;
    Scope::Typing, ("backspace", "", 0), "delete a character; ctrl-u deletes all", &[
        (Key::Code(KeyCode::Backspace), Action::Text(Text::Erase)), (Key::Control('u'), Action::Text(Text::Clear)),
    ], NONE;
};
