//! What a worker is told when it starts.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use bitsweep_proto::v1;

/// What a worker is told when it starts.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Address of the coordinator: `host:port` or `http://host:port`.
    pub coordinator: String,
    /// For people; the host name unless the user chose one.
    pub name: String,
    /// Trials side by side, one process each.
    pub slots: u32,
    /// Threads each trial process gets.
    pub threads: u32,
    /// Folder for checkpoints on their way. Several workers may share it.
    pub directory: PathBuf,
    /// Program and arguments of a trial process.
    pub trial_command: Vec<OsString>,
    /// What trials can run on; slots take turns.
    pub devices: Vec<Device>,
    /// Standard input is a pipe held by the parent process: kill the trials and leave when it closes.
    pub exit_with_parent: bool,
    /// How long trials may take to save a checkpoint when the worker leaves.
    pub grace: Duration,
    /// How long an unreachable coordinator is tried at the start. Later it is waited for without limit.
    pub patience: Duration,
}

impl WorkerOptions {
    /// One slot of one thread on the embedded backend, half a minute of grace.
    pub fn new(
        coordinator: impl Into<String>,
        directory: impl Into<PathBuf>,
        trial_command: Vec<OsString>,
    ) -> Self {
        Self {
            coordinator: coordinator.into(),
            name: "worker".to_owned(),
            slots: 1,
            threads: 1,
            directory: directory.into(),
            trial_command,
            devices: vec![Device::embedded()],
            exit_with_parent: false,
            grace: Duration::from_secs(30),
            patience: Duration::from_secs(15),
        }
    }
}

/// Something a trial can run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What the trial process is told: `flex`, `cpu`, `cuda:0`.
    pub name: String,
    /// For people, for example the processor's name.
    pub description: String,
    /// `None` when unknown.
    pub memory_bytes: Option<u64>,
}

impl Device {
    /// The embedded backend on this host's processor.
    pub fn embedded() -> Self {
        Self { name: "flex".to_owned(), description: String::new(), memory_bytes: None }
    }
}

impl From<&Device> for v1::Device {
    fn from(device: &Device) -> Self {
        Self {
            name: device.name.clone(),
            description: device.description.clone(),
            memory_bytes: device.memory_bytes.unwrap_or(0),
        }
    }
}
