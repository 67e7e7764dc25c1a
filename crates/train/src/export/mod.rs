//! A trained network as a file that needs nothing of this program.
//!
//! A safetensors file: tensors in torchvision's names and layout, intervals in names of their own, everything
//! else as text in its metadata. `docs/weights.md` defines it.

mod description;
mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use bitsweep_sweep::{FinalResult, Provenance, TrialSpec};

use crate::checkpoint::{self, MODEL};
use crate::error::TrainError;

pub use description::{Description, FORMAT};

/// What is known about a trial beside its weights.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Name of its sweep.
    pub sweep: &'a str,
    /// What was trained.
    pub spec: &'a TrialSpec,
    /// What it came to.
    pub result: Option<&'a FinalResult>,
    /// Where it was trained.
    pub provenance: Option<&'a Provenance>,
}

/// The bytes of an export of the trial whose final checkpoint these are: the same for the same input.
///
/// # Errors
/// When the checkpoint cannot be read, is damaged, or belongs to another trial than the record.
pub fn export(checkpoint: &[u8], record: &Record<'_>) -> Result<Vec<u8>, TrainError> {
    let name = record.spec.name.to_string();
    let path = Path::new(&name);
    let checkpoint =
        checkpoint::decode(checkpoint).map_err(|problem| TrainError::checkpoint(path, problem))?;
    let header = &checkpoint.header;
    if header.spec_hash != record.spec.hash() {
        let problem = format!("of another trial than {}", record.spec.name);
        return Err(TrainError::checkpoint(path, problem));
    }
    let description = Description {
        model: header.model,
        bits: header.bits,
        output_scale: header.output_scale,
        convolution: record.spec.train.convolution,
        resolution: Some(record.spec.data.resolution),
        resize: record.spec.data.validation_resize,
        normalization: description::normalization(&checkpoint),
        data: Some(record.spec.data.name.clone()),
        validation_images: record.provenance.map(|provenance| provenance.validation_images),
    };
    let mut metadata = description.to_metadata();
    metadata.extend(provenance(record)?);
    file::encode(&checkpoint.group(MODEL), &metadata)
}

/// What the number needs to be believed and remade.
fn provenance(record: &Record<'_>) -> Result<BTreeMap<String, String>, TrainError> {
    let json = |value: Result<String, serde_json::Error>| {
        value.map_err(|error| TrainError::Engine {
            doing: "encoding an export",
            message: error.to_string(),
        })
    };
    let mut entries = vec![
        ("program_version", env!("CARGO_PKG_VERSION").to_owned()),
        ("sweep", record.sweep.to_owned()),
        ("trial", record.spec.name.to_string()),
        ("spec", json(serde_json::to_string(record.spec))?),
    ];
    if let Some(result) = record.result {
        entries.extend([
            ("top1", result.top1.to_string()),
            ("top5", result.top5.to_string()),
            ("validation_loss", result.validation_loss.to_string()),
        ]);
    }
    if let Some(provenance) = record.provenance {
        entries.push(("provenance", json(serde_json::to_string(provenance))?));
    }
    Ok(entries.into_iter().map(|(key, value)| (description::key(key), value)).collect())
}
