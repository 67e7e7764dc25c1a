//! The matrix as text.

use std::ops::Range;

use bitsweep_sweep::{Bits, Network};

use super::cell::{Cell, Context};
use super::grid::RowKey;
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::view_model::format::{count, thousands};

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) network: Network,
    pub(crate) title: String,
    /// Under the title.
    pub(crate) detail: String,
    /// One a column; `None` where the sweep has no such trial.
    pub(crate) cells: Vec<Option<Cell>>,
}

/// The matrix.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    pub(crate) caption: String,
    pub(crate) columns: Vec<String>,
    /// Whether the cells of a column have gaps.
    pub(crate) compared: Vec<bool>,
    pub(crate) rows: Vec<Row>,
    /// Row and column of the chosen trial.
    pub(crate) selected: Option<(usize, usize)>,
}

/// What the matrix of `model` says, with the rows `shown`; `None` without a sweep.
pub(crate) fn matrix(model: &Model, shown: Range<usize>) -> Option<Matrix> {
    let (sweep, grid) = (model.sweep.as_ref()?, &model.grid);
    let selected = model.selected().and_then(|t| sweep.trials.index(&t.spec.name));
    let selected = selected.and_then(|trial| grid.place(trial));
    let context = Context {
        model,
        sweep,
        stale: model.is_stale(),
        server_now_ms: model.server_now_ms(sweep),
    };
    let cell = |row, column| {
        let selected = selected == Some((row, column));
        match grid.at(row, column) {
            [] => None,
            [trial] => Some(context.cell(&sweep.trials[*trial], selected)),
            several => Some(context.together(several, selected)),
        }
    };
    let row = |(at, key): (usize, &RowKey)| {
        let first = |c: usize| grid.at(at, c).first().map(|&t| sweep.trials[t].parameters);
        let parameters = (0..grid.columns.len()).filter_map(first).find(|n| *n > 0);
        Row {
            network: key.network,
            title: match key.seed {
                Some(seed) => format!("{} s{seed}", key.network),
                None => key.network.to_string(),
            },
            detail: parameters.map_or_else(String::new, count),
            cells: (0..grid.columns.len()).map(|column| cell(at, column)).collect(),
        }
    };
    Some(Matrix {
        caption: caption(sweep, grid.seeds),
        columns: grid.columns.iter().map(|c| c.title()).collect(),
        compared: grid.columns.iter().map(|c| !c.control && c.bits != Bits::FULL).collect(),
        rows: grid.rows.iter().enumerate().take(shown.end).skip(shown.start).map(row).collect(),
        selected,
    })
}

fn caption(sweep: &Sweep, seeds: bool) -> String {
    let images = sweep.trials.first().and_then(|t| sweep.validation_images(t));
    let images = images.map_or_else(
        || "the validation images".to_owned(),
        |n| format!("{} validation images", thousands(n)),
    );
    let means = if seeds { "mean " } else { "" };
    format!("{means}top-1 % on {images} · Δ in points against 32 bits, same seed")
}
