//! The table of workers as text.

use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::model::worker::{Liveness, Worker};
use crate::view_model::csv;
use crate::view_model::format::{age, bytes, thousands, width};
use crate::view_model::summary::title;
use crate::view_model::table::Column;
use crate::view_model::text::Tone;

/// A row.
pub(crate) struct Row {
    pub(crate) cells: Vec<String>,
    pub(crate) tone: Tone,
    pub(crate) stale: bool,
}

/// The table.
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
}

/// Title, right-aligned, priority, widest.
const COLUMNS: [(&str, bool, u8, usize); 11] = [
    ("worker", false, 11, 20),
    ("state", false, 10, 12),
    ("slots", true, 6, 7),
    ("trials", false, 9, 44),
    ("img/s", true, 8, 9),
    ("heard", true, 7, 9),
    ("CPU", true, 5, 5),
    ("memory", true, 4, 6),
    ("used", true, 2, 8),
    ("version", false, 3, 12),
    ("device", false, 1, 48),
];

/// The table of `sweep`'s workers from the one at `first`, at most `rows` of them.
pub(crate) fn table(model: &Model, sweep: &Sweep, first: usize, rows: usize) -> Table {
    let workers = sweep.workers.iter().skip(first).take(rows);
    let rows: Vec<Row> = workers.map(|w| row(model, sweep, w)).collect();
    let columns =
        COLUMNS.iter().enumerate().map(|(at, &(title, right_aligned, priority, most))| {
            let widest = rows.iter().map(|r| width(&r.cells[at])).max().unwrap_or(0);
            Column { title, right_aligned, priority, width: widest.clamp(width(title), most) }
        });
    Table { columns: columns.collect(), rows }
}

fn row(model: &Model, sweep: &Sweep, worker: &Worker) -> Row {
    let silent = matches!(worker.liveness, Liveness::Silent | Liveness::Lost);
    let stale = silent || model.is_stale();
    let mark = match worker.liveness {
        Liveness::Connected if stale => "?",
        Liveness::Connected => "●",
        Liveness::Silent | Liveness::Lost => "?",
        Liveness::Left => "·",
    };
    let state = if worker.draining && worker.liveness == Liveness::Connected {
        "draining"
    } else {
        worker.liveness.word()
    };
    let trials = worker.running.iter().filter_map(|id| sweep.trials.index_of_id(id));
    let running: Vec<_> = trials.map(|at| &sweep.trials[at]).collect();
    let rate: f64 = running.iter().filter_map(|t| t.progress).map(|p| p.images_per_second).sum();
    let names: Vec<String> = running.iter().map(|t| title(sweep, t)).collect();
    let unknown = || "--".to_owned();
    let share =
        |used: u64, total: u64| format!("{:.0} %", 100.0 * used as f64 / total.max(1) as f64);
    let memory = worker.memory_used_bytes.zip(worker.memory_total_bytes).filter(|_| !stale);
    let plural = if worker.threads == 1 { "" } else { "s" };
    let heard = age(model.server_now_ms(sweep) - worker.last_heard_ms);
    Row {
        cells: vec![
            format!("{mark} {}", worker.name),
            state.to_owned(),
            format!("{} of {}", worker.running.len(), worker.slots),
            if names.is_empty() { "idle".to_owned() } else { names.join(", ") },
            if stale || rate <= 0.0 { unknown() } else { thousands(rate.round() as u64) },
            if worker.liveness == Liveness::Left { unknown() } else { heard },
            worker.cpu_percent.filter(|_| !stale).map_or_else(unknown, |c| format!("{c:.0} %")),
            memory.map_or_else(unknown, |(used, total)| share(used, total)),
            worker.memory_used_bytes.filter(|_| !stale).map_or_else(unknown, bytes),
            worker.version.clone(),
            format!("{} × {} thread{plural}", worker.devices.join(", "), worker.threads),
        ],
        tone: match worker.liveness {
            Liveness::Connected => Tone::Plain,
            Liveness::Silent => Tone::Attention,
            Liveness::Lost => Tone::Bad,
            Liveness::Left => Tone::Dim,
        },
        stale,
    }
}

/// What is to be known of workers that are not heard from, one line each.
pub(crate) fn warnings(model: &Model, sweep: &Sweep) -> Vec<String> {
    let now_ms = model.server_now_ms(sweep);
    let warn = |w: &Worker| {
        let since = age(now_ms - w.last_heard_ms);
        let name = &w.name;
        match (w.liveness, w.running.len()) {
            (Liveness::Silent, 0) => Some(format!("{name} not heard from for {since}")),
            (Liveness::Silent, _) => Some(format!(
                "{name} not heard from for {since}; its trials move on when the lease ends"
            )),
            (Liveness::Lost, _) => Some(format!(
                "{name} is lost, last heard {since} ago; its trials go to other workers"
            )),
            _ => None,
        }
    };
    sweep.workers.iter().filter_map(warn).collect()
}

/// The workers, as CSV.
pub(crate) fn export(model: &Model, sweep: &Sweep) -> String {
    let all = table(model, sweep, 0, usize::MAX);
    let titles: Vec<&str> = all.columns.iter().map(|c| c.title).collect();
    let rows = all.rows.iter().map(|row| {
        let cells: Vec<&str> = row.cells.iter().map(String::as_str).collect();
        csv::line(&cells)
    });
    std::iter::once(csv::line(&titles)).chain(rows).collect()
}
