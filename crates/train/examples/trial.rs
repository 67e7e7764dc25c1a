//! Trains one trial from a JSON specification and prints its epochs.
//!
//! `trial SPEC.json DIRECTORY [--key value …]`: keys are the specification's own fields, with dots, for
//! example `--train.epochs 3 --model.width 0.25 --bits 4`; `--parent FILE`, `--resume FILE` and
//! `--threads N` are the request's. Without a file (`-`) it is a ResNet-18 on the embedded images.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use bitsweep_sweep::TrialEvent;
use bitsweep_train::{Control, TrialRequest, run};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(directory)) = (arguments.next(), arguments.next()) else {
        return Err("usage: trial SPEC.json|- DIRECTORY [--key value …]".into());
    };
    let mut spec = match file.as_str() {
        "-" => default_spec(),
        file => serde_json::from_str(&std::fs::read_to_string(file)?)?,
    };
    let mut options = BTreeMap::new();
    while let (Some(key), Some(value)) = (arguments.next(), arguments.next()) {
        let key = key.trim_start_matches("--").to_owned();
        match key.as_str() {
            "parent" | "resume" | "threads" => {
                options.insert(key, value);
            }
            "bits" => {
                let bits: Value = serde_json::from_str(&value)?;
                spec["bits"] = json!({ "weights": bits, "activations": bits });
            }
            _ => {
                let place = format!("/{}", key.replace('.', "/"));
                let place = spec.pointer_mut(&place).ok_or(format!("no field {key}"))?;
                *place = serde_json::from_str(&value).unwrap_or(Value::String(value));
            }
        }
    }
    let request = TrialRequest {
        spec: serde_json::from_value(spec)?,
        directory: directory.into(),
        parent_checkpoint: options.get("parent").map(PathBuf::from),
        resume_checkpoint: options.get("resume").map(PathBuf::from),
        threads: options.get("threads").map_or(Ok(1), |text| text.parse())?,
        device: "flex".to_owned(),
    };
    let started = Instant::now();
    run(&request, &Control::new(), &mut |event| {
        match event {
            TrialEvent::Started(started) => {
                let steps = started.steps_per_epoch;
                println!("{} parameters, {steps} steps an epoch", started.parameters);
            }
            TrialEvent::Epoch(e) => println!(
                "epoch {} after {:.1} s: top-1 {:.2} top-5 {:.2} validation loss {:.4} training loss \
                 {:.4}, {:.0} images/s, {:.2} s",
                e.epoch,
                started.elapsed().as_secs_f64(),
                e.top1,
                e.top5,
                e.validation_loss,
                e.train_loss.unwrap_or(f64::NAN),
                e.images_per_second.unwrap_or(0.0),
                e.seconds
            ),
            TrialEvent::Log(line) => println!("{}", line.message),
            TrialEvent::Checkpoint(saved) if saved.is_final => println!("{}", saved.path.display()),
            _ => {}
        }
        Ok(())
    })?;
    Ok(())
}

fn default_spec() -> Value {
    json!({
        "name": "trial", "bits": { "weights": 32, "activations": 32 }, "seed": 0, "role": "baseline",
        "parent": null, "reference": null,
        "model": {
            "network": "resnet18", "width": 0.25, "stem": "small", "in_channels": 1, "classes": 10
        },
        "data": {
            "name": "fashion-mnist-mini", "path": null, "resolution": 28, "train_images": null,
            "validation_images": null, "flip": true, "crop_padding": 0
        },
        "train": {
            "epochs": 1, "batch_size": 64, "learning_rate": 0.05, "final_learning_rate_fraction": 0.0,
            "warmup_epochs": 0.2, "momentum": 0.9, "nesterov": false, "weight_decay": 1e-4,
            "quantizer_learning_rate_scale": 0.01, "gamma": "fixed", "interval_init": "search",
            "calibration_images": 1000
        }
    })
}
