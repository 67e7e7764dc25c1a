//! Weights that somebody else trained: from a file to this program's names, and whether they fit.
//!
//! Reads what `torch.save` writes (`.pth`, `.pt`, `.th`: zip archive, legacy stream, tar) and safetensors.
//! Nothing of a pickle is ever executed: its opcodes build plain values, and names of Python classes stay
//! names.

mod alexnet;
mod file;
mod misfit;
mod names;
mod network;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::state::State;

pub use misfit::explain;

/// Why a file gives no weights. Every message is one line: what is wrong, and what to do where that is known.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read weights {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file can be read and is no weights file, or a damaged one.
    #[error("weights {path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl ImportError {
    fn content(path: &Path, problem: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), problem: problem.into() }
    }
}

/// What a weights file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// The tensors in torchvision's names and layout. Wrappers around the network are stripped from the
    /// names, `num_batches_tracked` is left out, and an AlexNet without batch-norm has one that changes
    /// nothing, see [`batch_norm_added`](Self::batch_norm_added).
    pub state: State,
    /// The text that a safetensors file carries beside its tensors.
    pub metadata: BTreeMap<String, String>,
    /// What was not taken as it stood, a line each, to be shown to the person who gave the file.
    pub notes: Vec<String>,
    /// The file's AlexNet has no batch-norm. Evaluated as it is, the network computes what the file's does;
    /// before it is trained, its batch-norm needs the statistics of its images.
    pub batch_norm_added: bool,
}

/// Reads a weights file of either kind, told apart by its content and not by its name.
///
/// # Errors
/// When the file cannot be read, is neither kind, is damaged, or holds numbers that are not finite.
pub fn read(path: &Path) -> Result<Weights, ImportError> {
    let file::Contents { tensors, metadata } = file::read(path)?;
    let mut notes = Vec::new();
    let tensors = names::without_wrappers(tensors, file::RawTensor::is_number, &mut notes);
    let mut state = file::floating_point(tensors, path, &mut notes)?;
    if state.is_empty() {
        return Err(ImportError::content(
            path,
            "there is no tensor of floating-point numbers in it",
        ));
    }
    let batch_norm_added = alexnet::add_batch_norm(&mut state);
    if batch_norm_added {
        notes.push("AlexNet without batch-norm: added one that changes nothing".to_owned());
    }
    Ok(Weights { state, metadata, notes, batch_norm_added })
}
