//! The numbers of a layer, as text.

use bitsweep_sweep::{LayerReport, LayerState};

use super::histogram::interval;
use crate::model::Model;
use crate::model::layers::{LayerHistory, said};
use crate::model::sweep::Sweep;
use crate::view_model::csv;

/// A fraction as ` 31.2%`.
pub(super) fn share(fraction: f64) -> String {
    // Rounding leaves a negative nothing; adding nothing makes it positive.
    format!("{:5.1}%", 100.0 * fraction.max(0.0) + 0.0)
}

/// A fraction that may not be known.
pub(super) fn known_share(fraction: Option<f64>) -> String {
    fraction.map_or_else(|| "    --".to_owned(), share)
}

/// The interval of the activations: `[0.02, 1.91]`.
pub(super) fn activations(layer: &LayerState) -> String {
    let (c, d) = (layer.activation_center, layer.activation_half_width);
    format!("[{}, {}]", short((c - d).max(0.0)), short(c + d))
}

/// Three significant digits at most, never in exponents.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.9995 || v == 0.0 => format!("{value:.2}"),
        v if v >= 0.0995 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// What is wrong with a layer, if anything.
pub(super) fn trouble(layer: &LayerState) -> Option<String> {
    layer.collapse.map(|collapse| format!("! collapsed: {}", said(collapse)))
}

/// The ends of the weight interval of a layer over the epochs: `(epoch, c − d, c + d, γ)`.
pub(super) fn history(history: &LayerHistory, name: &str) -> Vec<(f64, f64, f64, f64)> {
    let of = |report: &LayerReport| {
        let layer = report.layers.iter().find(|l| l.name == name)?;
        let (low, high) = interval(layer);
        Some((f64::from(report.epoch), low, high, layer.gamma))
    };
    history.reports.iter().filter_map(of).collect()
}

/// Every layer of the chosen trial at every epoch, as CSV.
pub(crate) fn export(model: &Model, sweep: &Sweep) -> Option<String> {
    let trial = model.selected()?;
    let history = sweep.layers.get(trial.id.as_str()).filter(|h| !h.reports.is_empty())?;
    let mut text = csv::line(&[
        "trial",
        "epoch",
        "layer",
        "weight_low",
        "weight_high",
        "gamma",
        "pruned",
        "below_interval",
        "clipped",
        "activation_low",
        "activation_high",
        "activation_zero",
        "activation_clipped",
        "collapse",
    ]);
    let known = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    for report in &history.reports {
        for layer in &report.layers {
            let (low, high) = interval(layer);
            let (c, d) = (layer.activation_center, layer.activation_half_width);
            text += &csv::line(&[
                trial.spec.name.as_str(),
                &report.epoch.to_string(),
                &layer.name,
                &low.to_string(),
                &high.to_string(),
                &layer.gamma.to_string(),
                &layer.zero.to_string(),
                &layer.below_interval.to_string(),
                &layer.clipped.to_string(),
                &(c - d).max(0.0).to_string(),
                &(c + d).to_string(),
                &known(layer.activation_zero),
                &known(layer.activation_clipped),
                layer.collapse.map_or("", said),
            ]);
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_keep_their_digits() {
        for (value, text) in
            [(0.0, "0.00"), (0.0112, "0.0112"), (0.34, "0.340"), (1.914, "1.91"), (123.4, "123")]
        {
            assert_eq!(short(value), text);
        }
    }
}
