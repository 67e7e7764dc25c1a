//! Files as raw tensors by name.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use half::{bf16, f16};
use pytorch_reader::{DType, PytorchError, PytorchReader};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::ImportError;
use crate::state::{NamedTensor, State};

/// Counts batches, for PyTorch's `momentum=None` alone.
const COUNTER: &str = "num_batches_tracked";

/// A tensor as its file has it, row-major.
pub(super) struct RawTensor {
    shape: Vec<usize>,
    /// `None`: not floating point.
    values: Option<Vec<f32>>,
    /// The file's element type.
    kind: String,
    /// Whether numbers were rounded.
    rounded: bool,
}

impl RawTensor {
    /// Whether it has no axes.
    pub(super) fn is_number(&self) -> bool {
        self.shape.is_empty()
    }
}

/// A file's tensors and text.
pub(super) struct Contents {
    pub(super) tensors: BTreeMap<String, RawTensor>,
    pub(super) metadata: BTreeMap<String, String>,
}

pub(super) fn read(path: &Path) -> Result<Contents, ImportError> {
    let unreadable = |source| ImportError::Read { path: path.to_owned(), source };
    let mut head = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    file.take(64).read_to_end(&mut head).map_err(unreadable)?;
    if let Some(problem) = no_weights(&head) {
        return Err(ImportError::content(path, problem));
    }
    // A length, then the start of a JSON object: no pickle, zip or tar has `{` there.
    if head.get(8) == Some(&b'{') {
        read_safetensors(&fs::read(path).map_err(unreadable)?)
            .map_err(|problem| ImportError::content(path, problem))
    } else {
        read_pytorch(path, length)
    }
}

/// Files that people take for weights.
fn no_weights(head: &[u8]) -> Option<&'static str> {
    if head.is_empty() {
        Some("the file is empty")
    } else if head.starts_with(b"\x1f\x8b") {
        Some("compressed with gzip; unpack it first, for example with gunzip")
    } else if head.starts_with(b"version https://git-lfs") {
        Some("a Git LFS pointer and not the weights themselves; fetch them with `git lfs pull`")
    } else if head.trim_ascii_start().starts_with(b"<") {
        Some("a web page and not weights; download the file itself")
    } else {
        None
    }
}

fn read_safetensors(bytes: &[u8]) -> Result<Contents, String> {
    let damaged =
        |error: safetensors::SafeTensorError| format!("damaged or incomplete safetensors: {error}");
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let tensors = file.iter().map(|(name, view)| {
        let kind = match view.dtype() {
            Dtype::F64 => Some(DType::F64),
            Dtype::F32 => Some(DType::F32),
            Dtype::F16 => Some(DType::F16),
            Dtype::BF16 => Some(DType::BF16),
            _ => None,
        };
        let tensor = RawTensor {
            shape: view.shape().to_vec(),
            values: kind.and_then(|kind| decode(kind, view.data())),
            kind: format!("{:?}", view.dtype()),
            rounded: kind == Some(DType::F64),
        };
        (name.to_owned(), tensor)
    });
    Ok(Contents { tensors: tensors.collect(), metadata })
}

fn read_pytorch(path: &Path, length: u64) -> Result<Contents, ImportError> {
    let content = |problem: String| ImportError::content(path, problem);
    let reader = PytorchReader::new(path).map_err(|error| match error {
        PytorchError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            ImportError::Read { path: path.to_owned(), source }
        }
        PytorchError::InvalidFormat(problem) if problem.starts_with("not a PyTorch checkpoint") => {
            content("neither safetensors nor a file of torch.save".to_owned())
        }
        other => content(format!("damaged, or not a file of torch.save: {}", one_line(&other))),
    })?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in reader.into_tensors() {
        if name.ends_with(COUNTER) {
            continue;
        }
        // A view may repeat its numbers without end; parameters never do.
        if tensor.byte_len() as u64 > length {
            return Err(content(format!(
                "{name} with shape {:?} is larger than the file it is in",
                tensor.shape()
            )));
        }
        let kind = tensor.dtype();
        let floating = matches!(kind, DType::F64 | DType::F32 | DType::F16 | DType::BF16);
        let values = if floating {
            let bytes = tensor.read().map_err(|error| content(format!("damaged: {error}")))?;
            decode(kind, &bytes)
        } else {
            None
        };
        let shape = tensor.shape().to_vec();
        let rounded = kind == DType::F64;
        tensors.insert(name, RawTensor { shape, values, kind: format!("{kind:?}"), rounded });
    }
    Ok(Contents { tensors, metadata: BTreeMap::new() })
}

/// Little-endian numbers as f32; `None` where the type is not floating point.
fn decode(kind: DType, bytes: &[u8]) -> Option<Vec<f32>> {
    let pairs = || bytes.as_chunks::<2>().0.iter();
    match kind {
        DType::F64 => {
            Some(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect())
        }
        DType::F32 => {
            Some(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
        }
        DType::F16 => Some(pairs().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
        DType::BF16 => Some(pairs().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()),
        _ => None,
    }
}

/// Tensors of a network: all floating point and finite, without batch counters.
pub(super) fn floating_point(
    tensors: BTreeMap<String, RawTensor>,
    path: &Path,
    notes: &mut Vec<String>,
) -> Result<State, ImportError> {
    let mut state = State::new();
    let mut rounded = 0;
    for (name, RawTensor { shape, values, kind, rounded: was_rounded }) in tensors {
        if name.ends_with(COUNTER) {
            continue;
        }
        let Some(values) = values else {
            let problem = format!("{name} holds {kind}, weights are floating point");
            return Err(ImportError::content(path, problem));
        };
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            let problem = format!("{name} holds {value}: the training that wrote it had diverged");
            return Err(ImportError::content(path, problem));
        }
        rounded += usize::from(was_rounded);
        state.insert(name, NamedTensor { shape, values });
    }
    if rounded > 0 {
        notes.push(format!("rounded {rounded} tensors from 64 to 32 bits"));
    }
    Ok(state)
}

fn one_line(error: &impl ToString) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
