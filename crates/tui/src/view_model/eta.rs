//! When a sweep ends: its trials laid on the slots there are, longest chain first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::cost::Costs;
use crate::model::sweep::Sweep;
use crate::model::trial::{Trial, TrialState};
use crate::model::worker::Worker;

/// Work that is not done yet.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// Index of the task that must end first.
    pub(crate) after: Option<usize>,
    pub(crate) seconds: f64,
    /// Whether it has a slot already.
    pub(crate) running: bool,
}

/// Seconds until the last task ends on `slots` slots; `None` when there is no slot for what is left.
///
/// List scheduling by longest remaining path. A task's `after` must come before it.
pub(crate) fn makespan(tasks: &[Task], slots: usize) -> Option<f64> {
    let mut path: Vec<f64> = tasks.iter().map(|t| t.seconds).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    for (at, task) in tasks.iter().enumerate().rev() {
        if let Some(parent) = task.after {
            path[parent] = path[parent].max(tasks[parent].seconds + path[at]);
            children[parent].push(at);
        }
    }
    let milliseconds = |seconds: f64| (seconds.max(0.0) * 1000.0) as u64;
    let mut ready: BinaryHeap<(u64, usize)> = BinaryHeap::new();
    let mut ends: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    for (at, task) in tasks.iter().enumerate() {
        if task.running {
            ends.push(Reverse((milliseconds(task.seconds), at)));
        } else if task.after.is_none() {
            ready.push((milliseconds(path[at]), at));
        }
    }
    let mut now = 0;
    loop {
        while ends.len() < slots {
            let Some((_, at)) = ready.pop() else { break };
            ends.push(Reverse((now + milliseconds(tasks[at].seconds), at)));
        }
        let Some(Reverse((end, at))) = ends.pop() else { break };
        now = end;
        for &child in &children[at] {
            if !tasks[child].running {
                ready.push((milliseconds(path[child]), child));
            }
        }
    }
    ready.is_empty().then_some(now as f64 / 1000.0)
}

/// Seconds until `trial` ends, for a running one; `None` while unknown.
pub(crate) fn trial_seconds(sweep: &Sweep, trial: &Trial) -> Option<f64> {
    (trial.state == TrialState::Running).then(|| Costs::measure(sweep).remaining(trial)).flatten()
}

/// Seconds until nothing of `sweep` can run any more; `None` while a cost is unknown or no worker
/// is there.
pub(crate) fn sweep_seconds(sweep: &Sweep) -> Option<f64> {
    let costs = Costs::measure(sweep);
    let open: Vec<&Trial> = sweep.trials.iter().filter(|t| !t.state.is_final()).collect();
    let mut place: HashMap<&str, usize> = HashMap::new();
    let mut tasks = Vec::with_capacity(open.len());
    for trial in open {
        let parent = trial.spec.parent.as_ref();
        let after = parent.and_then(|name| place.get(name.as_str()).copied());
        place.insert(trial.spec.name.as_str(), tasks.len());
        tasks.push(Task {
            after,
            seconds: costs.remaining(trial)?,
            running: trial.state == TrialState::Running,
        });
    }
    makespan(&tasks, sweep.workers.iter().map(Worker::usable_slots).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(after: Option<usize>, seconds: f64) -> Task {
        Task { after, seconds, running: false }
    }

    fn running(seconds: f64) -> Task {
        Task { after: None, seconds, running: true }
    }

    #[test]
    fn a_chain_takes_its_sum_however_many_slots_there_are() {
        let chain = [task(None, 10.0), task(Some(0), 20.0), task(Some(1), 30.0)];
        assert_eq!(makespan(&chain, 8), Some(60.0));
    }

    #[test]
    fn independent_tasks_share_the_slots() {
        let tasks = [task(None, 10.0), task(None, 10.0), task(None, 10.0), task(None, 10.0)];
        assert_eq!(makespan(&tasks, 1), Some(40.0));
        assert_eq!(makespan(&tasks, 2), Some(20.0));
        assert_eq!(makespan(&tasks, 4), Some(10.0));
    }

    #[test]
    fn the_longest_chain_goes_first() {
        // Shortest first would end at 50: 10, then 20 + 20.
        let tasks = [task(None, 10.0), task(None, 20.0), task(Some(1), 20.0)];
        assert_eq!(makespan(&tasks, 1), Some(50.0));
        assert_eq!(makespan(&tasks, 2), Some(40.0));
    }

    #[test]
    fn running_tasks_hold_their_slots() {
        let tasks = [running(30.0), running(5.0), task(Some(1), 10.0), task(None, 4.0)];
        assert_eq!(makespan(&tasks, 2), Some(30.0));
        assert_eq!(makespan(&tasks[..1], 0), Some(30.0));
    }

    #[test]
    fn without_slots_the_end_is_unknown_unless_nothing_is_left() {
        assert_eq!(makespan(&[task(None, 1.0)], 0), None);
        assert_eq!(makespan(&[], 0), Some(0.0));
    }
}
