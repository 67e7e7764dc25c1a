//! Prints what changed in the model since the last time.

use std::collections::HashMap;
use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::news::{Printed, news};
use super::table;
use crate::model::sweep::{Sweep, SweepState};
use crate::model::trial::{Trial, TrialState};
use crate::model::{Link, Model};
use crate::view::ascii;
use crate::view_model::format::{clock, duration, width};
use crate::view_model::summary::title;

/// How a sweep came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Whether every trial of the sweep finished.
    pub all_finished: bool,
    /// Names of the trials that failed or are blocked by one that did.
    pub failed: Vec<String>,
    /// Names of the trials that were cancelled or not run to their end.
    pub unfinished: Vec<String>,
}

/// Prints the changes of a model, one line each.
#[derive(Debug)]
pub struct PlainPrinter {
    unicode: bool,
    zone: TimeZone,
    /// By trial id.
    printed: HashMap<String, Printed>,
    begun: bool,
    link: Link,
}

impl PlainPrinter {
    /// Times are printed in `zone`; without `unicode` everything is ASCII.
    pub fn new(unicode: bool, zone: TimeZone) -> Self {
        Self { unicode, zone, printed: HashMap::new(), begun: false, link: Link::Connecting }
    }

    /// Whether nothing more will come.
    pub fn is_over(model: &Model) -> bool {
        model.sweep.as_ref().is_some_and(|s| s.state != SweepState::Active)
    }

    /// Prints what changed.
    ///
    /// # Errors
    /// Of `out`.
    pub fn print(&mut self, model: &Model, out: &mut dyn Write) -> io::Result<()> {
        let now = clock(model.now_ms, &self.zone);
        if let Some(text) = link_news(&self.link, &model.link) {
            self.line(out, &format!("{now}  {text}"))?;
        }
        self.link = model.link.clone();
        let Some(sweep) = &model.sweep else { return Ok(()) };
        if !self.begun {
            self.begun = true;
            self.line(out, &format!("{now}  {}", opening(sweep)))?;
        }
        let names = sweep.trials.iter().map(|t| width(&name(sweep, t))).max().unwrap_or(0);
        for trial in sweep.trials.iter() {
            let printed = self.printed.entry(trial.id.as_str().to_owned()).or_default();
            for text in news(sweep, trial, printed) {
                let name = name(sweep, trial);
                let pad = " ".repeat(names - width(&name));
                self.line(out, &format!("{now}  {name}{pad}  {text}"))?;
            }
        }
        Ok(())
    }

    /// Prints the comparison and what failed.
    ///
    /// # Errors
    /// Of `out`.
    pub fn finish(&self, model: &Model, out: &mut dyn Write) -> io::Result<Summary> {
        let Some(sweep) = &model.sweep else {
            return Ok(Summary { all_finished: false, failed: Vec::new(), unfinished: Vec::new() });
        };
        let mut lines = vec![String::new()];
        lines.extend(table::comparison(sweep));
        let failures = table::failures(sweep);
        if !failures.is_empty() {
            lines.push(String::new());
            lines.extend(failures);
        }
        lines.extend([String::new(), closing(model, sweep)]);
        for line in &lines {
            self.line(out, line)?;
        }
        Ok(summary(sweep))
    }

    fn line(&self, out: &mut dyn Write, text: &str) -> io::Result<()> {
        if self.unicode { writeln!(out, "{text}") } else { writeln!(out, "{}", ascii::text(text)) }
    }
}

fn link_news(before: &Link, now: &Link) -> Option<String> {
    match (before, now) {
        (before, now) if before == now => None,
        // The reason may change while it stays down; once is enough.
        (Link::Down { .. }, Link::Down { .. }) => None,
        (_, Link::Down { reason }) => Some(format!("reconnecting to the coordinator ({reason})")),
        (_, Link::NoSweep) => Some("the coordinator has no sweep yet; waiting".to_owned()),
        (Link::Down { .. }, Link::Connected) => Some("connected again".to_owned()),
        (_, Link::Connected | Link::Connecting) => None,
    }
}

/// `resnet18 4 bits`.
fn name(sweep: &Sweep, trial: &Trial) -> String {
    title(sweep, trial).replace(" · ", " ")
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

fn opening(sweep: &Sweep) -> String {
    let (all, done) = (sweep.trials.len(), sweep.count(&[TrialState::Finished]));
    let workers = sweep.workers.iter().filter(|w| w.usable_slots() > 0).count();
    let start = format!("sweep {} ({}), {all} trial{}", sweep.name, sweep.id, plural(all));
    format!("{start}, {done} done, {workers} worker{}", plural(workers))
}

fn closing(model: &Model, sweep: &Sweep) -> String {
    let word = match sweep.state {
        SweepState::Active => "not finished yet",
        SweepState::Finished => "finished",
        SweepState::Failed => "failed",
        SweepState::Cancelled => "cancelled",
    };
    let end_ms = sweep.ended_ms.unwrap_or_else(|| model.server_now_ms(sweep));
    let took = duration((end_ms - sweep.created_ms) as f64 / 1000.0);
    let finished = sweep.count(&[TrialState::Finished]);
    format!("{} {word}: {finished} of {} trials in {took}", sweep.name, sweep.trials.len())
}

fn summary(sweep: &Sweep) -> Summary {
    let finished = sweep.count(&[TrialState::Finished]);
    let named = |states: &[TrialState]| -> Vec<String> {
        let of = sweep.trials.iter().filter(|t| states.contains(&t.state));
        of.map(|t| t.spec.name.to_string()).collect()
    };
    use TrialState::{Blocked, Cancelled, Failed, Ready, Running, Waiting};
    Summary {
        all_finished: finished == sweep.trials.len() && sweep.unreadable == 0 && finished > 0,
        failed: named(&[Failed, Blocked]),
        unfinished: named(&[Waiting, Ready, Running, Cancelled]),
    }
}
