//! Small trials, and what they said.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bitsweep_sweep::{
    Bits, DataSpec, EpochSummary, FinalResult, Gamma, LayerReport, Level, Metric, ModelSpec,
    Network, Role, Stem, TrainSettings, TrialEvent, TrialName, TrialSpec,
};
use bitsweep_train::{Control, Outcome, TrainError, TrialRequest, run};
use safetensors::SafeTensors;

/// 320 images, 10 steps an epoch, 2 epochs.
pub(crate) fn spec(bits: u8) -> TrialSpec {
    TrialSpec {
        name: TrialName::new(format!("resnet18-{bits}-s0")),
        bits: Bits::both(bits),
        seed: 0,
        role: if bits == 32 { Role::Baseline } else { Role::Quantized },
        parent: None,
        reference: None,
        model: ModelSpec {
            network: Network::ResNet18,
            width: 0.0625,
            stem: Stem::Small,
            in_channels: 1,
            classes: 10,
        },
        initial_weights: None,
        data: DataSpec {
            name: "fashion-mnist-mini".to_owned(),
            resolution: 28,
            train_images: Some(320),
            validation_images: Some(200),
            flip: true,
            crop_padding: 2,
            ..DataSpec::default()
        },
        training_data: None,
        train: TrainSettings {
            epochs: 2,
            batch_size: 32,
            learning_rate: 0.1,
            warmup_epochs: 0.5,
            nesterov: true,
            gamma: Gamma::Learned,
            calibration_images: 128,
            ..TrainSettings::default()
        },
    }
}

/// A folder that goes with its value.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn request(spec: &TrialSpec, directory: &Path) -> TrialRequest {
    TrialRequest {
        spec: spec.clone(),
        directory: directory.to_owned(),
        parent_checkpoint: None,
        resume_checkpoint: None,
        threads: 2,
        device: "flex".to_owned(),
    }
}

/// A request for a trial that starts from a parent's checkpoint.
pub(crate) fn child_request(spec: &TrialSpec, parent: &Path, directory: &Path) -> TrialRequest {
    let mut spec = spec.clone();
    spec.parent = Some(TrialName::new("parent"));
    TrialRequest { parent_checkpoint: Some(parent.to_owned()), ..request(&spec, directory) }
}

/// The values of every tensor of a checkpoint whose name starts with `prefix`, under the rest of its name.
pub(crate) fn tensors(path: &Path, prefix: &str) -> BTreeMap<String, Vec<f32>> {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut found = BTreeMap::new();
    for (name, view) in file.iter() {
        if let Some(rest) = name.strip_prefix(prefix) {
            let numbers = view.data().as_chunks::<4>().0.iter();
            found.insert(rest.to_owned(), numbers.map(|b| f32::from_le_bytes(*b)).collect());
        }
    }
    found
}

/// Everything a trial said, and how it ended.
pub(crate) struct Told {
    pub(crate) events: Vec<TrialEvent>,
    pub(crate) ended: Result<Outcome, TrainError>,
}

pub(crate) fn told(request: &TrialRequest, control: &Control) -> Told {
    let mut events = Vec::new();
    let ended = run(request, control, &mut |event| {
        events.push(event);
        Ok(())
    });
    Told { events, ended }
}

/// Runs to the end.
pub(crate) fn finished(request: &TrialRequest) -> Told {
    let told = told(request, &Control::new());
    assert_eq!(told.ended.as_ref().unwrap(), &Outcome::Finished);
    told
}

impl Told {
    pub(crate) fn epochs(&self) -> Vec<EpochSummary> {
        let of = |event: &TrialEvent| match event {
            TrialEvent::Epoch(summary) => Some(*summary),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    pub(crate) fn layers(&self) -> Vec<&LayerReport> {
        fn of(event: &TrialEvent) -> Option<&LayerReport> {
            match event {
                TrialEvent::Layers(report) => Some(report),
                _ => None,
            }
        }
        self.events.iter().filter_map(of).collect()
    }

    /// Steps with the bits of their values.
    pub(crate) fn points(&self, metric: Metric) -> Vec<(u64, u64)> {
        let of = |event: &TrialEvent| match event {
            TrialEvent::Points(batch) if batch.metric == metric => {
                batch.steps.iter().copied().zip(batch.values.iter().map(|v| v.to_bits())).collect()
            }
            _ => Vec::new(),
        };
        self.events.iter().flat_map(of).collect()
    }

    /// Messages of the log that contain `part`.
    pub(crate) fn logged(&self, level: Level, part: &str) -> Vec<&str> {
        fn of(event: &TrialEvent) -> Option<(Level, &str)> {
            match event {
                TrialEvent::Log(line) => Some((line.level, &line.message)),
                _ => None,
            }
        }
        let lines = self.events.iter().filter_map(of);
        lines.filter(|line| line.0 == level && line.1.contains(part)).map(|line| line.1).collect()
    }

    pub(crate) fn checkpoints(&self) -> Vec<(u64, bool, PathBuf)> {
        let of = |event: &TrialEvent| match event {
            TrialEvent::Checkpoint(saved) => Some((saved.step, saved.is_final, saved.path.clone())),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    pub(crate) fn last_checkpoint(&self) -> PathBuf {
        self.checkpoints().last().unwrap().2.clone()
    }

    pub(crate) fn result(&self) -> &FinalResult {
        match self.events.last().unwrap() {
            TrialEvent::Finished(result) => result,
            other => panic!("the last event is {other:?}"),
        }
    }
}
