//! Conversions between messages and domain types.
//!
//! Towards messages they cannot fail; from messages they refuse what the domain cannot mean.

mod data;
mod event;
mod fields;
mod spec;
mod train;

use fields::{checked_fields, enums, same_fields};

/// A message that means nothing in the domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("message field {field}: {problem}")]
pub struct ConvertError {
    /// Path of the field within the message.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl ConvertError {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl From<bitsweep_sweep::InvalidField> for ConvertError {
    fn from(invalid: bitsweep_sweep::InvalidField) -> Self {
        Self { field: invalid.field, problem: invalid.problem }
    }
}

impl From<ConvertError> for tonic::Status {
    fn from(error: ConvertError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

/// Unwraps a message field that must be set.
pub(crate) fn required<T>(field: &str, value: Option<T>) -> Result<T, ConvertError> {
    value.ok_or_else(|| ConvertError::new(field, "is missing"))
}

/// Reads an enum field: unknown numbers are refused.
pub(crate) fn read_enum<M, D>(field: &str, number: i32) -> Result<D, ConvertError>
where
    M: TryFrom<i32>,
    D: TryFrom<M, Error = ConvertError>,
{
    let message = M::try_from(number)
        .map_err(|_| ConvertError::new(field, format!("{number} is unknown")))?;
    D::try_from(message).map_err(|error| ConvertError::new(field, error.problem))
}
