//! Checkpoint files: encoding, atomic writing, validation.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use bitsweep_models::{NamedTensor, State};

use super::{Checkpoint, FORMAT, Header};
use crate::error::TrainError;

/// The key of the header in the file's metadata. One key only: the order of several is random.
const HEADER_KEY: &str = "bitsweep";

/// Where a trial's checkpoints go. Files stay: whoever delivers them removes them.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes the folder where it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, TrainError> {
        fs::create_dir_all(path).map_err(|source| TrainError::io("create", path, source))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Writes `checkpoint` as `step-<step>.safetensors`, complete or not at all.
    pub(crate) fn save(&self, checkpoint: &Checkpoint) -> Result<PathBuf, TrainError> {
        let name = format!("step-{:09}.safetensors", checkpoint.header.position.step);
        let path = self.path.join(name);
        let bytes = encode(checkpoint)?;
        write_atomically(&path, &bytes, |partial| File::create(partial))?;
        Ok(path)
    }
}

/// Reads and validates a checkpoint.
pub(crate) fn load(path: &Path) -> Result<Checkpoint, TrainError> {
    let bytes = fs::read(path).map_err(|source| TrainError::io("read checkpoint", path, source))?;
    decode(&bytes).map_err(|problem| TrainError::checkpoint(path, problem))
}

fn encode(checkpoint: &Checkpoint) -> Result<Vec<u8>, TrainError> {
    let engine = |message: String| TrainError::Engine { doing: "encoding a checkpoint", message };
    let header = serde_json::to_string(&checkpoint.header).map_err(|e| engine(e.to_string()))?;
    let metadata = HashMap::from([(HEADER_KEY.to_owned(), header)]);
    let little_endian: Vec<(&str, &[usize], Vec<u8>)> = checkpoint
        .tensors
        .iter()
        .map(|(name, array)| {
            let bytes = array.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (name.as_str(), array.shape.as_slice(), bytes)
        })
        .collect();
    let views = little_endian
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| engine(e.to_string()))?;
    safetensors::serialize(views, Some(metadata)).map_err(|e| engine(e.to_string()))
}

/// A checkpoint from its bytes; otherwise what is wrong with them.
pub(crate) fn decode(bytes: &[u8]) -> Result<Checkpoint, String> {
    let damaged = |what: String| {
        format!("the file is damaged or incomplete ({what}); delete it and use an earlier one")
    };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.to_string()))?;
    let header = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(HEADER_KEY))
        .ok_or("a safetensors file, but not a checkpoint of bitsweep")?;
    let format: FormatOnly =
        serde_json::from_str(header).map_err(|e| damaged(format!("header: {e}")))?;
    if format.format != FORMAT {
        return Err(format!(
            "written in format {}, this program reads format {FORMAT}; use the bitsweep that wrote it",
            format.format
        ));
    }
    let header: Header =
        serde_json::from_str(header).map_err(|e| damaged(format!("header: {e}")))?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
    let mut tensors = State::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("tensor {name} is {:?}, expected F32", view.dtype()));
        }
        let (numbers, _) = view.data().as_chunks::<4>();
        let values = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        tensors.insert(name.to_owned(), NamedTensor { shape: view.shape().to_vec(), values });
    }
    Ok(Checkpoint { header, tensors })
}

#[derive(serde::Deserialize)]
struct FormatOnly {
    format: u32,
}

/// Temporary file beside `path`, fsync, rename, fsync of the folder: after a crash at any moment
/// `path` holds the old bytes or the new ones.
fn write_atomically(
    path: &Path,
    bytes: &[u8],
    create: impl FnOnce(&Path) -> io::Result<File>,
) -> Result<(), TrainError> {
    let partial = path.with_extension("partial");
    let written = create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(source) = written {
        let _ = fs::remove_file(&partial);
        return Err(TrainError::io("write checkpoint", path, source));
    }
    fs::rename(&partial, path)
        .map_err(|source| TrainError::io("write checkpoint", path, source))?;
    if let Some(folder) = path.parent() {
        // Some file systems refuse fsync on a folder; the file itself is safe by then.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::checkpoint::{EpochSums, Position};
    use crate::fixtures::model;
    use bitsweep_sweep::{Bits, OutputScale};

    fn checkpoint(step: u64) -> Checkpoint {
        let position = Position { epochs_done: 1, step, batch: 3, evaluation_due: false };
        let sums = EpochSums { loss: 0.1 + 0.2, images: 77, seconds: 1.0 / 3.0 };
        let values = vec![f32::NAN, -0.0, f32::MIN_POSITIVE / 2.0, 1.5, f32::INFINITY, 0.1];
        Checkpoint {
            header: Header::new(
                "abc",
                model(),
                (Bits::both(4), OutputScale::None),
                position,
                sums,
                false,
            ),
            tensors: State::from([
                ("fc.weight".to_owned(), NamedTensor { shape: vec![2, 3], values }),
                (
                    "optimizer.momentum.x".to_owned(),
                    NamedTensor { shape: vec![], values: vec![2.5] },
                ),
            ]),
        }
    }

    fn bits(checkpoint: &Checkpoint) -> Vec<(String, Vec<usize>, Vec<u32>)> {
        let of = |(name, array): (&String, &NamedTensor)| {
            let values = array.values.iter().map(|value| value.to_bits()).collect();
            (name.clone(), array.shape.clone(), values)
        };
        checkpoint.tensors.iter().map(of).collect()
    }

    #[test]
    fn every_bit_comes_back_and_the_same_content_is_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let written = checkpoint(5);
        let path = Directory::open(folder.path()).unwrap().save(&written).unwrap();
        let read = load(&path).unwrap();
        assert_eq!(read.header, written.header);
        assert_eq!(read.header.sums().loss.to_bits(), (0.1_f64 + 0.2).to_bits());
        assert_eq!(bits(&read), bits(&written));
        assert_eq!(encode(&written).unwrap(), encode(&read).unwrap());
        assert_eq!(read.group("optimizer.momentum.")["x"].values, [2.5]);
    }

    #[test]
    fn a_truncated_file_is_named_and_refused_at_any_length() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = encode(&checkpoint(5)).unwrap();
        let path = folder.path().join("cut.safetensors");
        for length in [0, 7, 100, bytes.len() - 1] {
            fs::write(&path, &bytes[..length]).unwrap();
            let message = load(&path).unwrap_err().to_string();
            assert!(message.contains("cut.safetensors"), "{message}");
            assert!(message.contains("damaged or incomplete"), "{message}");
        }
    }

    #[test]
    fn another_format_and_other_peoples_files_are_told_apart() {
        let mut newer = checkpoint(5);
        newer.header.format = 2;
        let message = decode(&encode(&newer).unwrap()).unwrap_err();
        assert!(message.contains("format 2"), "{message}");
        let data = [0; 4];
        let view = TensorView::new(Dtype::F32, vec![1], &data).unwrap();
        let foreign = safetensors::serialize([("w", view)], None).unwrap();
        assert!(decode(&foreign).unwrap_err().contains("not a checkpoint of bitsweep"));
    }

    #[test]
    fn every_step_has_a_file_of_its_own_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(&folder.path().join("new")).unwrap();
        for step in [3, 4, 4] {
            directory.save(&checkpoint(step)).unwrap();
        }
        let entries = fs::read_dir(folder.path().join("new")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["step-000000003.safetensors", "step-000000004.safetensors"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_one_clear_line_and_leaves_the_previous_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.safetensors");
        fs::write(&path, "previous").unwrap();
        let full = |_: &Path| File::options().write(true).open("/dev/full");
        let error = write_atomically(&path, b"new bytes", full).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("c.safetensors") && message.contains("free some space"),
            "{message}"
        );
        assert!(!message.contains('\n'));
        assert_eq!(fs::read(&path).unwrap(), b"previous");
    }
}
