//! Published figures beside our own.

use bitsweep_sweep::{PUBLISHED_DATASET, PublishedFigure, published_figure};

use super::format::{percent, points};
use crate::model::trial::Trial;

/// The method that bitsweep trains.
pub(crate) const METHOD: &str = "QIL";

/// Whether what a trial measures is what the papers measured.
pub(crate) fn is_comparable(trial: &Trial) -> bool {
    trial.spec.data.name == PUBLISHED_DATASET && trial.spec.model.width == 1.0
}

/// The figure of our method for a trial; `None` where another data set or network is trained.
pub(crate) fn of(trial: &Trial) -> Option<&'static PublishedFigure> {
    let spec = &trial.spec;
    is_comparable(trial).then(|| published_figure(METHOD, spec.model.network, spec.bits)).flatten()
}

/// `QIL 65.7 −4.50`; an unverified one has a question mark.
pub(crate) fn short(figure: &PublishedFigure) -> String {
    let gap = figure.gap().map_or_else(String::new, |g| format!(" {}", points(g).trim_start()));
    let doubt = if figure.verified { "" } else { "?" };
    format!("{} {}{doubt}{gap}", figure.method, percent(figure.top1).trim_start())
}

/// [`short`], and without its gap or its method where there is less room.
pub(crate) fn forms(figure: &PublishedFigure) -> Vec<String> {
    let long = short(figure);
    let words: Vec<&str> = long.split(' ').collect();
    let forms = [words.join(" "), words.iter().take(2).copied().collect::<Vec<_>>().join(" ")];
    forms.into_iter().chain(words.last().map(|gap| (*gap).to_owned())).collect()
}
