//! A worker as the coordinator last described it.

use bitsweep_proto::v1;

/// Whether a worker is heard from. *Silent* is not *lost*: its leases still hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Liveness {
    Connected,
    Silent,
    Lost,
    Left,
}

impl Liveness {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Silent => "silent",
            Self::Lost => "lost",
            Self::Left => "left",
        }
    }
}

/// A worker.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) liveness: Liveness,
    pub(crate) slots: u32,
    pub(crate) threads: u32,
    /// For people, for example `flex · AMD EPYC`.
    pub(crate) devices: Vec<String>,
    /// Trial ids.
    pub(crate) running: Vec<String>,
    pub(crate) last_heard_ms: i64,
    pub(crate) cpu_percent: Option<f64>,
    pub(crate) memory_used_bytes: Option<u64>,
    pub(crate) memory_total_bytes: Option<u64>,
    pub(crate) draining: bool,
}

impl Worker {
    /// Slots that can take a trial now or when theirs ends.
    pub(crate) fn usable_slots(&self) -> usize {
        match self.liveness {
            Liveness::Connected if !self.draining => self.slots as usize,
            Liveness::Connected | Liveness::Silent => self.running.len(),
            Liveness::Lost | Liveness::Left => 0,
        }
    }

    pub(crate) fn read(status: v1::WorkerStatus) -> Self {
        let liveness = match status.liveness() {
            v1::Liveness::Connected => Liveness::Connected,
            v1::Liveness::Silent | v1::Liveness::Unspecified => Liveness::Silent,
            v1::Liveness::Lost => Liveness::Lost,
            v1::Liveness::Left => Liveness::Left,
        };
        let telemetry = status.telemetry.unwrap_or_default();
        Self {
            id: status.worker_id,
            name: status.name,
            version: status.program_version,
            liveness,
            slots: status.slots,
            threads: status.threads,
            devices: status.devices.into_iter().map(device).collect(),
            running: status.running.into_iter().map(|r| r.trial_id).collect(),
            last_heard_ms: status.last_heard_ms,
            cpu_percent: telemetry.cpu_percent,
            memory_used_bytes: telemetry.memory_used_bytes,
            memory_total_bytes: telemetry.memory_total_bytes,
            draining: status.draining,
        }
    }
}

fn device(device: v1::Device) -> String {
    match device.description.as_str() {
        "" => device.name,
        description => format!("{} · {description}", device.name),
    }
}
