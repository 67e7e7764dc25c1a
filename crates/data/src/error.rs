//! What can be wrong with data.

use std::path::PathBuf;

/// Data that cannot be used. Messages name the file and say what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No such data set.
    #[error("data set \"{name}\" is unknown{hint}; valid: {valid}")]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The near miss, in brackets, or nothing.
        hint: String,
        /// All names.
        valid: String,
    },
    /// The data set lies nowhere by itself.
    #[error("data set {name} must be on this machine's disk; give its folder as path")]
    NeedsPath {
        /// The data set.
        name: &'static str,
    },
    /// A file cannot be read.
    #[error("{path} cannot be read ({source}); {advice}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// A file is not what it should be.
    #[error("{file} is damaged: {problem}; fetch it again")]
    Corrupt {
        /// The file.
        file: String,
        /// Where and what.
        problem: String,
    },
    /// The images cannot be brought to what was asked for.
    #[error("{0}")]
    Unsuitable(String),
}

impl DataError {
    pub(crate) fn corrupt(file: &str, problem: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), problem: problem.into() }
    }
}
