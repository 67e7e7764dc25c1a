//! From the training keys of one trial to its settings; what does not go together is refused.

use super::train::ScheduleName;
use super::{FileError, Given, Mark, TrainPatch};
use crate::id::TrialName;
use crate::trial::{
    BatchNormStatistics, Bits, Gamma, Loss, OutputScale, Schedule, TrainSettings, TrainedParameters,
};

/// Factor of a step schedule that does not name one: that of the paper.
const STEP_FACTOR: f64 = 0.1;

impl TrainPatch {
    /// The settings of a trial of width `bits`; `file` and `trial` are for messages.
    ///
    /// # Errors
    /// When keys do not go together.
    pub(crate) fn settings(
        &self,
        bits: Bits,
        file: &str,
        trial: &TrialName,
    ) -> Result<TrainSettings, FileError> {
        let error = |mark: &Mark, problem: &str| {
            mark.error(file, format_args!("{problem} (trial {trial})"))
        };
        let mut settings = TrainSettings {
            schedule: self.schedule().map_err(|(mark, problem)| error(mark, &problem))?,
            ..TrainSettings::default()
        };
        self.put_plain(&mut settings);
        if bits.is_full() {
            self.check_lengths(&settings).map_err(|(mark, problem)| error(mark, &problem))?;
            return Ok(settings);
        }
        let automatic = automatic_gamma(bits.weights);
        settings.gamma = value(&self.gamma).flatten().unwrap_or(automatic);
        set(&mut settings.parameters, &self.parameters);
        set(&mut settings.loss, &self.loss);
        let (scale, statistics) = match settings.parameters {
            TrainedParameters::Joint => (OutputScale::None, BatchNormStatistics::Recomputed),
            TrainedParameters::QuantizersOnly => {
                (OutputScale::Interval, BatchNormStatistics::Parent)
            }
        };
        settings.output_scale = value(&self.output_scale).flatten().unwrap_or(scale);
        settings.batch_norm_statistics =
            value(&self.batch_norm_statistics).flatten().unwrap_or(statistics);
        self.check_lengths(&settings).map_err(|(mark, problem)| error(mark, &problem))?;
        self.check_quantized(&settings).map_err(|(mark, problem)| error(mark, problem))?;
        Ok(settings)
    }

    /// Puts the keys that stand for themselves.
    fn put_plain(&self, settings: &mut TrainSettings) {
        set(&mut settings.epochs, &self.epochs);
        set(&mut settings.batch_size, &self.batch_size);
        set(&mut settings.learning_rate, &self.learning_rate);
        set(&mut settings.warmup_epochs, &self.warmup_epochs);
        set(&mut settings.momentum, &self.momentum);
        set(&mut settings.nesterov, &self.nesterov);
        set(&mut settings.weight_decay, &self.weight_decay);
        set(&mut settings.batch_norm.weight_decay, &self.batch_norm_weight_decay);
        set(&mut settings.batch_norm.learning_rate_scale, &self.batch_norm_learning_rate_scale);
        set(&mut settings.bias.weight_decay, &self.bias_weight_decay);
        set(&mut settings.bias.learning_rate_scale, &self.bias_learning_rate_scale);
        set(&mut settings.quantizer_learning_rate, &self.quantizer_learning_rate);
        set(&mut settings.gamma_learning_rate_scale, &self.gamma_learning_rate_scale);
        set(&mut settings.quantizer_weight_decay, &self.quantizer_weight_decay);
        set(&mut settings.interval_step_limit, &self.interval_step_limit);
        set(&mut settings.interval_init, &self.interval_init);
        set(&mut settings.calibration_images, &self.calibration_images);
        set(&mut settings.label_smoothing, &self.label_smoothing);
        set(&mut settings.gradient_clip_norm, &self.gradient_clip_norm);
        set(&mut settings.ema_decay, &self.ema_decay);
        set(&mut settings.precision, &self.precision);
        set(&mut settings.convolution, &self.convolution);
    }

    fn schedule(&self) -> Result<Schedule, (&Mark, String)> {
        let name = value(&self.schedule).unwrap_or(ScheduleName::Cosine);
        let belongs_to = |mark, owner: ScheduleName| {
            let (owner, name) = (owner.as_str(), name.as_str());
            let problem =
                format!("belongs to schedule = \"{owner}\", and the schedule here is \"{name}\"");
            Err((mark, problem))
        };
        if name != ScheduleName::Cosine
            && let Some(given) = &self.final_fraction
        {
            return belongs_to(&given.mark, ScheduleName::Cosine);
        }
        if name != ScheduleName::Step {
            let factor = self.step_factor.as_ref().map(|given| &given.mark);
            if let Some(mark) = self.step_epochs.as_ref().map(|given| &given.mark).or(factor) {
                return belongs_to(mark, ScheduleName::Step);
            }
        }
        match (name, &self.schedule, &self.step_epochs) {
            (ScheduleName::Step, Some(_), Some(epochs)) => Ok(Schedule::Step {
                epochs: epochs.value.clone(),
                factor: value(&self.step_factor).unwrap_or(STEP_FACTOR),
            }),
            (ScheduleName::Step, Some(schedule), None) => Err((
                &schedule.mark,
                "step-epochs is missing; add for example: step-epochs = [30, 60]".to_owned(),
            )),
            (ScheduleName::Constant, ..) => Ok(Schedule::Constant),
            _ => {
                Ok(Schedule::Cosine { final_fraction: value(&self.final_fraction).unwrap_or(0.0) })
            }
        }
    }

    /// Whether warm-up and steps lie within the training. A trial without training has neither.
    fn check_lengths(&self, settings: &TrainSettings) -> Result<(), (&Mark, String)> {
        let epochs = settings.epochs;
        if epochs == 0 {
            return Ok(());
        }
        if let Some(given) = &self.warmup_epochs
            && given.value > f64::from(epochs)
        {
            return Err((&given.mark, format!("is longer than the training, {epochs} epochs")));
        }
        if let Some(given) = &self.step_epochs
            && given.value.last().is_some_and(|last| *last >= epochs)
        {
            let problem = format!("must all be below the length of the training, {epochs} epochs");
            return Err((&given.mark, problem));
        }
        Ok(())
    }

    fn check_quantized(&self, settings: &TrainSettings) -> Result<(), (&Mark, &'static str)> {
        if let Some(given) = &self.label_smoothing
            && given.value > 0.0
            && settings.loss == Loss::Distillation
        {
            let problem = "does not go with loss = \"distillation\", which uses no labels; set \
                           label-smoothing = 0 for these widths in an [[override]]";
            return Err((&given.mark, problem));
        }
        if let Some(given) = &self.batch_norm_statistics
            && settings.batch_norm_statistics == BatchNormStatistics::Running
            && settings.parameters == TrainedParameters::QuantizersOnly
        {
            let problem = "does not go with parameters = \"quantizers-only\", which leaves batch-norm as it \
                           is; use \"parent\" or \"recomputed\"";
            return Err((&given.mark, problem));
        }
        Ok(())
    }
}

fn value<T: Clone>(given: &Option<Given<T>>) -> Option<T> {
    given.as_ref().map(|given| given.value.clone())
}

fn set<T: Clone>(target: &mut T, given: &Option<Given<T>>) {
    if let Some(given) = given {
        *target = given.value.clone();
    }
}

/// γ is trained at 2 bits only, as the paper appears to do.
fn automatic_gamma(weight_bits: u8) -> Gamma {
    if weight_bits == 2 { Gamma::Learned } else { Gamma::Fixed }
}
