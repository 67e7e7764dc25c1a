//! Images a second of the training step, for `scripts/bench-engine`.
//!
//! Reads a number of steps a line from standard input and answers each with one line of JSON. Options
//! are those of `scripts/pytorch/training_step.py`, its counterpart: `--network`, `--size`, `--batch`,
//! `--bits`, `--gamma`, `--width`, `--small`, `--channels`, `--classes`, `--threads`; and `--device`.
//! Run it with glibc's `MALLOC_MMAP_THRESHOLD_` and `MALLOC_TRIM_THRESHOLD_` at 1073741824, as a worker
//! runs its trials.

#![allow(clippy::print_stdout, reason = "the lines are what it is for")]

use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

use bitsweep_sweep::TrialSpec;
use bitsweep_train::measurement::TrainingStep;
use serde_json::{Value, json};

/// Steps before the first answer: memory, threads and packed weights are there then.
const WARM_UP: usize = 3;

struct Options {
    spec: Value,
    device: String,
    threads: usize,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self { spec: default_spec(), device: "flex".to_owned(), threads: 1 };
        while let Some(key) = arguments.next() {
            if key == "--small" {
                options.spec["model"]["stem"] = json!("small");
                continue;
            }
            let text = arguments.next().ok_or(format!("{key} has no value"))?;
            let value = || serde_json::from_str(&text).unwrap_or(Value::String(text.clone()));
            let spec = &mut options.spec;
            match key.as_str() {
                "--network" | "--width" | "--classes" => spec["model"][&key[2..]] = value(),
                "--channels" => spec["model"]["in_channels"] = value(),
                "--size" => spec["data"]["resolution"] = value(),
                "--batch" => spec["train"]["batch_size"] = value(),
                "--gamma" => spec["train"]["gamma"] = value(),
                "--convolution" => spec["train"]["convolution"] = value(),
                "--bits" => {
                    spec["bits"] = json!({ "weights": value(), "activations": value() });
                }
                "--threads" => options.threads = text.parse()?,
                "--device" => options.device = text,
                _ => return Err(format!("unknown option {key}").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Options { spec, device, threads } = Options::parse(std::env::args().skip(1))?;
    let spec: TrialSpec = serde_json::from_value(spec)?;
    let mut step = TrainingStep::new(&spec, &device, threads)?;
    let mut loss = f64::NAN;
    for _ in 0..WARM_UP {
        loss = step.run()?;
    }
    println!("{}", json!({ "ready": true, "loss": loss }));
    for line in std::io::stdin().lock().lines() {
        let steps: u32 = line?.trim().parse()?;
        let (start, used) = (Instant::now(), processor_seconds());
        for _ in 0..steps {
            loss = step.run()?;
        }
        let images = f64::from(steps * spec.train.batch_size);
        println!(
            "{}",
            json!({
                "images_per_second": images / start.elapsed().as_secs_f64(),
                "images_per_cpu_second": images / (processor_seconds() - used),
                "peak_bytes": peak_bytes(),
                "loss": loss,
            })
        );
    }
    Ok(())
}

fn default_spec() -> Value {
    json!({
        "name": "bench",
        "bits": { "weights": 32, "activations": 32 },
        "seed": 0,
        "role": "baseline",
        "parent": null,
        "reference": null,
        "model": {
            "network": "resnet18", "width": 1.0, "stem": "imagenet", "in_channels": 3, "classes": 1000,
        },
        "data": { "name": "noise", "resolution": 64 },
        "train": { "batch_size": 64, "learning_rate": 0.01, "gamma": "fixed" },
    })
}

/// Seconds that this process has computed, of all its threads; 0 where the system does not say.
fn processor_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the program's name, which may hold spaces: utime and stime are fields 14 and 15.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        / TICKS_PER_SECOND
}

/// Largest resident set so far; 0 where the system does not say.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
