//! Typed names, so that a sweep cannot be mistaken for a trial.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_type! {
    /// A sweep held by a coordinator, for example `quickstart-3fa9c1`.
    SweepId
}
name_type! {
    /// A trial within its sweep, for example `resnet18-4-s0`.
    TrialName
}
name_type! {
    /// A trial among all sweeps: `<sweep id>/<trial name>`.
    TrialId
}

impl TrialId {
    /// The trial `name` of `sweep`.
    pub fn of(sweep: &SweepId, name: &TrialName) -> Self {
        Self(format!("{sweep}/{name}"))
    }

    /// The sweep and the trial's name; `None` when the text has no `/`.
    pub fn split(&self) -> Option<(SweepId, TrialName)> {
        let (sweep, name) = self.0.split_once('/')?;
        Some((SweepId::new(sweep), TrialName::new(name)))
    }
}
