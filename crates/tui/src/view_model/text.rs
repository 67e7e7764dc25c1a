//! Text with meaning: which of the theme's styles it wears, not what that looks like.

use bitsweep_sweep::{Bits, Network};

/// What a piece of text is. The theme gives it a style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    /// Titles and what is selected.
    Strong,
    /// Secondary.
    Dim,
    /// Full precision, the rule everything is measured against.
    Baseline,
    Good,
    Attention,
    /// Failure, and nothing else.
    Bad,
    /// Keys, the selection's marker.
    Accent,
    /// What somebody else measured.
    Published,
    /// Weights inside the learned interval, below it, above it.
    Inside,
    Pruned,
    Clipped,
    /// One of several compared trials, by its place among them.
    Series(usize),
    /// A network at a width: one hue a network, one lightness a width.
    Network(Network, Bits),
}

/// A piece of a line.
pub(crate) type Piece = (String, Tone);

/// A piece of a line.
pub(crate) fn piece(text: impl Into<String>, tone: Tone) -> Piece {
    (text.into(), tone)
}
