//! Readings of the host from `/proc`; where there is none, nothing is read.

use std::fs;

use bitsweep_proto::v1;

/// Reads the host, remembering the last reading: processor load is a difference of two.
#[derive(Debug, Default)]
pub(crate) struct Host {
    last: Option<ProcessorTime>,
}

impl Host {
    /// The present reading. The first has no processor load.
    pub(crate) fn read(&mut self) -> v1::Telemetry {
        let time =
            fs::read_to_string("/proc/stat").ok().and_then(|text| ProcessorTime::parse(&text));
        let cpu_percent = match (self.last, time) {
            (Some(last), Some(time)) => time.busy_percent_since(last),
            _ => None,
        };
        self.last = time.or(self.last);
        let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| Memory::parse(&text));
        v1::Telemetry {
            cpu_percent,
            memory_used_bytes: memory.map(|memory| memory.total - memory.available),
            memory_total_bytes: memory.map(|memory| memory.total),
        }
    }
}

/// How often the kernel killed a process of this host or control group for want of memory; 0 where
/// that cannot be read.
pub(crate) fn memory_kills() -> u64 {
    ["/proc/vmstat", "/sys/fs/cgroup/memory.events"]
        .into_iter()
        .filter_map(|path| counter(&fs::read_to_string(path).ok()?, "oom_kill"))
        .sum()
}

/// The number after `name` in lines of `name value`.
fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Processor time of the whole host since it started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ProcessorTime {
    total: u64,
    idle: u64,
}

impl ProcessorTime {
    /// From the first line of `/proc/stat`: user nice system idle iowait irq softirq steal.
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> =
            line.split_whitespace().take(8).map_while(|t| t.parse().ok()).collect();
        let (Some(idle), Some(waiting)) = (ticks.get(3), ticks.get(4)) else { return None };
        Some(Self { total: ticks.iter().sum(), idle: idle + waiting })
    }

    fn busy_percent_since(self, earlier: Self) -> Option<f64> {
        let total = self.total.checked_sub(earlier.total).filter(|total| *total > 0)?;
        let idle = self.idle.saturating_sub(earlier.idle).min(total);
        Some(100.0 * (total - idle) as f64 / total as f64)
    }
}

/// Memory of the host in bytes, `available <= total`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Memory {
    total: u64,
    available: u64,
}

impl Memory {
    fn parse(text: &str) -> Option<Self> {
        let kibibytes = |name: &str| {
            text.lines().find_map(|line| {
                line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
            })
        };
        let total = kibibytes("MemTotal:")?.checked_mul(1024)?;
        let available = kibibytes("MemAvailable:")?.checked_mul(1024)?;
        Some(Self { total, available: available.min(total) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_the_busy_share_of_the_time_between_two_readings() {
        let first =
            ProcessorTime::parse("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1").expect("a reading");
        assert_eq!(first, ProcessorTime { total: 1000, idle: 800 });
        let second = ProcessorTime { total: 1200, idle: 850 };
        assert_eq!(second.busy_percent_since(first), Some(75.0));
        assert_eq!(first.busy_percent_since(first), None, "no time has passed");
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        assert_eq!(ProcessorTime::parse("cpu  1 2"), None);
        assert_eq!(ProcessorTime::parse(""), None);
        assert_eq!(Memory::parse("MemTotal: 12 kB"), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        let memory = Memory::parse("MemTotal:       16 kB\nMemFree: 1 kB\nMemAvailable:   4 kB\n");
        assert_eq!(memory, Some(Memory { total: 16384, available: 4096 }));
    }

    #[test]
    fn counters_are_found_by_their_whole_name() {
        assert_eq!(counter("oom_kill_disable 0\noom 3\noom_kill 5\n", "oom_kill"), Some(5));
        assert_eq!(counter("oom 3\n", "oom_kill"), None);
    }
}
