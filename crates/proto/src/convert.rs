//! Conversions between messages and domain types.
//!
//! Towards messages they cannot fail; from messages they refuse what the domain cannot mean.

mod event;
mod spec;

/// A message that means nothing in the domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("message field {field}: {problem}")]
pub struct ConvertError {
    /// Path of the field within the message.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl ConvertError {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

impl From<ConvertError> for tonic::Status {
    fn from(error: ConvertError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

/// Unwraps a message field that must be set.
pub(crate) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, ConvertError> {
    value.ok_or_else(|| ConvertError::new(field, "is missing"))
}

/// Pairs every domain variant with its message variant, both ways; everything else is refused.
macro_rules! enums {
    ($($domain:path as $message:path => $field:literal { $($d:ident = $m:ident),+ $(,)? })+) => {$(
        impl From<$domain> for $message {
            fn from(value: $domain) -> Self {
                type Domain = $domain;
                match value { $(Domain::$d => Self::$m),+ }
            }
        }

        impl TryFrom<$message> for $domain {
            type Error = ConvertError;

            fn try_from(value: $message) -> Result<Self, ConvertError> {
                type Message = $message;
                match value {
                    $(Message::$m => Ok(Self::$d),)+
                    Message::Unspecified => Err(ConvertError::new($field, "is unspecified")),
                }
            }
        }
    )+};
}
pub(crate) use enums;

/// Reads an enum field: unknown numbers are refused.
pub(crate) fn read_enum<M, D>(field: &'static str, number: i32) -> Result<D, ConvertError>
where
    M: TryFrom<i32>,
    D: TryFrom<M, Error = ConvertError>,
{
    let message = M::try_from(number)
        .map_err(|_| ConvertError::new(field, format!("{number} is unknown")))?;
    D::try_from(message)
}
