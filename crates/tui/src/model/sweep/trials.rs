//! The trials of a sweep with everything that is looked up or counted of them at every frame, kept
//! up to date a trial at a time: ten thousand trials cost no more to redraw than ten.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;

use bitsweep_sweep::{Bits, DataSpec, ModelSpec, Progress, TrainSettings, TrialName};

use super::speeds::Speeds;
use crate::model::trial::{Size, Trial, TrialState};

/// What the size of a network depends on.
type SizeKey = (ModelSpec, u32, Bits);

/// Trials in plan order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trials {
    all: Vec<Trial>,
    by_id: HashMap<String, usize>,
    by_name: HashMap<TrialName, usize>,
    /// Indices of parents and of references, by trial.
    parents: Vec<Option<usize>>,
    references: Vec<Option<usize>>,
    counts: [usize; TrialState::ALL.len()],
    running: BTreeSet<usize>,
    /// Data sets and their images, of training and of validation, once a trial told.
    data: Vec<(DataSpec, Option<(u64, u64)>)>,
    /// What was computed of the networks so far.
    sizes: Vec<(SizeKey, Option<Size>)>,
    /// Settings and how many trials have them.
    settings: Vec<(TrainSettings, usize)>,
    speeds: Speeds,
    /// Grows whenever a trial is added.
    shape: u64,
    /// Whether trials differ in their seeds.
    seeds: bool,
}

impl Deref for Trials {
    type Target = [Trial];

    fn deref(&self) -> &[Trial] {
        &self.all
    }
}

impl Trials {
    /// Adds a trial, or replaces the one of the same id; gives its index.
    pub(crate) fn put(&mut self, mut trial: Trial) -> usize {
        trial.data = self.learn_data(&trial);
        trial.size = self.size(&trial);
        match self.by_id.get(trial.id.as_str()).copied() {
            Some(at) => {
                self.forget(at);
                self.all[at] = trial;
                self.take_in(at);
                at
            }
            None => {
                let at = self.all.len();
                self.seeds |= self.all.first().is_some_and(|t| t.spec.seed != trial.spec.seed);
                self.by_id.insert(trial.id.as_str().to_owned(), at);
                self.by_name.insert(trial.spec.name.clone(), at);
                self.all.push(trial);
                self.parents.push(None);
                self.references.push(None);
                self.shape += 1;
                self.count_settings(at);
                self.link(at);
                self.take_in(at);
                at
            }
        }
    }

    /// The newest progress of a running trial.
    pub(crate) fn progress(&mut self, id: &str, progress: Progress) {
        let Some(&at) = self.by_id.get(id) else { return };
        self.forget(at);
        self.all[at].progress = Some(progress);
        self.take_in(at);
    }

    /// Resolves links that were added before what they point to.
    pub(crate) fn link_all(&mut self) {
        (0..self.all.len()).for_each(|at| self.link(at));
    }

    pub(crate) fn index(&self, name: &TrialName) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn index_of_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The trial whose checkpoint initialises the one at `at`.
    pub(crate) fn parent(&self, at: usize) -> Option<usize> {
        self.parents.get(at).copied().flatten()
    }

    /// The trial that the gap of the one at `at` refers to.
    pub(crate) fn reference(&self, at: usize) -> Option<usize> {
        self.references.get(at).copied().flatten()
    }

    /// Trials in any of these states.
    pub(crate) fn count(&self, states: &[TrialState]) -> usize {
        states.iter().map(|s| self.counts[*s as usize]).sum()
    }

    /// Trials that run, in plan order.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Trial> {
        self.running.iter().map(|&at| &self.all[at])
    }

    /// Images of training and of validation, once a trial of the same data told.
    pub(crate) fn images(&self, trial: &Trial) -> Option<(u64, u64)> {
        self.data.get(trial.data).and_then(|(_, images)| *images)
    }

    /// The settings that most trials have; `None` without trials.
    pub(crate) fn usual_settings(&self) -> Option<&TrainSettings> {
        // Of several as common, the first.
        let most = self.settings.iter().rev().max_by_key(|(_, n)| *n);
        most.map(|(settings, _)| settings)
    }

    /// What was measured of their speed.
    pub(crate) fn speeds(&self) -> &Speeds {
        &self.speeds
    }

    /// Whether trials differ in their seeds.
    pub(crate) fn has_seeds(&self) -> bool {
        self.seeds
    }

    /// Grows whenever a trial is added.
    pub(crate) fn shape(&self) -> u64 {
        self.shape
    }

    fn count_settings(&mut self, at: usize) {
        let settings = &self.all[at].spec.train;
        match self.settings.iter_mut().find(|(known, _)| known == settings) {
            Some((_, n)) => *n += 1,
            None => self.settings.push((settings.clone(), 1)),
        }
    }

    /// The place of the trial's data set among those there are.
    fn learn_data(&mut self, trial: &Trial) -> usize {
        let known = self.data.iter().position(|(data, _)| *data == trial.spec.data);
        let at = known.unwrap_or_else(|| {
            self.data.push((trial.spec.data.clone(), None));
            self.data.len() - 1
        });
        if let Some(p) = &trial.provenance {
            self.data[at].1 = Some((p.train_images, p.validation_images));
        }
        at
    }

    fn size(&mut self, trial: &Trial) -> Option<Size> {
        let key = (trial.spec.model, trial.spec.data.resolution, trial.spec.bits);
        if let Some((_, size)) = self.sizes.iter().find(|(k, _)| *k == key) {
            return *size;
        }
        let size = Size::of(&trial.spec);
        self.sizes.push((key, size));
        size
    }

    fn link(&mut self, at: usize) {
        let spec = &self.all[at].spec;
        let find = |name: &Option<TrialName>| {
            name.as_ref().and_then(|n| self.by_name.get(n).copied()).filter(|found| *found != at)
        };
        (self.parents[at], self.references[at]) = (find(&spec.parent), find(&spec.reference));
    }

    fn take_in(&mut self, at: usize) {
        let trial = &self.all[at];
        self.counts[trial.state as usize] += 1;
        if trial.state == TrialState::Running {
            self.running.insert(at);
        }
        let images = self.images(trial).map(|(train, _)| train);
        self.speeds.set(at, &self.all[at], images);
    }

    fn forget(&mut self, at: usize) {
        let trial = &self.all[at];
        self.counts[trial.state as usize] -= 1;
        self.running.remove(&at);
    }
}
