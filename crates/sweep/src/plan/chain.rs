//! All widths of one network and seed.

use super::PlannedTrial;
use super::cost::{self, ImageCounts};
use super::data::Datasets;
use crate::architecture::Architecture;
use crate::file::{FileError, IMAGENET_SIZE_FROM, Order, SweepFile};
use crate::id::TrialName;
use crate::trial::{
    BatchNormStatistics, Bits, Loss, ModelSpec, Network, OutputScale, Role, Schedule, Stem,
    TrainSettings, TrainedParameters, TrialSpec,
};

pub(super) struct Chain<'a> {
    pub(super) file: &'a SweepFile,
    pub(super) datasets: &'a Datasets<'a>,
    pub(super) counts: ImageCounts,
    pub(super) network: Network,
    pub(super) seed: u64,
}

/// A planned trial that others may start from.
#[derive(Clone)]
struct Link {
    bits: Bits,
    name: TrialName,
    output_scale: OutputScale,
    /// The 32-bit trial whose weights were trained as long.
    reference: TrialName,
    /// Epochs in which weights were trained since the baseline: what a control must match.
    continued: u32,
}

impl Chain<'_> {
    pub(super) fn plan(&self, trials: &mut Vec<PlannedTrial>) -> Result<(), FileError> {
        let baseline = self.baseline()?;
        let root = Link {
            bits: Bits::FULL,
            name: baseline.name.clone(),
            // Full precision has the scale that interval ends restore.
            output_scale: OutputScale::Interval,
            reference: baseline.name.clone(),
            continued: 0,
        };
        trials.push(self.planned(baseline)?);
        let mut links: Vec<Link> = Vec::new();
        for bits in self.file.bits.iter().filter(|bits| !bits.is_full()) {
            let parent = match self.file.order {
                Order::Progressive => next_wider(*bits, &links).unwrap_or(&root),
                Order::Direct => &root,
            };
            let link = self.quantized(*bits, &root, parent, trials)?;
            links.push(link);
        }
        Ok(())
    }

    fn baseline(&self) -> Result<TrialSpec, FileError> {
        let bits = Bits::FULL;
        let name = self.name(bits, Role::Baseline);
        let keys = self.file.train_keys(self.network, bits, self.seed);
        let train = keys.settings(bits, &self.file.file, &name)?;
        let initial_weights = self.datasets.weights(self.network).cloned();
        if let Some(epochs) = &keys.epochs
            && train.epochs == 0
            && initial_weights.is_none()
        {
            let network = self.network;
            let problem = format!(
                "would leave {name} untrained; give it weights: [init] {network} = \"{network}.safetensors\""
            );
            return Err(epochs.mark.error(&self.file.file, problem));
        }
        let mut spec = self.spec(bits, name, Role::Baseline, train);
        spec.initial_weights = initial_weights;
        Ok(spec)
    }

    /// Plans the trial of width `bits` and its control.
    fn quantized(
        &self,
        bits: Bits,
        root: &Link,
        parent: &Link,
        trials: &mut Vec<PlannedTrial>,
    ) -> Result<Link, FileError> {
        let name = self.name(bits, Role::Quantized);
        let train = self.settings(bits, &name, parent)?;
        let own = match train.parameters {
            TrainedParameters::Joint => train.epochs,
            TrainedParameters::QuantizersOnly => 0,
        };
        let continued = parent.continued + own;
        let output_scale = train.output_scale;
        // Without further training of weights nothing is to be matched that the parent's reference does not.
        let control = (self.file.control.is_some() && own > 0).then(|| {
            let name = self.name(bits, Role::Control);
            let mut spec =
                self.spec(Bits::FULL, name, Role::Control, control_settings(&train, continued));
            spec.parent = Some(root.name.clone());
            spec
        });
        let mut spec = self.spec(bits, name.clone(), Role::Quantized, train);
        spec.parent = Some(parent.name.clone());
        let reference = control.as_ref().map_or(&parent.reference, |c| &c.name).clone();
        spec.reference = Some(reference.clone());
        spec.training_data = self.datasets.training.as_ref().map(|(data, _)| data.clone());
        trials.push(self.planned(spec)?);
        if let Some(control) = control {
            trials.push(self.planned(control)?);
        }
        Ok(Link { bits, name, output_scale, reference, continued })
    }

    /// The settings of a quantized trial, held against its parent and its images.
    fn settings(
        &self,
        bits: Bits,
        name: &TrialName,
        parent: &Link,
    ) -> Result<TrainSettings, FileError> {
        let file = &self.file.file;
        let keys = self.file.train_keys(self.network, bits, self.seed);
        let train = keys.settings(bits, file, name)?;
        if train.batch_norm_statistics == BatchNormStatistics::Parent
            && train.output_scale != parent.output_scale
        {
            let statistics = keys.batch_norm_statistics.as_ref().map(|given| &given.mark);
            let scale = keys.output_scale.as_ref().map(|given| &given.mark);
            let parameters = keys.parameters.as_ref().map(|given| &given.mark);
            let problem = format!(
                "{name} would keep the batch-norm statistics of {}, whose layers have another scale; set \
                 output-scale = \"interval\" for both, or batch-norm-statistics = \"recomputed\"",
                parent.name
            );
            return Err(match scale.or(statistics).or(parameters) {
                Some(mark) => mark.error(file, problem),
                None => self.error(problem),
            });
        }
        if let Some((_, section)) = &self.datasets.training
            && train.loss == Loss::CrossEntropy
            && section.classes != self.file.dataset.classes
        {
            let classes = section.classes.map_or_else(
                || "does not say how many classes".to_owned(),
                |n| format!("has {n} classes"),
            );
            return Err(section.mark.error(
                file,
                format_args!(
                    "{} {classes} and [dataset] has {}, so {name} cannot be trained with its labels; set \
                     loss = \"distillation\" in [train]",
                    section.name,
                    self.file.dataset.classes.unwrap_or_default()
                ),
            ));
        }
        Ok(train)
    }

    fn name(&self, bits: Bits, role: Role) -> TrialName {
        let suffix = if role == Role::Control { "-control" } else { "" };
        TrialName::new(format!("{}-{bits}-s{}{suffix}", self.network, self.seed))
    }

    fn spec(&self, bits: Bits, name: TrialName, role: Role, train: TrainSettings) -> TrialSpec {
        let dataset = &self.file.dataset;
        let automatic = match dataset.resolution {
            IMAGENET_SIZE_FROM.. => Stem::ImageNet,
            _ => Stem::Small,
        };
        TrialSpec {
            name,
            bits,
            seed: self.seed,
            role,
            parent: None,
            reference: None,
            model: ModelSpec {
                network: self.network,
                width: self.file.width,
                stem: self.file.stem.unwrap_or(automatic),
                in_channels: dataset.channels,
                classes: dataset.classes.unwrap_or_default(),
            },
            initial_weights: None,
            data: self.datasets.data.clone(),
            training_data: None,
            train,
        }
    }

    fn planned(&self, spec: TrialSpec) -> Result<PlannedTrial, FileError> {
        let forward = Architecture::new(&spec.model, spec.data.resolution)
            .map_err(|problem| self.error(problem))?
            .multiply_accumulates() as f64;
        let evaluated = cost::images(&self.file.dataset, self.counts.data);
        let trained = match &self.datasets.training {
            Some((_, section)) if spec.training_data.is_some() => {
                cost::images(section, self.counts.training_data)
            }
            _ => evaluated,
        };
        let cost = cost::cost(&spec, forward, trained.train, evaluated.validation);
        Ok(PlannedTrial { spec, cost })
    }

    /// An error of the file as a whole.
    fn error(&self, message: String) -> FileError {
        FileError { file: self.file.file.clone(), line: 0, column: 0, message }
    }
}

/// Which of weights and activations are quantized.
fn kind(bits: Bits) -> (bool, bool) {
    (bits.weights < 32, bits.activations < 32)
}

/// The narrowest width of the same kind that is at least as wide in both.
fn next_wider(bits: Bits, links: &[Link]) -> Option<&Link> {
    let wider = |link: &&Link| {
        kind(link.bits) == kind(bits)
            && link.bits.weights >= bits.weights
            && link.bits.activations >= bits.activations
    };
    let width = |link: &&Link| {
        (u16::from(link.bits.weights) + u16::from(link.bits.activations), link.bits.weights)
    };
    links.iter().filter(wider).min_by_key(width)
}

/// A control is trained as its quantized trial is, in full precision, on labels, and for `epochs` in all, which are
/// no fewer and more than none.
fn control_settings(quantized: &TrainSettings, epochs: u32) -> TrainSettings {
    let defaults = TrainSettings::default();
    let schedule = match &quantized.schedule {
        // Steps at the same fractions of a training that may be longer.
        Schedule::Step { epochs: steps, factor } => {
            let stretch = |step: &u32| {
                let exact = f64::from(*step) * f64::from(epochs) / f64::from(quantized.epochs);
                exact.round() as u32
            };
            Schedule::Step { epochs: steps.iter().map(stretch).collect(), factor: *factor }
        }
        other => other.clone(),
    };
    TrainSettings {
        epochs,
        schedule,
        parameters: defaults.parameters,
        loss: defaults.loss,
        output_scale: defaults.output_scale,
        batch_norm_statistics: defaults.batch_norm_statistics,
        ..quantized.clone()
    }
}

/// Whether tables and keys about some trials have any to be about.
pub(super) fn check_use(file: &SweepFile, trials: &[PlannedTrial]) -> Result<(), FileError> {
    let any = |role| trials.iter().any(|t| t.spec.role == role);
    if let Some(section) = &file.training_dataset
        && !any(Role::Quantized)
    {
        let problem = "no trial below 32 bits is there to be trained on it; remove it";
        return Err(section.mark.error(&file.file, problem));
    }
    if let Some(mark) = &file.control
        && !any(Role::Control)
    {
        let problem = "no trial below 32 bits trains weights, so a control would be the baseline itself; \
                       remove it";
        return Err(mark.error(&file.file, problem));
    }
    Ok(())
}
