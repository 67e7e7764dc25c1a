//! Safetensors with a fixed order of everything, so that the same network gives the same bytes.

use std::collections::BTreeMap;

use bitsweep_models::State;
use serde_json::{Map, Value, json};

use crate::error::TrainError;

/// The format wants tensors to start at multiples of this.
const ALIGNMENT: usize = 8;

/// All tensors as F32 in the order of their names, behind a header with `metadata`.
pub(super) fn encode(
    state: &State,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, TrainError> {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!(metadata));
    let mut end = 0;
    for (name, tensor) in state {
        let start = end;
        end += tensor.values.len() * size_of::<f32>();
        let entry = json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [start, end] });
        header.insert(name.clone(), entry);
    }
    let mut header = serde_json::to_vec(&Value::Object(header)).map_err(|error| {
        TrainError::Engine { doing: "encoding an export", message: error.to_string() }
    })?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    let mut bytes = Vec::with_capacity(8 + header.len() + end);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    for tensor in state.values() {
        bytes.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
    }
    Ok(bytes)
}
