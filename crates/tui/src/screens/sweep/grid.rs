//! Which trials stand where in the matrix.

use std::collections::{BTreeSet, HashMap, HashSet};

use bitsweep_sweep::{Bits, Network, Role};

use crate::model::sweep::Sweep;

/// A column: a width, or the controls that the trials of a width are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// A row: a network, and one of its seeds or all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RowKey {
    pub(crate) network: Network,
    /// `None`: every seed there is.
    pub(crate) seed: Option<u64>,
}

/// The matrix of trials, by their index in the sweep.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grid {
    /// Full precision first, then descending; controls before the width they belong to.
    pub(crate) columns: Vec<Column>,
    /// In plan order.
    pub(crate) rows: Vec<RowKey>,
    cells: Vec<Vec<Vec<usize>>>,
    /// Row and column of each trial.
    places: Vec<(usize, usize)>,
    /// Whether some network has several seeds.
    pub(crate) seeds: bool,
    /// What it was made of.
    made: Option<(String, u64, BTreeSet<Network>)>,
}

impl Grid {
    /// Lays the trials of `sweep` out; networks with several seeds have one row unless `expanded`.
    /// Nothing is done when nothing changed.
    pub(crate) fn follow(&mut self, sweep: &Sweep, expanded: &BTreeSet<Network>) {
        let made = (sweep.id.as_str(), sweep.trials.shape());
        let same = |(id, shape, of): &(String, u64, BTreeSet<Network>)| {
            (id.as_str(), *shape) == made && of == expanded
        };
        if !self.made.as_ref().is_some_and(same) {
            *self = Self::of(sweep, expanded);
            self.made = Some((sweep.id.clone(), sweep.trials.shape(), expanded.clone()));
        }
    }

    pub(crate) fn of(sweep: &Sweep, expanded: &BTreeSet<Network>) -> Self {
        let mut seen: HashMap<Network, u64> = HashMap::new();
        let mut several: HashSet<Network> = HashSet::new();
        for spec in sweep.trials.iter().map(|t| &t.spec) {
            if *seen.entry(spec.model.network).or_insert(spec.seed) != spec.seed {
                several.insert(spec.model.network);
            }
        }
        let row = |network: Network, seed: u64| {
            let own = several.contains(&network) && expanded.contains(&network);
            RowKey { network, seed: own.then_some(seed) }
        };
        let compared: HashMap<usize, Bits> = (0..sweep.trials.len())
            .filter_map(|at| Some((sweep.trials.reference(at)?, sweep.trials[at].spec.bits)))
            .collect();
        let mut grid = Self { seeds: !several.is_empty(), ..Self::default() };
        let mut placed = Vec::with_capacity(sweep.trials.len());
        let (mut rows, mut columns) = (HashMap::new(), HashMap::new());
        for (at, trial) in sweep.trials.iter().enumerate() {
            let control = trial.spec.role == Role::Control;
            let bits = compared.get(&at).filter(|_| control).copied().unwrap_or(trial.spec.bits);
            let key = row(trial.spec.model.network, trial.spec.seed);
            let of_row = *rows.entry(key).or_insert_with(|| {
                grid.rows.push(key);
                grid.rows.len() - 1
            });
            let column = Column { bits, control };
            let of_column = *columns.entry(column).or_insert_with(|| {
                grid.columns.push(column);
                grid.columns.len() - 1
            });
            placed.push((of_row, of_column));
        }
        let mut order: Vec<usize> = (0..grid.columns.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (grid.columns[a], grid.columns[b]);
            b.bits.cmp(&a.bits).then(b.control.cmp(&a.control))
        });
        let mut rank = vec![0; order.len()];
        order.iter().enumerate().for_each(|(to, &from)| rank[from] = to);
        grid.columns = order.iter().map(|&at| grid.columns[at]).collect();
        grid.cells = vec![vec![Vec::new(); grid.columns.len()]; grid.rows.len()];
        for (trial, (row, column)) in placed.into_iter().enumerate() {
            let place = (row, rank[column]);
            grid.cells[place.0][place.1].push(trial);
            grid.places.push(place);
        }
        grid
    }

    /// Indices of the trials at a place, in plan order.
    pub(crate) fn at(&self, row: usize, column: usize) -> &[usize] {
        self.cells.get(row).and_then(|cells| cells.get(column)).map_or(&[], Vec::as_slice)
    }

    /// Row and column of the trial with that index.
    pub(crate) fn place(&self, trial: usize) -> Option<(usize, usize)> {
        self.places.get(trial).copied()
    }
}
