//! When a sweep ends: its trials laid on the slots there are, longest chain first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::sweep::Sweep;
use crate::model::sweep::speeds::remaining;
use crate::model::trial::TrialState;
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
    // Children of a task as a chain of siblings: the first of a parent, the next of a child.
    let mut first: Vec<Option<usize>> = vec![None; tasks.len()];
    let mut sibling: Vec<Option<usize>> = vec![None; tasks.len()];
    for (at, task) in tasks.iter().enumerate().rev() {
        if let Some(parent) = task.after {
            path[parent] = path[parent].max(tasks[parent].seconds + path[at]);
            sibling[at] = first[parent].replace(at);
        }
    }
    let milliseconds = |seconds: f64| (seconds.max(0.0) * 1000.0) as u64;
    let indexed = || tasks.iter().enumerate();
    let free = indexed().filter(|(_, t)| !t.running && t.after.is_none());
    let mut ready: BinaryHeap<(u64, usize)> =
        free.map(|(at, _)| (milliseconds(path[at]), at)).collect();
    let held = indexed().filter(|(_, t)| t.running);
    let mut ends: BinaryHeap<Reverse<(u64, usize)>> =
        held.map(|(at, t)| Reverse((milliseconds(t.seconds), at))).collect();
    let mut now = 0;
    loop {
        while ends.len() < slots {
            let Some((_, at)) = ready.pop() else { break };
            ends.push(Reverse((now + milliseconds(tasks[at].seconds), at)));
        }
        let Some(Reverse((end, at))) = ends.pop() else { break };
        now = end;
        let mut child = first[at];
        while let Some(task) = child {
            if !tasks[task].running {
                ready.push((milliseconds(path[task]), task));
            }
            child = sibling[task];
        }
    }
    ready.is_empty().then_some(now as f64 / 1000.0)
}

/// Seconds until nothing of `sweep` can run any more; `None` while a cost is unknown or no worker
/// is there.
pub(crate) fn sweep_seconds(sweep: &Sweep) -> Option<f64> {
    let trials = &sweep.trials;
    let mut place: Vec<Option<usize>> = vec![None; trials.len()];
    let mut tasks = Vec::new();
    for (at, trial) in trials.iter().enumerate().filter(|(_, t)| !t.state.is_final()) {
        place[at] = Some(tasks.len());
        tasks.push(Task {
            after: trials.parent(at).and_then(|parent| place[parent]),
            seconds: remaining(trials, trial)?,
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
