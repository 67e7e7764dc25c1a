//! Which trial stands where in the matrix.

use bitsweep_sweep::{Bits, Network, Role, TrialName};

use crate::model::sweep::Sweep;
use crate::model::trial::Trial;

/// A column: a width, or the controls that the trials of a width are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) bits: Bits,
    pub(crate) control: bool,
}

impl Column {
    pub(crate) fn title(self) -> String {
        match (self.control, self.bits.weights == self.bits.activations) {
            (true, _) => format!("control of {}", self.bits),
            (false, true) => format!("{} bits", self.bits),
            (false, false) => self.bits.to_string(),
        }
    }
}

/// A row: a network and a seed.
pub(crate) type RowKey = (Network, u64);

/// The matrix of trials, by their index in the sweep.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    /// Full precision first, then descending; controls before the width they belong to.
    pub(crate) columns: Vec<Column>,
    /// In plan order.
    pub(crate) rows: Vec<RowKey>,
    cells: Vec<Vec<Option<usize>>>,
}

impl Grid {
    pub(crate) fn of(sweep: &Sweep) -> Self {
        let placed: Vec<(RowKey, Column)> =
            sweep.trials.iter().map(|t| (row_of(t), column_of(sweep, t))).collect();
        let mut rows: Vec<RowKey> = Vec::new();
        let mut columns: Vec<Column> = Vec::new();
        for (row, column) in &placed {
            if !rows.contains(row) {
                rows.push(*row);
            }
            if !columns.contains(column) {
                columns.push(*column);
            }
        }
        columns.sort_by(|a, b| b.bits.cmp(&a.bits).then(b.control.cmp(&a.control)));
        let mut cells = vec![vec![None; columns.len()]; rows.len()];
        for (trial, (row, column)) in placed.iter().enumerate() {
            let row = rows.iter().position(|r| r == row).unwrap_or_default();
            let column = columns.iter().position(|c| c == column).unwrap_or_default();
            cells[row][column].get_or_insert(trial);
        }
        Self { columns, rows, cells }
    }

    /// Index of the trial at a place.
    pub(crate) fn at(&self, row: usize, column: usize) -> Option<usize> {
        *self.cells.get(row)?.get(column)?
    }

    /// Row and column of the trial with that index.
    pub(crate) fn place(&self, trial: usize) -> Option<(usize, usize)> {
        self.cells
            .iter()
            .enumerate()
            .find_map(|(row, cells)| Some((row, cells.iter().position(|c| *c == Some(trial))?)))
    }

    /// Whether rows differ in their seeds.
    pub(crate) fn has_seeds(&self) -> bool {
        self.rows.iter().any(|(_, seed)| *seed != self.rows[0].1)
    }
}

fn row_of(trial: &Trial) -> RowKey {
    (trial.spec.model.network, trial.spec.seed)
}

fn column_of(sweep: &Sweep, trial: &Trial) -> Column {
    let control = trial.spec.role == Role::Control;
    let refers = |t: &&Trial| t.spec.reference.as_ref() == Some(&trial.spec.name);
    let bits = match sweep.trials.iter().find(refers).filter(|_| control) {
        Some(compared) => compared.spec.bits,
        None => trial.spec.bits,
    };
    Column { bits, control }
}

/// Index of the trial of that name.
pub(crate) fn index(sweep: &Sweep, name: &TrialName) -> Option<usize> {
    sweep.trials.iter().position(|t| t.spec.name == *name)
}
