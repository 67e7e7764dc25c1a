//! What a number needs to be believed and remade.

use std::fs;

/// The processor's name as the system gives it, otherwise its architecture.
pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    processor_name(&info).unwrap_or(std::env::consts::ARCH).to_owned()
}

/// The first `model name` of the text of `/proc/cpuinfo`.
fn processor_name(info: &str) -> Option<&str> {
    info.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, value)| key.trim() == "model name" && !value.trim().is_empty())
        .map(|(_, value)| value.trim())
}

/// The name of this machine, or `unknown`.
pub(crate) fn host() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| fs::read_to_string("/etc/hostname"))
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_default();
    match text.trim() {
        "" => "unknown".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_where_the_system_does() {
        let info = "processor\t: 0\nmodel name\t: Fast CPU @ 3.00GHz\nprocessor\t: 1\n";
        assert_eq!(processor_name(info), Some("Fast CPU @ 3.00GHz"));
        assert_eq!(processor_name("processor\t: 0\nBogoMIPS\t: 50.00\n"), None);
    }
}
