//! When what a snapshot tells happened. Progress within an epoch is not kept by anybody: between two
//! epochs a trial stands still.

use bitsweep_proto::v1;
use v1::watch_update::Update;

/// The updates of a sweep from its submission to its snapshot.
pub(super) fn updates(last: v1::SweepSnapshot) -> Vec<(i64, v1::WatchUpdate)> {
    let summary = last.summary.clone().unwrap_or_default();
    let (start, end) = (summary.created_ms, summary.ended_ms.unwrap_or(last.now_ms));
    let mut events: Vec<(i64, Update)> = vec![(start, Update::Snapshot(beginning(&last, start)))];
    for trial in &last.trials {
        events.extend(story(trial, end));
    }
    for line in &last.log {
        events.push((line.time_ms.clamp(start, end), Update::Log(line.clone())));
    }
    events.sort_by_key(|(time_ms, _)| *time_ms);
    // However the story was told, it ends as it ended.
    let close = events.last().map_or(end, |(time_ms, _)| end.max(*time_ms));
    events.push((close, Update::Snapshot(last)));
    let numbered = events.into_iter().enumerate();
    numbered
        .map(|(at, (time_ms, update))| {
            (time_ms, v1::WatchUpdate { cursor: at as u64 + 1, update: Some(update) })
        })
        .collect()
}

/// Nothing has happened yet.
fn beginning(last: &v1::SweepSnapshot, start: i64) -> v1::SweepSnapshot {
    let fresh = |trial: &v1::TrialStatus| {
        let parent = trial.spec.as_ref().is_some_and(|spec| spec.parent.is_some());
        let state = if parent { v1::TrialState::Waiting } else { v1::TrialState::Ready };
        v1::TrialStatus { state: state.into(), ..bare(trial) }
    };
    let idle = |worker: &v1::WorkerStatus| v1::WorkerStatus {
        running: Vec::new(),
        last_heard_ms: start,
        liveness: v1::Liveness::Connected.into(),
        ..worker.clone()
    };
    let summary = last.summary.clone().map(|summary| v1::SweepSummary {
        state: v1::SweepState::Active.into(),
        ended_ms: None,
        finished: 0,
        running: 0,
        failed: 0,
        ..summary
    });
    v1::SweepSnapshot {
        cursor: 1,
        summary,
        file: last.file.clone(),
        trials: last.trials.iter().map(fresh).collect(),
        workers: last.workers.iter().map(idle).collect(),
        log: Vec::new(),
        now_ms: start,
    }
}

/// A trial without anything that happened to it.
fn bare(trial: &v1::TrialStatus) -> v1::TrialStatus {
    v1::TrialStatus {
        trial_id: trial.trial_id.clone(),
        spec: trial.spec.clone(),
        parameters: trial.parameters,
        ..Default::default()
    }
}

/// What happened to a trial, attempt by attempt and epoch by epoch.
fn story(trial: &v1::TrialStatus, end: i64) -> Vec<(i64, Update)> {
    let mut events = Vec::new();
    let epochs = |up_to: u64| -> Vec<v1::EpochSummary> {
        trial.epochs.iter().filter(|e| e.step <= up_to).copied().collect()
    };
    for (at, attempt) in trial.attempts.iter().enumerate() {
        let mut attempts = trial.attempts[..=at].to_vec();
        if let Some(running) = attempts.last_mut() {
            (running.ended_ms, running.end) = (None, 0);
            running.message.clear();
        }
        let running = |known: Vec<v1::EpochSummary>| {
            Update::Trial(v1::TrialStatus {
                state: v1::TrialState::Running.into(),
                attempts: attempts.clone(),
                progress: known.last().map(|e| progress(trial, e)),
                epochs: known,
                provenance: trial.provenance.clone(),
                ..bare(trial)
            })
        };
        let from = attempt.from_step;
        let before = if from == 0 { Vec::new() } else { epochs(from) };
        events.push((attempt.started_ms, running(before)));
        // Steps that a later attempt did again were done then.
        let until = trial.attempts.get(at + 1).map_or(u64::MAX, |next| next.from_step);
        let last = attempt.ended_ms.unwrap_or(end);
        let mut time_ms = attempt.started_ms;
        for epoch in &trial.epochs {
            let own = (epoch.step > from || from == 0) && epoch.step <= until;
            if own {
                time_ms += (epoch.seconds * 1000.0) as i64;
                events.push((time_ms.min(last), running(epochs(epoch.step))));
            }
        }
        if let Some(ended_ms) = attempt.ended_ms {
            let ended = at + 1 == trial.attempts.len();
            let status = if ended {
                trial.clone()
            } else {
                v1::TrialStatus {
                    state: v1::TrialState::Ready.into(),
                    attempts: trial.attempts[..=at].to_vec(),
                    epochs: epochs(until),
                    ..bare(trial)
                }
            };
            events.push((ended_ms, Update::Trial(status)));
        }
    }
    events
}

/// Where a trial stands at the end of an epoch.
fn progress(trial: &v1::TrialStatus, epoch: &v1::EpochSummary) -> v1::Progress {
    let settings = trial.spec.as_ref().and_then(|spec| spec.train.as_ref());
    let total_epochs = settings.map_or(epoch.epoch.max(1), |train| train.epochs);
    let an_epoch = match (epoch.epoch, trial.epochs.last()) {
        (0, last) => last.map_or(0, |e| e.step / u64::from(e.epoch.max(1))),
        (n, _) => epoch.step / u64::from(n),
    };
    v1::Progress {
        phase: v1::Phase::Training.into(),
        step: epoch.step,
        total_steps: an_epoch * u64::from(total_epochs),
        epoch: (epoch.epoch + 1).min(total_epochs),
        total_epochs,
        images_per_second: epoch.images_per_second.unwrap_or(0.0),
        loss: epoch.train_loss,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_story_starts_with_nothing_and_ends_as_it_ended() {
        let last = fixture::failed_for_good();
        let all = updates(last.clone());
        assert!(all.is_sorted_by_key(|(time_ms, _)| *time_ms));
        let Some(Update::Snapshot(first)) = &all[0].1.update else { panic!("a snapshot first") };
        assert!(first.trials.iter().all(|t| t.attempts.is_empty() && t.epochs.is_empty()));
        let end = all.last().and_then(|(_, update)| update.update.clone());
        assert_eq!(end, Some(Update::Snapshot(last)));
    }

    #[test]
    fn epochs_come_one_by_one() {
        let trial = fixture::trial(0, 1).finished("gpu02");
        let told: Vec<usize> = story(&trial, fixture::NOW_MS)
            .into_iter()
            .filter_map(|(_, update)| match update {
                Update::Trial(status) => Some(status.epochs.len()),
                _ => None,
            })
            .collect();
        assert_eq!(told, [0, 1, 2, 3, 4, 5, 5]);
    }
}
