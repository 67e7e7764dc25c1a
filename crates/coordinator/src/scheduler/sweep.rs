//! What the scheduler holds of sweeps and their trials.

use std::cmp::Reverse;
use std::collections::HashMap;

use bitsweep_sweep::{AttemptEnd, Plan, RetrySettings, SweepId, TrialId, TrialName};

use super::value::{AttemptId, Checkpoint, SweepState, Timestamp, TrialState, WorkerId};

/// Longest wait before another attempt.
const LONGEST_BACKOFF_MS: f64 = 600_000.0;

/// How many trials of a sweep are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepCounts {
    counts: [u32; 7],
}

impl SweepCounts {
    /// Trials in `state`.
    pub fn of(&self, state: TrialState) -> u32 {
        self.counts[state as usize]
    }

    /// All trials.
    pub fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Where the sweep stands.
    pub fn state(&self) -> SweepState {
        let is_open = [TrialState::Waiting, TrialState::Ready, TrialState::Running]
            .into_iter()
            .any(|state| self.of(state) > 0);
        if is_open {
            SweepState::Active
        } else if self.of(TrialState::Failed) + self.of(TrialState::Blocked) > 0 {
            SweepState::Failed
        } else if self.of(TrialState::Cancelled) > 0 {
            SweepState::Cancelled
        } else {
            SweepState::Finished
        }
    }

    pub(super) fn moved(&mut self, from: TrialState, to: TrialState) {
        self.counts[from as usize] -= 1;
        self.counts[to as usize] += 1;
    }
}

#[derive(Debug)]
pub(super) struct Sweep {
    /// In plan order: every trial after its parent.
    pub(super) trials: Vec<TrialId>,
    pub(super) retry: RetrySettings,
    pub(super) counts: SweepCounts,
    /// Whether its end was announced since it last had something to do.
    pub(super) is_ended: bool,
}

/// Place in the queue of ready trials: most work behind it first, then first come, first served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    remaining: Reverse<u64>,
    sweep: u64,
    index: usize,
}

#[derive(Debug)]
pub(super) struct Trial {
    pub(super) sweep: SweepId,
    pub(super) name: TrialName,
    pub(super) parent: Option<TrialId>,
    pub(super) children: Vec<TrialId>,
    pub(super) rank: Rank,
    pub(super) state: TrialState,
    pub(super) attempts_used: u32,
    /// 0: never tried.
    pub(super) last_attempt: u32,
    pub(super) last_end: Option<AttemptEnd>,
    pub(super) last_worker: Option<WorkerId>,
    pub(super) newest: Option<Checkpoint>,
    pub(super) final_checkpoint: Option<Checkpoint>,
    pub(super) retry_at: Option<Timestamp>,
}

impl Trial {
    /// Whether `worker` may go on with `attempt` although its lease ran out: nobody else was given
    /// the trial since.
    pub(super) fn is_revivable(&self, attempt: u32, worker: &WorkerId) -> bool {
        self.is_lost(attempt) && self.last_worker.as_ref() == Some(worker)
    }

    /// Whether `attempt` is the newest, was taken for lost, and was not replaced.
    pub(super) fn is_lost(&self, attempt: u32) -> bool {
        self.state == TrialState::Ready
            && self.last_end == Some(AttemptEnd::Lost)
            && self.last_attempt == attempt
    }

    /// "continues from step 312" or "starts from the beginning".
    pub(super) fn continuation(&self, verb: &str) -> String {
        match &self.newest {
            Some(checkpoint) => format!("continues {verb}from step {}", checkpoint.step),
            None => format!("starts {verb}from the beginning"),
        }
    }
}

/// The trials of a new sweep, all waiting. `number` grows from sweep to sweep.
pub(super) fn build(sweep: &SweepId, plan: &Plan, number: u64) -> (Sweep, Vec<(TrialId, Trial)>) {
    let index_of: HashMap<&TrialName, usize> =
        plan.trials.iter().enumerate().map(|(index, t)| (&t.spec.name, index)).collect();
    let parent_of = |index: usize| {
        let name = plan.trials[index].spec.parent.as_ref()?;
        index_of.get(name).copied().filter(|parent| *parent < index)
    };
    let mut remaining: Vec<f64> = plan.trials.iter().map(|t| t.cost.max(0.0)).collect();
    let mut children = vec![Vec::new(); plan.trials.len()];
    for index in (0..plan.trials.len()).rev() {
        if let Some(parent) = parent_of(index) {
            let own = plan.trials[parent].cost.max(0.0);
            remaining[parent] = remaining[parent].max(own + remaining[index]);
            children[parent].insert(0, TrialId::of(sweep, &plan.trials[index].spec.name));
        }
    }
    let trials: Vec<(TrialId, Trial)> = plan
        .trials
        .iter()
        .zip(children)
        .enumerate()
        .map(|(index, (planned, children))| {
            let trial = Trial {
                sweep: sweep.clone(),
                name: planned.spec.name.clone(),
                parent: planned.spec.parent.as_ref().map(|name| TrialId::of(sweep, name)),
                children,
                // Bits of floats that are not negative sort as the floats do.
                rank: Rank { remaining: Reverse(remaining[index].to_bits()), sweep: number, index },
                state: TrialState::Waiting,
                attempts_used: 0,
                last_attempt: 0,
                last_end: None,
                last_worker: None,
                newest: None,
                final_checkpoint: None,
                retry_at: None,
            };
            (TrialId::of(sweep, &planned.spec.name), trial)
        })
        .collect();
    let mut counts = SweepCounts::default();
    counts.counts[TrialState::Waiting as usize] = trials.len() as u32;
    let ids = trials.iter().map(|(id, _)| id.clone()).collect();
    (Sweep { trials: ids, retry: plan.retry, counts, is_ended: false }, trials)
}

/// Wait before the next attempt when `used` (from 1) were used up.
pub(super) fn backoff_ms(retry: &RetrySettings, used: u32) -> i64 {
    let doublings = used.saturating_sub(1).min(31);
    let wait = retry.backoff_seconds * 1000.0 * f64::from(1u32 << doublings);
    wait.clamp(0.0, LONGEST_BACKOFF_MS) as i64
}

/// For messages about an attempt.
pub(super) fn describe(id: &AttemptId, name: &TrialName) -> String {
    format!("{name} (attempt {})", id.attempt)
}
