//! What a command ends with.

use std::process::ExitCode;

/// Why a command did not do what was asked; decides the exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Arguments or the sweep file: exit code 2.
    Input(String),
    /// Everything else: exit code 1.
    Other(anyhow::Error),
}

/// How a command that worked ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Exit code 0.
    Done,
    /// Trials failed: exit code 1, the reasons are printed already.
    TrialsFailed,
    /// Stopped by the user: exit code 130.
    Stopped,
}

impl Failure {
    /// One line for people: causes follow, separated by colons, none told twice.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Input(message) => message.clone(),
            Self::Other(error) => {
                let mut line = String::new();
                for cause in error.chain().map(ToString::to_string) {
                    if !line.contains(&cause) {
                        if !line.is_empty() {
                            line.push_str(": ");
                        }
                        line.push_str(&cause);
                    }
                }
                line
            }
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Other(_) => ExitCode::from(1),
        }
    }
}

impl Ending {
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::TrialsFailed => ExitCode::from(1),
            Self::Stopped => ExitCode::from(130),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<bitsweep_sweep::FileError> for Failure {
    fn from(error: bitsweep_sweep::FileError) -> Self {
        Self::Input(error.to_string())
    }
}

impl From<tonic::Status> for Failure {
    /// The coordinator's own words; what it calls invalid is bad input here as well.
    fn from(status: tonic::Status) -> Self {
        match status.code() {
            tonic::Code::InvalidArgument | tonic::Code::NotFound => {
                Self::Input(status.message().to_owned())
            }
            tonic::Code::Unavailable => Self::Other(anyhow::anyhow!(
                "the coordinator went away ({}); is it still running?",
                status.message()
            )),
            _ => Self::Other(anyhow::anyhow!("{}", status.message().to_owned())),
        }
    }
}
