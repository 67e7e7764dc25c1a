//! Conversions that follow from the names alone.

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
            type Error = super::ConvertError;

            fn try_from(value: $message) -> Result<Self, super::ConvertError> {
                type Message = $message;
                match value {
                    $(Message::$m => Ok(Self::$d),)+
                    Message::Unspecified => {
                        Err(super::ConvertError::new($field, "is unspecified"))
                    }
                }
            }
        }
    )+};
}

/// Messages whose fields are the domain's, name for name, and can hold nothing else.
macro_rules! same_fields {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        impl From<bitsweep_sweep::$name> for crate::v1::$name {
            fn from(value: bitsweep_sweep::$name) -> Self {
                Self { $($field: value.$field),+ }
            }
        }

        impl From<crate::v1::$name> for bitsweep_sweep::$name {
            fn from(value: crate::v1::$name) -> Self {
                Self { $($field: value.$field),+ }
            }
        }
    )+};
}

/// Messages whose fields are the domain's, name for name, where some are enums and some are messages that must be
/// set. The literal is the path in errors.
macro_rules! checked_fields {
    ($($name:ident at $path:literal {
        $($field:ident),* $(,)?
        $(; enums $($choice:ident: $kind:ident),+)?
        $(; messages $($message:ident),+)?
    })+) => {$(
        impl From<bitsweep_sweep::$name> for crate::v1::$name {
            fn from(value: bitsweep_sweep::$name) -> Self {
                Self {
                    $($field: value.$field,)*
                    $($($choice: crate::v1::$kind::from(value.$choice).into(),)+)?
                    $($($message: Some(value.$message.into()),)+)?
                }
            }
        }

        impl TryFrom<crate::v1::$name> for bitsweep_sweep::$name {
            type Error = super::ConvertError;

            fn try_from(value: crate::v1::$name) -> Result<Self, super::ConvertError> {
                Ok(Self {
                    $($field: value.$field,)*
                    $($($choice: super::read_enum::<crate::v1::$kind, _>(
                        concat!($path, ".", stringify!($choice)),
                        value.$choice,
                    )?,)+)?
                    $($($message: super::required(
                        concat!($path, ".", stringify!($message)),
                        value.$message,
                    )?.into(),)+)?
                })
            }
        }
    )+};
}

pub(super) use {checked_fields, enums, same_fields};
