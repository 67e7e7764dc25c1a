//! What can be wrong with data.

use std::path::{Path, PathBuf};

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
    /// An image is not what its file name promises. The one problem that a loader can pass over.
    #[error("{file} is damaged: {problem}; replace or remove it, or let damaged images be skipped")]
    CorruptImage {
        /// The file, or the shard and the image's place in it.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A shard of a packed data set is not as it was written.
    #[error("{path} is damaged: {problem}", path = path.display())]
    DamagedShard {
        /// The shard.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written ({source}); check its folder and the space left", path = path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The classes are not those that were expected.
    #[error("{0}")]
    Classes(String),
    /// The images cannot be brought to what was asked for.
    #[error("{0}")]
    Unsuitable(String),
}

impl DataError {
    pub(crate) fn unreadable(path: &Path, source: std::io::Error, advice: &'static str) -> Self {
        Self::Unreadable { path: path.to_path_buf(), source, advice }
    }

    pub(crate) fn unwritable(path: &Path, source: std::io::Error) -> Self {
        Self::Unwritable { path: path.to_path_buf(), source }
    }

    pub(crate) fn corrupt_image(file: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::CorruptImage { file: file.into(), problem: problem.into() }
    }

    pub(crate) fn corrupt(file: &str, problem: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), problem: problem.into() }
    }
}
