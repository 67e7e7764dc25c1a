//! A trained network leaves the program and comes back to the same accuracy.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use bitsweep_sweep::{
    Bits, DataSpec, FinalResult, Gamma, ModelSpec, Network, Provenance, Role, Stem, TrainSettings,
    TrialEvent, TrialName, TrialSpec,
};
use bitsweep_train::eval::{EvalRequest, eval};
use bitsweep_train::export::{Record, export};
use bitsweep_train::{Control, TrialRequest, run};

fn spec() -> TrialSpec {
    TrialSpec {
        name: TrialName::new("resnet18-4-s0"),
        bits: Bits::both(4),
        seed: 0,
        role: Role::Quantized,
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
            ..DataSpec::default()
        },
        training_data: None,
        train: TrainSettings {
            epochs: 2,
            batch_size: 32,
            learning_rate: 0.1,
            gamma: Gamma::Learned,
            calibration_images: 128,
            ..TrainSettings::default()
        },
    }
}

/// Trains and exports into `folder`.
fn exported(spec: &TrialSpec, folder: &Path) -> (PathBuf, FinalResult) {
    let request = TrialRequest {
        spec: spec.clone(),
        directory: folder.to_owned(),
        parent_checkpoint: None,
        resume_checkpoint: None,
        threads: 2,
        device: "flex".to_owned(),
    };
    let (mut last, mut finished, mut origin) = (None, None, None::<Provenance>);
    run(&request, &Control::new(), &mut |event| {
        match event {
            TrialEvent::Checkpoint(saved) if saved.is_final => last = Some(saved.path),
            TrialEvent::Finished(result) => finished = Some(result),
            TrialEvent::Started(started) => origin = Some(started.provenance),
            _ => {}
        }
        Ok(())
    })
    .unwrap();
    let result = finished.unwrap();
    let record = Record { sweep: "tiny", spec, result: Some(&result), provenance: origin.as_ref() };
    let bytes = export(&fs::read(last.unwrap()).unwrap(), &record).unwrap();
    let path = folder.join("exported.safetensors");
    fs::write(&path, bytes).unwrap();
    (path, result)
}

fn request(weights: PathBuf) -> EvalRequest {
    EvalRequest {
        weights,
        network: None,
        data: "fashion-mnist-mini".to_owned(),
        data_set: "image-folder".to_owned(),
        class_index: None,
        images: None,
        resolution: None,
        resize: None,
        normalization: None,
        skip_corrupt: false,
        batch_size: 32,
        device: "flex".to_owned(),
        threads: 2,
    }
}

#[test]
fn an_exported_quantized_trial_has_the_accuracy_that_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (path, result) = exported(&spec(), folder.path());
    let mut told = Vec::new();
    let report = eval(&request(path.clone()), |done, total| told.push((done, total))).unwrap();
    assert_eq!(report.images, 200);
    assert_eq!(report.top1, result.top1);
    assert_eq!(report.top5, result.top5);
    assert_eq!(report.loss, result.validation_loss);
    assert_eq!(report.recorded_top1, Some(result.top1));
    assert_eq!(told.last(), Some(&(200, 200)));
    assert!(told.is_sorted(), "{told:?}");

    let other = EvalRequest { network: Some(Network::ResNet34), ..request(path.clone()) };
    let message = eval(&other, |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("exported from resnet18, not from resnet34"), "{message}");
    let all = EvalRequest { images: Some(usize::MAX), ..request(path) };
    assert_eq!(eval(&all, |_, _| {}).unwrap().images, 2000);
}

#[test]
fn weights_and_images_that_do_not_belong_together_are_refused() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/import/fixtures");
    let weights = fixtures.join("resnet18.safetensors");
    let refused = |request: EvalRequest| eval(&request, |_, _| {}).unwrap_err().to_string();
    let message = refused(request(weights.clone()));
    assert!(message.contains("say which network"), "{message}");
    let wrong = EvalRequest { network: Some(Network::AlexNet), ..request(weights.clone()) };
    let message = refused(wrong);
    assert!(message.contains("the file holds ResNet-18"), "{message}");
    let gray = EvalRequest { network: Some(Network::ResNet18), ..request(weights) };
    let message = refused(gray.clone());
    assert!(message.contains("images of 1 channels, the network reads 3"), "{message}");
    let missing = EvalRequest { data: "no/such/folder".to_owned(), ..gray.clone() };
    assert!(refused(missing).contains("there is no folder no/such/folder"));
    let unknown = EvalRequest { device: "tpu".to_owned(), ..gray };
    assert!(refused(unknown).contains("tpu"));
}
