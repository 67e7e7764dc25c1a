#![allow(clippy::unwrap_used)]

use std::fs;

use bitsweep_data::Normalization;
use bitsweep_models::{Model, import};
use bitsweep_sweep::{Bits, FinalResult, OutputScale, TrialSpec};
use burn::tensor::Device;

use super::{Description, Record, export};
use crate::checkpoint::{Checkpoint, Directory, EpochSums, Header, IMAGES, MODEL, Position};
use crate::{fixtures, network};

/// A trial of mixed widths, its network and its final checkpoint.
fn trial() -> (TrialSpec, Model, Vec<u8>) {
    let mut spec = fixtures::spec();
    spec.bits = Bits { weights: 3, activations: 4 };
    spec.train.output_scale = OutputScale::Interval;
    let mut model =
        network::build(&spec, spec.bits, spec.train.output_scale, &Device::flex()).unwrap();
    let quantization = (spec.bits, spec.train.output_scale);
    let (position, sums) = (Position::default(), EpochSums::default());
    let header = Header::new(&spec.hash(), spec.model, quantization, position, sums, true);
    let mut checkpoint = Checkpoint { header, tensors: Default::default() };
    checkpoint.insert_group(MODEL, model.state());
    let number = |value| bitsweep_models::NamedTensor { shape: vec![1], values: vec![value] };
    let images = [("mean", 0.286), ("deviation", 0.353)];
    let images = images.map(|(name, value)| (name.to_owned(), number(value)));
    checkpoint.insert_group(IMAGES, images.into());
    let folder = tempfile::tempdir().unwrap();
    let path = Directory::open(folder.path()).unwrap().save(&checkpoint).unwrap();
    (spec, model, fs::read(path).unwrap())
}

fn record(spec: &TrialSpec) -> Record<'_> {
    Record { sweep: "tiny", spec, result: None, provenance: None }
}

fn read(bytes: &[u8]) -> import::Weights {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, bytes).unwrap();
    import::read(file.path()).unwrap()
}

#[test]
fn an_export_reads_back_bit_for_bit_and_describes_itself() {
    let (spec, mut model, checkpoint) = trial();
    let result = FinalResult {
        top1: 100.0 / 3.0,
        top5: 90.0,
        validation_loss: 0.1 + 0.2,
        epochs: 1,
        steps: 10,
        correct: Vec::new(),
    };
    let bytes = export(&checkpoint, &Record { result: Some(&result), ..record(&spec) }).unwrap();
    let weights = read(&bytes);
    assert_eq!(weights.state, model.state());
    assert!(weights.notes.is_empty(), "{:?}", weights.notes);
    let number = |key: &str| weights.metadata[key].parse::<f64>().unwrap();
    assert_eq!(number("bitsweep.top1"), result.top1);
    assert_eq!(number("bitsweep.validation_loss"), result.validation_loss);
    let spec_read: TrialSpec = serde_json::from_str(&weights.metadata["bitsweep.spec"]).unwrap();
    assert_eq!(spec_read, spec);
    let found = Description::from_metadata(&weights.metadata).unwrap().unwrap();
    let expected = Description {
        model: spec.model,
        bits: spec.bits,
        output_scale: OutputScale::Interval,
        convolution: spec.train.convolution,
        resolution: Some(28),
        resize: None,
        normalization: Some(Normalization { mean: vec![0.286], deviation: vec![0.353] }),
        data: Some("fashion-mnist-mini".to_owned()),
        validation_images: None,
    };
    assert_eq!(found, expected);
}

#[test]
fn the_same_trial_gives_the_same_bytes() {
    let (spec, _, checkpoint) = trial();
    let first = export(&checkpoint, &record(&spec)).unwrap();
    assert_eq!(first, export(&checkpoint, &record(&spec)).unwrap());
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&first).unwrap();
    assert_eq!((first.len() - metadata.data_len()) % 8, 0, "tensors are aligned");
}

#[test]
fn a_checkpoint_of_another_trial_or_a_damaged_one_is_refused() {
    let (mut spec, _, checkpoint) = trial();
    let cut = export(&checkpoint[..checkpoint.len() - 1], &record(&spec)).unwrap_err().to_string();
    assert!(cut.contains("damaged"), "{cut}");
    spec.seed += 1;
    let other = export(&checkpoint, &record(&spec)).unwrap_err().to_string();
    assert!(other.contains("of another trial than resnet18-32-s0"), "{other}");
}

#[test]
fn a_description_that_is_not_understood_says_which_entry() {
    let (spec, _, checkpoint) = trial();
    let good = read(&export(&checkpoint, &record(&spec)).unwrap()).metadata;
    let problem = |key: &str, value: Option<&str>| {
        let mut metadata = good.clone();
        match value {
            Some(value) => metadata.insert(key.to_owned(), value.to_owned()),
            None => metadata.remove(key),
        };
        Description::from_metadata(&metadata).unwrap_err()
    };
    assert!(problem("bitsweep.classes", None).contains("bitsweep.classes is missing"));
    assert!(problem("bitsweep.network", Some("vgg")).contains("bitsweep.network = \"vgg\""));
    assert!(problem("bitsweep.weight_bits", Some("four")).contains("weight_bits = \"four\""));
    assert!(problem("bitsweep.format", Some("2")).contains("reads format 1"));
    assert!(problem("bitsweep.normalization_mean", Some("0.1 0.2")).contains("1 channels"));
    assert_eq!(Description::from_metadata(&Default::default()), Ok(None));
}
