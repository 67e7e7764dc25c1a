//! What the gap of the chosen trial is worth, in a sentence.

use bitsweep_sweep::{Role, SeedMean};

use crate::model::sweep::Sweep;
use crate::model::trial::Trial;
use crate::view_model::format::{points, thousands};
use crate::view_model::gap;
use crate::view_model::published;
use crate::view_model::summary::verdict_tone;
use crate::view_model::text::{Piece, Tone, piece};

/// Lines from the most telling to the least.
pub(super) fn lines(sweep: &Sweep, trial: &Trial) -> Vec<Vec<Piece>> {
    let Some(reference) = sweep.reference(trial) else {
        return vec![vec![piece("the reference that gaps are measured from", Tone::Dim)]];
    };
    let Some((gap, verdict)) = gap::of(sweep, trial) else {
        let text = format!("no gap yet: {} or it has no accuracy", reference.spec.name);
        return vec![vec![piece(text, Tone::Dim)]];
    };
    let mut lines = Vec::new();
    let paired = sweep.paired_test(trial);
    let half = paired.map(|t| format!(" ± {:.2}", t.half_width())).unwrap_or_default();
    let kind = match reference.spec.role {
        Role::Control => "its control",
        _ => "its baseline",
    };
    let said = match verdict.symbol() {
        "≈" => "no difference shown",
        "▲" => "better",
        "▼" => "worse",
        _ => "too early to say",
    };
    lines.push(vec![
        piece(format!("Δ {}{half} points", points(gap).trim_start()), Tone::Strong),
        piece(format!(" against {kind}: "), Tone::Plain),
        piece(format!("{} {said}", verdict.symbol()), verdict_tone(verdict)),
    ]);
    if let Some(test) = paired {
        let p = if test.p_value < 0.001 {
            "< 0.001".to_owned()
        } else {
            format!("= {:.3}", test.p_value)
        };
        let (here, there) = (thousands(test.only_first), thousands(test.only_second));
        let text = format!("{here} images right here alone, {there} there alone");
        lines.push(vec![piece(text, Tone::Plain)]);
        let text = format!("McNemar's test on {} images: p {p}", thousands(test.images));
        lines.push(vec![piece(text, Tone::Plain)]);
    }
    lines.extend(seeds(sweep, trial));
    if let Some(figure) = published::of(trial) {
        let text = format!("{}: {}", published::short(figure), figure.citation);
        lines.push(vec![piece(text, Tone::Published)]);
    }
    lines
}

/// The mean gap over all seeds of the trial's network and width, where there are several.
fn seeds(sweep: &Sweep, trial: &Trial) -> Option<Vec<Piece>> {
    if !sweep.trials.has_seeds() {
        return None;
    }
    let spec = &trial.spec;
    let kin = sweep.trials.iter().enumerate().filter(|(_, t)| {
        t.spec.model.network == spec.model.network
            && t.spec.bits == spec.bits
            && t.spec.role == spec.role
    });
    let gaps = kin.filter_map(|(at, _)| sweep.gap_at(at)).filter(|(_, last)| *last);
    let mean = SeedMean::new(gaps.map(|(gap, _)| gap)).filter(|m| m.n > 1)?;
    let half = mean.half_width.unwrap_or(0.0);
    let verdict = gap::sign(mean.mean, mean.mean.abs() > half);
    let text = format!(
        "over {} seeds: Δ {} ± {half:.2} (95 %) {}",
        mean.n,
        points(mean.mean).trim_start(),
        verdict.symbol()
    );
    Some(vec![piece(text, verdict_tone(verdict))])
}
