//! What a specification may ask for.

use bitsweep_sweep::{
    BatchNormStatistics, Loss, OutputScale, Precision, TrainedParameters, TrialSpec,
};

use crate::error::TrainError;

/// Refuses what cannot be trained. `on_cuda` says whether the device is a CUDA device.
pub(crate) fn check(spec: &TrialSpec, on_cuda: bool) -> Result<(), TrainError> {
    match problem(spec, on_cuda) {
        Some(problem) => Err(TrainError::Spec(format!("trial {}: {problem}", spec.name))),
        None => Ok(()),
    }
}

fn problem(spec: &TrialSpec, on_cuda: bool) -> Option<String> {
    let train = &spec.train;
    if train.batch_size == 0 {
        return Some("batch-size must be at least 1".to_owned());
    }
    if train.precision == Precision::Mixed && !on_cuda {
        return Some(
            "precision = \"mixed\" needs a CUDA device; use precision = \"single\" here".to_owned(),
        );
    }
    if train.ema_decay.is_some_and(|decay| !(0.0..1.0).contains(&decay)) {
        return Some(format!(
            "ema-decay = {} must be at least 0 and below 1",
            train.ema_decay.unwrap_or_default()
        ));
    }
    if train.gradient_clip_norm.is_some_and(|norm| norm.is_nan() || norm <= 0.0) {
        return Some(format!(
            "gradient-clip-norm = {} must be above 0",
            train.gradient_clip_norm.unwrap_or_default()
        ));
    }
    if spec.bits.is_full()
        && train.epochs > 0
        && train.parameters == TrainedParameters::QuantizersOnly
    {
        return Some(
            "parameters = \"quantizers-only\" has nothing to train at 32 bits; give it epochs = 0"
                .to_owned(),
        );
    }
    let starts_from_weights = spec.parent.is_some() || spec.initial_weights.is_some();
    if train.loss == Loss::Distillation && train.epochs > 0 && !starts_from_weights {
        return Some(
            "loss = \"distillation\" learns from the weights that a trial starts from; give it a parent or \
             initial weights"
                .to_owned(),
        );
    }
    None
}

/// What may be asked for and is probably a mistake.
pub(crate) fn advice(spec: &TrialSpec) -> Option<String> {
    let train = &spec.train;
    let keeps_statistics = train.batch_norm_statistics == BatchNormStatistics::Parent;
    (keeps_statistics && !spec.bits.is_full() && train.output_scale == OutputScale::None).then(|| {
        "batch-norm-statistics = \"parent\" without output-scale = \"interval\": quantized layers have \
         another scale than the statistics are for"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::spec;
    use bitsweep_sweep::{Bits, TrialName};

    fn refused(change: impl FnOnce(&mut TrialSpec), part: &str) {
        let mut spec = spec();
        change(&mut spec);
        let message = check(&spec, false).expect_err("it cannot be trained").to_string();
        assert!(message.contains(part), "{message} lacks {part}");
        assert!(message.contains("resnet18-32-s0"), "{message}");
    }

    #[test]
    fn what_cannot_be_trained_is_named_with_what_to_do() {
        refused(|spec| spec.train.batch_size = 0, "batch-size");
        refused(|spec| spec.train.precision = Precision::Mixed, "needs a CUDA device");
        refused(|spec| spec.train.ema_decay = Some(1.0), "ema-decay = 1");
        refused(|spec| spec.train.gradient_clip_norm = Some(0.0), "gradient-clip-norm = 0");
        refused(|spec| spec.train.gradient_clip_norm = Some(f64::NAN), "gradient-clip-norm = NaN");
        refused(|spec| spec.train.parameters = TrainedParameters::QuantizersOnly, "epochs = 0");
        refused(|spec| spec.train.loss = Loss::Distillation, "initial weights");
    }

    #[test]
    fn what_can_be_trained_passes() {
        let mut spec = spec();
        spec.train.precision = Precision::Mixed;
        spec.parent = Some(TrialName::new("parent"));
        spec.train.loss = Loss::Distillation;
        spec.train.parameters = TrainedParameters::QuantizersOnly;
        spec.train.epochs = 0;
        assert!(check(&spec, true).is_ok());
        spec.train.epochs = 3;
        spec.bits = Bits::both(4);
        assert!(check(&spec, true).is_ok());
    }

    #[test]
    fn statistics_of_another_scale_are_pointed_out() {
        let mut spec = spec();
        spec.bits = Bits::both(4);
        assert_eq!(advice(&spec), None);
        spec.train.batch_norm_statistics = BatchNormStatistics::Parent;
        assert!(advice(&spec).is_some());
        spec.train.output_scale = OutputScale::Interval;
        assert_eq!(advice(&spec), None);
    }
}
