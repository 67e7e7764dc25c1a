//! A sweep as a file of events: what a coordinator would have told a dashboard, with the times at which
//! it happened.
//!
//! The file starts with [`MAGIC`]. Every record is its kind (one byte), its time (Unix milliseconds, 8
//! bytes), the length of a trial id (2 bytes) and the id, the length of a message (4 bytes) and the
//! message of `bitsweep.v1`; numbers are little-endian.

mod timeline;

use std::collections::HashMap;

use bitsweep_proto::v1;
use prost::Message;

/// First bytes of every recording; the number is the version.
pub(crate) const MAGIC: &[u8] = b"bitsweep-events 1\n";

const UPDATE: u8 = 1;
const SERIES: u8 = 2;
const LAYERS: u8 = 3;

/// Why a file is no recording.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// Another file, or one of another version.
    #[error(
        "this is no recording that this bitsweep reads: it does not start with \"bitsweep-events 1\""
    )]
    NotOne,
    /// Cut or damaged.
    #[error("the recording is damaged at byte {at}: {what}")]
    Damaged {
        /// Where the record starts.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// Nothing happened in it.
    #[error("the recording has no events")]
    Empty,
}

/// A recorded sweep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// Updates in the order of their times.
    pub(crate) updates: Vec<(i64, v1::WatchUpdate)>,
    /// Points by trial id.
    pub(crate) series: HashMap<String, Vec<v1::PointBatch>>,
    /// Layers by trial id.
    pub(crate) layers: HashMap<String, Vec<v1::LayerReport>>,
}

impl Recording {
    /// The story of a sweep as its last snapshot tells it, with the points and layers of its trials by
    /// trial id.
    pub fn of_sweep(
        snapshot: v1::SweepSnapshot,
        series: HashMap<String, Vec<v1::PointBatch>>,
        layers: HashMap<String, Vec<v1::LayerReport>>,
    ) -> Self {
        Self { updates: timeline::updates(snapshot), series, layers }
    }

    /// First and last moment, Unix milliseconds.
    pub(crate) fn span(&self) -> (i64, i64) {
        let time = |update: Option<&(i64, v1::WatchUpdate)>| update.map_or(0, |u| u.0);
        (time(self.updates.first()), time(self.updates.last()))
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let start = self.span().0;
        let mut put = |kind: u8, time_ms: i64, id: &str, message: Vec<u8>| {
            bytes.push(kind);
            bytes.extend(time_ms.to_le_bytes());
            bytes.extend((id.len().min(usize::from(u16::MAX)) as u16).to_le_bytes());
            bytes.extend(&id.as_bytes()[..id.len().min(usize::from(u16::MAX))]);
            bytes.extend((message.len() as u32).to_le_bytes());
            bytes.extend(message);
        };
        let mut ids: Vec<&String> = self.series.keys().chain(self.layers.keys()).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            if let Some(series) = self.series.get(id) {
                let message = v1::SeriesResponse { series: series.clone() };
                put(SERIES, start, id, message.encode_to_vec());
            }
            if let Some(reports) = self.layers.get(id) {
                let message = v1::LayersResponse { reports: reports.clone() };
                put(LAYERS, start, id, message.encode_to_vec());
            }
        }
        for (time_ms, update) in &self.updates {
            put(UPDATE, *time_ms, "", update.encode_to_vec());
        }
        bytes
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is none, or is cut or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordingError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(RecordingError::NotOne)?;
        let mut recording = Self::default();
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let damaged = |what| RecordingError::Damaged { at, what };
            let record = Record::take(&mut rest).ok_or(damaged("it is cut"))?;
            let unreadable = |_| damaged("a message cannot be read");
            match record.kind {
                UPDATE => {
                    let update = v1::WatchUpdate::decode(record.message).map_err(unreadable)?;
                    recording.updates.push((record.time_ms, update));
                }
                SERIES => {
                    let answer = v1::SeriesResponse::decode(record.message).map_err(unreadable)?;
                    recording.series.insert(record.id.to_owned(), answer.series);
                }
                LAYERS => {
                    let answer = v1::LayersResponse::decode(record.message).map_err(unreadable)?;
                    recording.layers.insert(record.id.to_owned(), answer.reports);
                }
                _ => return Err(damaged("a record is of no known kind")),
            }
        }
        if recording.updates.is_empty() {
            return Err(RecordingError::Empty);
        }
        recording.updates.sort_by_key(|(time_ms, _)| *time_ms);
        Ok(recording)
    }
}

struct Record<'a> {
    kind: u8,
    time_ms: i64,
    id: &'a str,
    message: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes a record from the front of `rest`; `None` when it is cut.
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let kind = *rest.split_off_first()?;
        let time_ms = i64::from_le_bytes(rest.split_off(..8)?.try_into().ok()?);
        let length = u16::from_le_bytes(rest.split_off(..2)?.try_into().ok()?);
        let id = std::str::from_utf8(rest.split_off(..usize::from(length))?).ok()?;
        let length = u32::from_le_bytes(rest.split_off(..4)?.try_into().ok()?);
        let message = rest.split_off(..length as usize)?;
        Some(Self { kind, time_ms, id, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn recording() -> Recording {
        let id = fixture::more::id(0, 2);
        let series = HashMap::from([(id.clone(), fixture::losses(316))]);
        let layers = HashMap::from([(id, fixture::more::layers(2, 4, true))]);
        Recording::of_sweep(fixture::finished(), series, layers)
    }

    #[test]
    fn a_recording_is_read_as_it_was_written() {
        let recording = recording();
        assert_eq!(Recording::from_bytes(&recording.to_bytes()), Ok(recording));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_refused_and_never_panics() {
        let bytes = recording().to_bytes();
        assert_eq!(Recording::from_bytes(b"something else"), Err(RecordingError::NotOne));
        assert_eq!(Recording::from_bytes(MAGIC), Err(RecordingError::Empty));
        for length in (MAGIC.len() + 1..bytes.len()).step_by(97) {
            let error = Recording::from_bytes(&bytes[..length]);
            // A cut between two records leaves a shorter recording.
            let shorter = error.as_ref().is_ok_and(|r| r.updates.len() < recording().updates.len());
            let named =
                matches!(error, Err(RecordingError::Damaged { .. } | RecordingError::Empty));
            assert!(shorter || named, "{length}");
        }
        let mut wrong = bytes;
        wrong[MAGIC.len()] = 99;
        assert!(matches!(Recording::from_bytes(&wrong), Err(RecordingError::Damaged { .. })));
    }
}
