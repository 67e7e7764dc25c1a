//! From a sweep file to its trials, in an order in which every trial comes after its parent.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::dataset::{KnownDataset, known_dataset};
use crate::file::{FileError, Order, RetrySettings, SweepFile, automatic_gamma};
use crate::id::TrialName;
use crate::trial::{Bits, DataSpec, ModelSpec, Network, Role, Stem, TrainSettings, TrialSpec};

/// Images of at least this side get torchvision's stem unless the file says otherwise.
const IMAGENET_STEM_FROM: u32 = 128;

/// One trial of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedTrial {
    /// The trial.
    pub spec: TrialSpec,
    /// Multiply-accumulates of the whole training and its evaluations; for ordering and estimates.
    pub cost: f64,
}

/// The trials of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The sweep's name.
    pub name: String,
    /// Every trial after its parent.
    pub trials: Vec<PlannedTrial>,
    /// How often and how soon a trial is tried again.
    pub retry: RetrySettings,
}

impl Plan {
    /// Plans the trials that `file` asks for. A relative data path is taken from `base_directory`.
    ///
    /// # Errors
    /// When the network does not fit the images, or a relative path has no base.
    pub fn new(file: &SweepFile, base_directory: Option<&Path>) -> Result<Self, FileError> {
        let error =
            |message: String| FileError { file: file.file.clone(), line: 0, column: 0, message };
        let known = known_dataset(&file.dataset.name)
            .ok_or_else(|| error(format!("dataset.name = {} is unknown", file.dataset.name)))?;
        let data = data_spec(file, known, base_directory).map_err(error)?;
        let mut trials = Vec::new();
        for seed in &file.seeds {
            for network in &file.networks {
                let chain = Chain { file, known, data: &data, network: *network, seed: *seed };
                chain.plan(&mut trials).map_err(error)?;
            }
        }
        Ok(Self { name: file.name.clone(), trials, retry: file.retry })
    }

    /// blake3 of the plan, lower-case hexadecimal: the same file is the same sweep.
    pub fn key(&self) -> String {
        let json = serde_json::to_vec(self).expect("a plan is plain values");
        blake3::hash(&json).to_hex().to_string()
    }

    /// The trial of that name.
    pub fn find(&self, name: &TrialName) -> Option<&PlannedTrial> {
        self.trials.iter().find(|t| t.spec.name == *name)
    }

    /// How many trials can run side by side: chains that do not wait for each other.
    pub fn chains(&self) -> usize {
        self.trials.iter().filter(|t| t.spec.parent.is_none()).count()
    }
}

fn data_spec(
    file: &SweepFile,
    known: &KnownDataset,
    base_directory: Option<&Path>,
) -> Result<DataSpec, String> {
    let section = &file.dataset;
    let path = match &section.path {
        Some(path) if Path::new(path).is_relative() => {
            let base = base_directory.ok_or_else(|| {
                format!("dataset.path = \"{path}\" is relative and there is no folder to take it from; give a full path")
            })?;
            Some(base.join(path).to_string_lossy().into_owned())
        }
        path => path.clone(),
    };
    Ok(DataSpec {
        name: section.name.clone(),
        path,
        resolution: section.resolution.unwrap_or(known.side),
        train_images: section.train_images,
        validation_images: section.validation_images,
        flip: section.flip,
        crop_padding: section.crop_padding,
        ..DataSpec::default()
    })
}

/// All widths of one network and seed.
struct Chain<'a> {
    file: &'a SweepFile,
    known: &'a KnownDataset,
    data: &'a DataSpec,
    network: Network,
    seed: u64,
}

impl Chain<'_> {
    fn plan(&self, trials: &mut Vec<PlannedTrial>) -> Result<(), String> {
        let baseline = self.name(Bits::FULL, Role::Baseline);
        let mut parent = None;
        // Epochs of the chain so far without the baseline's own: what a control must match.
        let mut continued = 0;
        for bits in &self.file.bits {
            if bits.is_full() {
                trials.push(self.trial(*bits, Role::Baseline, None, None, self.settings(*bits))?);
                parent = Some(baseline.clone());
                continue;
            }
            let settings = self.settings(*bits);
            continued = match self.file.order {
                Order::Progressive => continued + settings.epochs,
                Order::Direct => settings.epochs,
            };
            let control = self.name(*bits, Role::Control);
            let reference = if self.file.control { control.clone() } else { baseline.clone() };
            let name = self.name(*bits, Role::Quantized);
            trials.push(self.trial(
                *bits,
                Role::Quantized,
                parent.clone(),
                Some(reference),
                settings,
            )?);
            if self.file.control {
                let mut settings = self.settings(*bits);
                settings.epochs = continued;
                let mut planned =
                    self.trial(Bits::FULL, Role::Control, Some(baseline.clone()), None, settings)?;
                planned.spec.name = control;
                trials.push(planned);
            }
            if self.file.order == Order::Progressive {
                parent = Some(name);
            }
        }
        Ok(())
    }

    fn name(&self, bits: Bits, role: Role) -> TrialName {
        let suffix = if role == Role::Control { "-control" } else { "" };
        TrialName::new(format!("{}-{bits}-s{}{suffix}", self.network, self.seed))
    }

    fn trial(
        &self,
        bits: Bits,
        role: Role,
        parent: Option<TrialName>,
        reference: Option<TrialName>,
        train: TrainSettings,
    ) -> Result<PlannedTrial, String> {
        let resolution = self.data.resolution;
        let automatic = if resolution >= IMAGENET_STEM_FROM { Stem::ImageNet } else { Stem::Small };
        let spec = TrialSpec {
            name: self.name(bits, role),
            bits,
            seed: self.seed,
            role,
            parent,
            reference,
            model: ModelSpec {
                network: self.network,
                width: self.file.width,
                stem: self.file.stem.unwrap_or(automatic),
                in_channels: self.known.channels,
                classes: self.known.classes,
            },
            initial_weights: None,
            data: self.data.clone(),
            training_data: None,
            train,
        };
        let forward = Architecture::new(&spec.model, resolution)?.multiply_accumulates() as f64;
        let train_images = self.data.train_images.unwrap_or(self.known.train_images);
        let validation_images = self.data.validation_images.unwrap_or(self.known.validation_images);
        // A training step costs about three forward passes: the input's and the weights' gradients.
        let images = 3.0 * f64::from(train_images) + f64::from(validation_images);
        let cost = forward * images * f64::from(spec.train.epochs);
        Ok(PlannedTrial { spec, cost })
    }

    fn settings(&self, bits: Bits) -> TrainSettings {
        let mut settings =
            TrainSettings { gamma: automatic_gamma(bits.weights), ..TrainSettings::default() };
        self.file.train.apply(&mut settings, bits.weights);
        for patch in &self.file.overrides {
            if patch.matches(self.network, bits, self.seed) {
                patch.patch.apply(&mut settings, bits.weights);
            }
        }
        settings
    }
}
