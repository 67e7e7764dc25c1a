//! The compared trials over time, on one chart, with what each is at one x.

use super::{Over, Quantity};
use crate::model::Model;
use crate::model::sweep::Sweep;
use crate::model::trial::Trial;
use crate::view_model::chart::{Axis, Chart, Curve, CurveStyle, Unit, clipped, range, read};
use crate::view_model::csv;
use crate::view_model::curve::{averaged, smoothed, step_loss};
use crate::view_model::format::{percent, points, short_duration, thousands};
use crate::view_model::gap;
use crate::view_model::summary::verdict_tone;
use crate::view_model::text::{Piece, Tone, piece};

/// A compared trial and its curve.
pub(super) struct Compared<'a> {
    pub(super) trial: &'a Trial,
    pub(super) tone: Tone,
    /// As measured, thinned.
    raw: Vec<(f64, f64)>,
    /// As drawn.
    pub(super) shown: Vec<(f64, f64)>,
}

/// Everything on the chart.
pub(super) struct Curves<'a> {
    pub(super) all: Vec<Compared<'a>>,
    /// The whole x axis.
    x: (f64, f64),
    /// Where every curve is read.
    pub(super) at: Option<f64>,
}

/// The curves of the compared trials.
pub(super) fn curves<'a>(model: &'a Model, sweep: &Sweep) -> Curves<'a> {
    let screen = &model.compare_screen;
    let compared = model.compared().into_iter().enumerate().map(|(at, trial)| {
        let raw = averaged(&measured(sweep, trial, screen.quantity, screen.over));
        let shown = match screen.smoothing() {
            0.0 => raw.clone(),
            width => smoothed(&raw, width),
        };
        Compared { trial, tone: Tone::Series(at), raw, shown }
    });
    let all: Vec<Compared<'_>> = compared.collect();
    let last = all.iter().filter_map(|c| c.raw.last()).map(|p| p.0).fold(0.0, f64::max);
    let first = all.iter().filter_map(|c| c.raw.first()).map(|p| p.0).fold(last, f64::min);
    let high = last.max(first + if screen.over == Over::Epochs { 1.0 } else { 1e-9 });
    let at = screen.crosshair().map(|fraction| {
        let x = first + fraction * (high - first);
        // Between two epochs there is nothing to read.
        let whole = screen.over == Over::Epochs && screen.quantity != Quantity::StepLoss;
        if whole { x.round() } else { x }
    });
    Curves { all, x: (first, high), at }
}

/// The points of a trial in the wanted quantity and x.
fn measured(sweep: &Sweep, trial: &Trial, quantity: Quantity, over: Over) -> Vec<(f64, f64)> {
    // Steps and seconds at the end of each epoch.
    let mut seconds = 0.0;
    let ends: Vec<(f64, f64, f64)> = trial
        .epochs
        .iter()
        .map(|e| {
            seconds += e.seconds;
            (e.step as f64, f64::from(e.epoch), seconds)
        })
        .collect();
    if quantity == Quantity::StepLoss {
        let along = |pick: fn(&(f64, f64, f64)) -> f64| {
            let mut line: Vec<(f64, f64)> = vec![(0.0, 0.0)];
            line.extend(ends.iter().filter(|e| e.0 > 0.0).map(|e| (e.0, pick(e))));
            line
        };
        let line = match over {
            Over::Steps => return step_loss(sweep, trial),
            Over::Epochs => along(|e| e.1),
            Over::Time => along(|e| e.2),
        };
        // Beyond the newest epoch at the pace of the last one.
        let pace = line.windows(2).last().map(|w| (w[1].1 - w[0].1) / (w[1].0 - w[0].0));
        let end = line.last().copied().unwrap_or_default();
        let place = |step: f64| read(&line, step).or_else(|| Some(end.1 + pace? * (step - end.0)));
        return step_loss(sweep, trial)
            .into_iter()
            .filter_map(|(s, y)| Some((place(s)?, y)))
            .collect();
    }
    let x = |(step, epoch, seconds): &(f64, f64, f64)| match over {
        Over::Epochs => *epoch,
        Over::Steps => *step,
        Over::Time => *seconds,
    };
    let value = |e: &bitsweep_sweep::EpochSummary| match quantity {
        Quantity::Top1 => Some(e.top1),
        Quantity::ValidationLoss => Some(e.validation_loss),
        _ => e.train_loss,
    };
    let all = trial.epochs.iter().zip(&ends);
    all.filter_map(|(e, end)| Some((x(end), value(e)?))).filter(|p| p.1.is_finite()).collect()
}

/// The chart of the curves, as far as it is seen.
pub(super) fn chart(model: &Model, curves: &Curves<'_>) -> Chart {
    let screen = &model.compare_screen;
    let (first, last) = curves.x;
    let (low, high) = screen.seen();
    let (low, high) = (first + low * (last - first), first + high * (last - first));
    let sparse = screen.quantity != Quantity::StepLoss;
    let mut chart = Chart {
        empty: match screen.quantity {
            Quantity::StepLoss => "no step yet, or its points are on their way".to_owned(),
            _ => "no evaluation yet: the first point comes at the end of an epoch".to_owned(),
        },
        crosshair: curves.at.filter(|x| (low..=high).contains(x)),
        ..Chart::default()
    };
    let chosen = model.selected().map(|t| &t.id);
    let mut order: Vec<&Compared<'_>> = curves.all.iter().collect();
    // The chosen one is drawn last, on top.
    order.sort_by_key(|c| Some(&c.trial.id) == chosen);
    for compared in order {
        let points = clipped(&compared.shown, low, high);
        let few = sparse && points.len() <= 40;
        let style = if few { CurveStyle::Marked("•") } else { CurveStyle::Line };
        chart.curves.push(Curve { points, tone: compared.tone, style });
    }
    let values = || chart.curves.iter().flat_map(|c| c.points.iter().map(|p| p.1));
    let positive = values().filter(|v| *v > 0.0).fold(f64::MAX, f64::min);
    let logarithmic = screen.logarithmic && positive < f64::MAX;
    let least = if screen.quantity == Quantity::Top1 { 2.0 } else { 0.02 };
    let y = match range(values(), least) {
        Some((_, high)) if logarithmic => (positive / 1.05, high.max(positive * 1.1)),
        Some((low, high)) => (low.max(0.0), high),
        None => (0.0, 1.0),
    };
    chart.y = Axis::new(y, "", Unit::Number);
    chart.y.logarithmic = logarithmic;
    let (name, unit) = match screen.over {
        Over::Epochs if sparse || high - low > 3.0 => ("epoch", Unit::Whole),
        Over::Epochs => ("epoch", Unit::Number),
        Over::Steps => ("step", Unit::Whole),
        Over::Time => ("time", Unit::Seconds),
    };
    chart.x = Axis::new((low, high.max(low + 1e-9)), name, unit);
    chart
}

/// One line a trial: name, value at the crosshair or the newest, gap and what it says.
pub(super) fn legend(model: &Model, sweep: &Sweep, curves: &Curves<'_>) -> Vec<Vec<Piece>> {
    let chosen = model.selected().map(|t| &t.id);
    let name = curves.all.iter().map(|c| c.trial.spec.name.as_str().len()).max().unwrap_or(0);
    let row = |compared: &Compared<'_>| {
        let trial = compared.trial;
        let here = Some(&trial.id) == chosen;
        let value = match curves.at {
            Some(x) => read(&compared.shown, x),
            None => compared.shown.last().map(|p| p.1),
        };
        let mut line = vec![
            piece(if here { "▸" } else { " " }, Tone::Accent),
            piece("━━ ", compared.tone),
            piece(format!("{:<w$}", trial.spec.name.as_str(), w = name.min(24)), compared.tone),
            piece(format!("  {}", number(model.compare_screen.quantity, value)), Tone::Strong),
        ];
        match gap::of(sweep, trial) {
            Some((gap, verdict)) => {
                let text = format!("  Δ {} {}", points(gap), verdict.symbol());
                line.push(piece(text, verdict_tone(verdict)));
            }
            None => line.push(piece("  reference", Tone::Baseline)),
        }
        line
    };
    curves.all.iter().map(row).collect()
}

fn number(quantity: Quantity, value: Option<f64>) -> String {
    match (quantity, value) {
        (_, None) => "   --".to_owned(),
        (Quantity::Top1, Some(value)) => percent(value),
        (_, Some(value)) => format!("{value:6.3}"),
    }
}

/// What the crosshair stands on.
pub(super) fn reading(model: &Model, curves: &Curves<'_>) -> Option<String> {
    let x = curves.at?;
    Some(match model.compare_screen.over {
        Over::Epochs if x.fract() == 0.0 => format!("at epoch {x:.0}"),
        Over::Epochs => format!("at epoch {x:.2}"),
        Over::Steps => format!("at step {}", thousands(x.max(0.0).round() as u64)),
        Over::Time => format!("at {}", short_duration(Some(x)).trim_start()),
    })
}

/// The points on the chart, as CSV.
pub(crate) fn export(model: &Model, sweep: &Sweep) -> String {
    let screen = &model.compare_screen;
    let x = match screen.over {
        Over::Epochs => "epoch",
        Over::Steps => "step",
        Over::Time => "seconds",
    };
    let y = screen.quantity.title().replace([' ', '-'], "_").replace("_%", "");
    let mut text = csv::line(&["trial", x, &y]);
    for trial in model.compared() {
        for (x, y) in measured(sweep, trial, screen.quantity, screen.over) {
            text += &csv::line(&[trial.spec.name.as_str(), &x.to_string(), &y.to_string()]);
        }
    }
    text
}
