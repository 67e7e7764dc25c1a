//! Who holds which trial, and until when.

use std::collections::{BTreeMap, BTreeSet};

use bitsweep_sweep::TrialId;

use super::value::{AttemptId, Timestamp, WorkerId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) attempt: u32,
    pub(super) worker: WorkerId,
    pub(super) expires: Timestamp,
}

impl Lease {
    pub(super) fn id(&self, trial: &TrialId) -> AttemptId {
        AttemptId::new(trial.clone(), self.attempt)
    }
}

/// At most one lease for each trial.
#[derive(Debug, Default)]
pub(super) struct Leases {
    by_trial: BTreeMap<TrialId, Lease>,
    by_expiry: BTreeSet<(Timestamp, TrialId)>,
}

impl Leases {
    pub(super) fn get(&self, trial: &TrialId) -> Option<&Lease> {
        self.by_trial.get(trial)
    }

    pub(super) fn insert(&mut self, trial: TrialId, lease: Lease) {
        self.remove(&trial);
        self.by_expiry.insert((lease.expires, trial.clone()));
        self.by_trial.insert(trial, lease);
    }

    pub(super) fn remove(&mut self, trial: &TrialId) -> Option<Lease> {
        let lease = self.by_trial.remove(trial)?;
        self.by_expiry.remove(&(lease.expires, trial.clone()));
        Some(lease)
    }

    pub(super) fn renew(&mut self, trial: &TrialId, expires: Timestamp) {
        if let Some(lease) = self.by_trial.get_mut(trial) {
            self.by_expiry.remove(&(lease.expires, trial.clone()));
            lease.expires = expires;
            self.by_expiry.insert((expires, trial.clone()));
        }
    }

    /// Gives every lease `ms` more.
    pub(super) fn extend(&mut self, ms: i64) {
        for lease in self.by_trial.values_mut() {
            lease.expires += ms;
        }
        let all = self.by_trial.iter();
        self.by_expiry = all.map(|(trial, lease)| (lease.expires, trial.clone())).collect();
    }

    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.by_expiry.first().map(|(at, _)| *at)
    }

    /// A trial whose lease is over at `now`, the longest first.
    pub(super) fn next_expired(&self, now: Timestamp) -> Option<TrialId> {
        self.by_expiry.first().filter(|(at, _)| *at <= now).map(|(_, trial)| trial.clone())
    }
}
