//! What a trial is and where its numbers come from, as text.

use bitsweep_sweep::{AttemptEnd, Gamma, QuantizerLearningRate};
use jiff::tz::TimeZone;

use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::model::trial::{Attempt, Trial, TrialState};
use crate::view_model::csv;
use crate::view_model::format::{clip, clock, count, duration, shorten, thousands, width};
use crate::view_model::header::{Segment, Side};
use crate::view_model::mark::Mark;
use crate::view_model::summary::mark_tone;
use crate::view_model::text::{Piece, Tone, piece};

/// The chain of parents, from full precision to this trial: `32 ✔ → 4 ✔ → ▸3 ⠋`.
pub(crate) fn chain(model: &Model, sweep: &Sweep, trial: &Trial) -> Vec<Piece> {
    let parent = |t: &&Trial| t.spec.parent.as_ref().and_then(|name| sweep.trial(name));
    let mut ancestors: Vec<&Trial> =
        std::iter::successors(Some(trial), |t| parent(t)).take(sweep.trials.len()).collect();
    ancestors.reverse();
    let mut pieces = vec![piece("chain  ", Tone::Dim)];
    for (at, ancestor) in ancestors.iter().enumerate() {
        if at > 0 {
            pieces.push(piece(" → ", Tone::Dim));
        }
        let here = at + 1 == ancestors.len();
        let tone = if here { Tone::Strong } else { Tone::Plain };
        let marker = if here { "▸" } else { "" };
        pieces.push(piece(format!("{marker}{} ", ancestor.spec.bits), tone));
        let mark = Mark::of(ancestor, model.is_stale() || sweep.is_silent(ancestor));
        pieces.push(piece(mark.symbol(model.now_ms), mark_tone(mark)));
    }
    pieces
}

/// What is trained, and on what.
pub(crate) fn spec(trial: &Trial) -> Vec<Segment> {
    let (model, data, train) = (&trial.spec.model, &trial.spec.data, &trial.spec.train);
    let mut all = vec![labelled(9, "spec   ", format!("{} × {}", model.network, model.width))];
    if trial.parameters > 0 {
        all.push(plain(7, format!("{} parameters", count(trial.parameters))));
    }
    all.push(plain(8, format!("{} at {} px", data.name, data.resolution)));
    all.push(plain(6, format!("{} epochs of batch {}", train.epochs, train.batch_size)));
    all.push(plain(5, format!("rate {}", train.learning_rate)));
    if !trial.spec.bits.is_full() {
        let gamma = if train.gamma == Gamma::Learned { "learned" } else { "fixed" };
        all.push(plain(
            4,
            match train.quantizer_learning_rate {
                QuantizerLearningRate::Scale(scale) => format!("quantizers × {scale}"),
                QuantizerLearningRate::PerLayer => "quantizers by layer".to_owned(),
            },
        ));
        all.push(plain(3, format!("γ {gamma}")));
    }
    all.push(plain(2, format!("decay {}", train.weight_decay)));
    all
}

/// Settings that are not those of most trials of the sweep: `learning-rate 0.01 (0.1)`, the usual value
/// in brackets.
pub(crate) fn differences(sweep: &Sweep, trial: &Trial) -> Vec<Segment> {
    let Some(usual) = sweep.trials.usual_settings() else { return Vec::new() };
    let table = |settings| toml::Table::try_from(settings).unwrap_or_default();
    let (own, usual) = (table(&trial.spec.train), table(usual));
    let mut keys: Vec<&String> = own.keys().chain(usual.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let said = |value: Option<&toml::Value>| value.map_or("none".to_owned(), |v| v.to_string());
    let differing = keys.into_iter().filter(|key| own.get(*key) != usual.get(*key));
    let mut all: Vec<Segment> = Vec::new();
    for key in differing {
        let (own, usual) = (said(own.get(key)), said(usual.get(key)));
        let text = format!("{} {own} ({usual})", key.replace('_', "-"));
        let first = all.is_empty();
        all.push(if first { labelled(9, "own    ", text) } else { plain(8, text) });
    }
    all
}

/// What the numbers need to be believed and remade.
pub(crate) fn provenance(trial: &Trial) -> Vec<Segment> {
    let Some(p) = &trial.provenance else {
        let text = "known when the first attempt has started".to_owned();
        return vec![labelled(9, "from   ", text)];
    };
    let short = |hash: &str| hash.chars().take(8).collect::<String>();
    let plural = if p.threads == 1 { "" } else { "s" };
    vec![
        labelled(9, "from   ", format!("bitsweep {}", p.program_version)),
        plain(6, p.device.clone()),
        plain(5, format!("{} thread{plural}", p.threads)),
        plain(7, p.host.clone()),
        plain(8, format!("seed {}", p.seed)),
        plain(
            4,
            format!("{} / {} images", thousands(p.train_images), thousands(p.validation_images)),
        ),
        plain(3, format!("data {}", short(&p.data_fingerprint))),
        plain(2, format!("spec {}", short(&p.spec_hash))),
    ]
}

fn labelled(priority: u8, label: &str, text: String) -> Segment {
    Segment::new(priority, Side::Left, vec![piece(label, Tone::Dim), piece(text, Tone::Plain)])
}

fn plain(priority: u8, text: String) -> Segment {
    Segment::new(priority, Side::Left, vec![piece(text, Tone::Plain)])
}

/// How far a running trial is: fraction, and what it is doing.
pub(crate) fn progress(trial: &Trial) -> Option<(f64, String)> {
    use bitsweep_sweep::Phase;
    if trial.state != TrialState::Running {
        return None;
    }
    let fraction = trial.fraction().unwrap_or(0.0);
    let Some(p) = trial.progress else { return Some((fraction, "starting".to_owned())) };
    let doing = match p.phase {
        Phase::LoadingData => "loading data",
        Phase::Calibrating => "calibrating",
        Phase::Training => "training",
        Phase::Evaluating => "evaluating",
        Phase::Saving => "saving",
    };
    let (step, total) = (thousands(p.step), thousands(p.total_steps));
    let percent = (fraction * 100.0).floor();
    Some((
        fraction,
        format!("{percent:3.0} %  step {step:>w$} of {total}  {doing}", w = total.len()),
    ))
}

/// Why a trial that does not run is not finished, in the words of its newest attempt.
pub(crate) fn trouble(trial: &Trial) -> Option<&str> {
    let open = !matches!(trial.state, TrialState::Running | TrialState::Finished);
    let said = trial.failure().filter(|_| open).map(|attempt| attempt.message.as_str());
    said.filter(|message| !message.is_empty())
}

/// An attempt in one line of at most `columns`.
pub(crate) fn attempt(
    attempt: &Attempt,
    server_now_ms: i64,
    retry_at_ms: Option<i64>,
    zone: &TimeZone,
    columns: usize,
) -> Vec<Piece> {
    let end = attempt.ended_ms.unwrap_or(server_now_ms);
    let took = duration((end - attempt.started_ms) as f64 / 1000.0);
    let from = match attempt.from_step {
        0 => "from the start".to_owned(),
        step => format!("from step {}", thousands(step)),
    };
    let (word, tone) = match attempt.end {
        None => ("running", Tone::Strong),
        Some(end @ AttemptEnd::Finished) => (end.as_str(), Tone::Good),
        Some(end @ (AttemptEnd::Cancelled | AttemptEnd::Drained | AttemptEnd::Preempted)) => {
            (end.as_str(), Tone::Attention)
        }
        Some(end) => (end.as_str(), Tone::Bad),
    };
    let mut pieces = vec![
        piece(format!("{:>2}  ", attempt.number), Tone::Plain),
        piece(format!("{}  ", clock(attempt.started_ms, zone)), Tone::Dim),
        piece(format!("{took:>8}  "), Tone::Plain),
        piece(format!("{:<10}  ", shorten(&attempt.worker_name, 10)), Tone::Plain),
        piece(word, tone),
    ];
    if let Some(at) = retry_at_ms {
        let wait = duration((at - server_now_ms).max(0) as f64 / 1000.0);
        pieces.push(piece(format!("  again in {wait}"), Tone::Attention));
    }
    let said =
        if attempt.message.is_empty() { from } else { format!("{from}; {}", attempt.message) };
    let used: usize = pieces.iter().map(|(text, _)| width(text)).sum();
    pieces.push(piece(clip(&format!("  {said}"), columns.saturating_sub(used)), Tone::Dim));
    pieces
}

/// What every epoch came to, as CSV.
pub(crate) fn export(trial: &Trial) -> String {
    let head = csv::line(&[
        "trial",
        "epoch",
        "step",
        "train_loss",
        "validation_loss",
        "top1",
        "top5",
        "images_per_second",
        "seconds",
    ]);
    let known = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    let rows = trial.epochs.iter().map(|e| {
        csv::line(&[
            trial.spec.name.as_str(),
            &e.epoch.to_string(),
            &e.step.to_string(),
            &known(e.train_loss),
            &e.validation_loss.to_string(),
            &e.top1.to_string(),
            &e.top5.to_string(),
            &known(e.images_per_second),
            &e.seconds.to_string(),
        ])
    });
    std::iter::once(head).chain(rows).collect()
}
