//! Small trials, and what they said.

use std::path::{Path, PathBuf};

use bitsweep_sweep::{
    Bits, DataSpec, EpochSummary, FinalResult, Gamma, IntervalInit, LayerReport, Metric, ModelSpec,
    Network, Role, Stem, TrainSettings, TrialEvent, TrialName, TrialSpec,
};
use bitsweep_train::{Control, Outcome, TrainError, TrialRequest, run};

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
        data: DataSpec {
            name: "fashion-mnist-mini".to_owned(),
            path: None,
            resolution: 28,
            train_images: Some(320),
            validation_images: Some(200),
            flip: true,
            crop_padding: 2,
        },
        train: TrainSettings {
            epochs: 2,
            batch_size: 32,
            learning_rate: 0.1,
            final_learning_rate_fraction: 0.0,
            warmup_epochs: 0.5,
            momentum: 0.9,
            nesterov: true,
            weight_decay: 1e-4,
            quantizer_learning_rate_scale: 0.01,
            gamma: Gamma::Learned,
            interval_init: IntervalInit::Search,
            calibration_images: 128,
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
