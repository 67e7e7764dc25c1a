//! What cannot be trained is named.

use std::fs;
use std::io;

use bitsweep_sweep::{AttemptEnd, Bits, Network, Precision, TrialName};
use bitsweep_train::{Control, EmitError, TrainError, TrialRequest, run};

use crate::fixture::{finished, folder, request, spec, told};

fn refused(request: &TrialRequest, parts: &[&str]) {
    let error = told(request, &Control::new()).ended.unwrap_err();
    assert_eq!(error.reason(), AttemptEnd::BadInput, "{error}");
    let message = error.failure().message;
    assert!(!message.contains('\n'), "{message}");
    for part in parts {
        assert!(message.contains(part), "{message} lacks {part}");
    }
}

#[test]
fn a_loss_that_explodes_ends_the_trial_and_leaves_the_last_checkpoint() {
    let folder = folder();
    let mut spec = spec(32);
    spec.train.learning_rate = 1e18;
    spec.train.warmup_epochs = 0.0;
    let mut request = request(&spec, folder.path());
    let control = Control::new();
    control.request_stop_at(1);
    let path = told(&request, &control).last_checkpoint();
    let saved = fs::read(&path).unwrap();

    request.resume_checkpoint = Some(path.clone());
    let told = told(&request, &Control::new());
    let error = told.ended.unwrap_err();
    assert_eq!(error.reason(), AttemptEnd::Diverged);
    let message = error.to_string();
    assert!(message.contains("step 2 with learning rate"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), saved);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing bad was saved");
}

#[test]
fn a_parent_of_another_network_width_or_class_count_is_named_with_the_difference() {
    let parent_folder = folder();
    let parent = finished(&request(&spec(32), parent_folder.path())).last_checkpoint();
    let child_folder = folder();
    let mut child = request(&spec(4), child_folder.path());
    child.parent_checkpoint = Some(parent);
    child.spec.model.width = 0.125;
    refused(&child, &["step-000000020.safetensors", "width is 0.0625, expected 0.125"]);
    child.spec.model.width = 0.0625;
    child.spec.model.network = Network::ResNet34;
    refused(&child, &["network is resnet18, expected resnet34"]);
}

#[test]
fn a_parent_that_is_missing_or_unfinished_is_refused() {
    let folder = folder();
    let mut child = request(&spec(4), folder.path());
    child.spec.parent = Some(TrialName::new("resnet18-32-s0"));
    refused(&child, &["resnet18-32-s0", "not given"]);
    child.parent_checkpoint = Some(folder.path().join("nowhere.safetensors"));
    refused(&child, &["nowhere.safetensors"]);
    let control = Control::new();
    control.request_stop_at(3);
    let parent = told(&request(&spec(32), folder.path()), &control).last_checkpoint();
    child.parent_checkpoint = Some(parent);
    refused(&child, &["before its training had ended"]);
}

#[test]
fn a_damaged_checkpoint_or_one_of_another_specification_is_not_resumed() {
    let first_folder = folder();
    let control = Control::new();
    control.request_stop_at(2);
    let path = told(&request(&spec(32), first_folder.path()), &control).last_checkpoint();
    let folder = folder();
    let mut resumed = request(&spec(32), folder.path());
    resumed.resume_checkpoint = Some(path.clone());
    resumed.spec.train.learning_rate = 0.2;
    refused(&resumed, &["another specification"]);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    refused(&resumed, &[path.file_name().unwrap().to_str().unwrap(), "damaged or incomplete"]);
}

#[test]
fn unknown_data_devices_and_mismatched_classes_are_refused() {
    let folder = folder();
    let good = request(&spec(32), folder.path());
    let mut bad = good.clone();
    bad.spec.data.name = "fashion-mnist-mimi".to_owned();
    refused(&bad, &["fashion-mnist-mimi"]);
    let mut bad = good.clone();
    bad.device = "cuda:7".to_owned();
    refused(&bad, &["cuda:7", "flex"]);
    let mut bad = good.clone();
    bad.spec.model.classes = 1000;
    refused(&bad, &["10 classes", "1000"]);
    let mut bad = good;
    bad.spec.data.resolution = 16;
    refused(&bad, &["16"]);
}

#[test]
fn widths_and_settings_out_of_range_are_refused_before_anything_is_computed() {
    let folder = folder();
    let good = request(&spec(4), folder.path());
    let mut bad = good.clone();
    bad.spec.bits = Bits { weights: 1, activations: 4 };
    refused(&bad, &["resnet18-4-s0", "weights of 1 bits", "2 to 8"]);
    bad.spec.bits = Bits { weights: 4, activations: 9 };
    refused(&bad, &["activations of 9 bits"]);
    let mut bad = good.clone();
    bad.spec.train.precision = Precision::Mixed;
    refused(&bad, &["precision = \"mixed\" needs a CUDA device"]);
    let mut bad = good;
    bad.spec.train.batch_size = 0;
    refused(&bad, &["batch-size must be at least 1"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_reader_that_is_gone_ends_the_trial() {
    let folder = folder();
    let mut left = 3;
    let ended = run(&request(&spec(32), folder.path()), &Control::new(), &mut |_| {
        left -= 1;
        if left == 0 {
            return Err(EmitError::from(io::Error::from(io::ErrorKind::BrokenPipe)));
        }
        Ok(())
    });
    assert!(matches!(ended, Err(TrainError::Emit(_))));
}
