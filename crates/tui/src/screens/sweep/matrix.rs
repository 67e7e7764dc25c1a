//! The matrix as text.

use bitsweep_sweep::{Bits, Network};

use super::cell::{Cell, Context};
use super::grid::{Grid, index};
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::view_model::cost::Costs;
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

/// What the matrix of `model` says; `None` without a sweep.
pub(crate) fn matrix(model: &Model) -> Option<Matrix> {
    let sweep = model.sweep.as_ref()?;
    let grid = Grid::of(sweep);
    let selected = model.selected().and_then(|t| index(sweep, &t.spec.name));
    let selected = selected.and_then(|trial| grid.place(trial));
    let comparison = sweep.comparison();
    let costs = Costs::measure(sweep);
    let context = Context {
        sweep,
        comparison: &comparison,
        costs: &costs,
        stale: model.is_stale(),
        server_now_ms: model.server_now_ms(sweep),
    };
    let cell = |row, column| {
        let trial = &sweep.trials[grid.at(row, column)?];
        Some(context.cell(trial, selected == Some((row, column))))
    };
    let row = |(at, &(network, seed)): (usize, &(Network, u64))| {
        let parameters = (0..grid.columns.len())
            .filter_map(|c| Some(sweep.trials[grid.at(at, c)?].parameters))
            .find(|n| *n > 0);
        Row {
            network,
            title: if grid.has_seeds() {
                format!("{network} s{seed}")
            } else {
                network.to_string()
            },
            detail: parameters.map_or_else(String::new, count),
            cells: (0..grid.columns.len()).map(|column| cell(at, column)).collect(),
        }
    };
    Some(Matrix {
        caption: caption(sweep),
        columns: grid.columns.iter().map(|c| c.title()).collect(),
        compared: grid.columns.iter().map(|c| !c.control && c.bits != Bits::FULL).collect(),
        rows: grid.rows.iter().enumerate().map(row).collect(),
        selected,
    })
}

fn caption(sweep: &Sweep) -> String {
    let images = sweep.trials.first().and_then(|t| sweep.validation_images(t));
    let images = images.map_or_else(
        || "the validation images".to_owned(),
        |n| format!("{} validation images", thousands(n)),
    );
    format!("top-1 % on {images} · Δ in points against 32 bits, same seed")
}
