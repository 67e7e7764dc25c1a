//! Numbers and times as text of fixed width, so that nothing jumps when a digit is added.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Width of [`percent`].
pub(crate) const PERCENT_WIDTH: usize = 5;
/// Width of [`points`].
pub(crate) const POINTS_WIDTH: usize = 6;
/// Width of [`short_duration`].
pub(crate) const SHORT_DURATION_WIDTH: usize = 5;

/// An accuracy in percent: `88.40`, ` 9.87`, `100.0`.
pub(crate) fn percent(value: f64) -> String {
    if value >= 99.995 { "100.0".to_owned() } else { format!("{value:5.2}") }
}

/// A difference in points with its sign: ` −0.25`, `+12.00`, ` ±0.00`.
pub(crate) fn points(value: f64) -> String {
    let size = format!("{:.2}", value.abs());
    let sign = match () {
        () if size == "0.00" => '±',
        () if value < 0.0 => '−',
        () => '+',
    };
    format!("{:>POINTS_WIDTH$}", format!("{sign}{size}"))
}

/// A difference in points with its name, right-aligned as one: ` Δ −0.25`, `Δ −12.00`.
pub(crate) fn delta(value: f64) -> String {
    format!("{:>w$}", format!("Δ {}", points(value).trim_start()), w = POINTS_WIDTH + 2)
}

/// A count with thousands separated: `1,240`.
pub(crate) fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: `1,240 img/s`.
pub(crate) fn images_per_second(rate: f64) -> String {
    format!("{} img/s", thousands(rate.round().max(0.0) as u64))
}

/// A large count with a unit prefix and three significant digits: `11.7 M`, `698 k`.
pub(crate) fn count(value: u64) -> String {
    scaled(value as f64, &["", " k", " M", " G", " T"])
}

/// Bytes with a decimal prefix: `5.31 GB`.
pub(crate) fn bytes(value: u64) -> String {
    scaled(value as f64, &[" B", " kB", " MB", " GB", " TB"])
}

fn scaled(mut value: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}{}", units[unit])
}

/// A span of time: `0:09`, `4:12`, `1:04:12`, `3 d 04:12`.
pub(crate) fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    let (days, hours, minutes, secs) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{secs:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{secs:02}"),
        _ => format!("{days} d {hours:02}:{minutes:02}"),
    }
}

/// A span of time in five columns: ` 1:10`, `59:59`, ` 3h05`, `12d03`, or `   --` when unknown.
pub(crate) fn short_duration(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return "   --".to_owned() };
    let s = seconds.max(0.0).round() as u64;
    let text = match s {
        0..3600 => format!("{}:{:02}", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}", s / 3600, s / 60 % 60),
        _ => format!("{}d{:02}", s / 86_400, s / 3600 % 24),
    };
    format!("{text:>SHORT_DURATION_WIDTH$}")
}

/// How long ago: `3 s`, `2:10`.
pub(crate) fn age(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    if seconds < 60 { format!("{seconds} s") } else { duration(seconds as f64) }
}

/// The time of day in `zone`: `12:04:31`.
pub(crate) fn clock(unix_ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(unix_ms) {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
        Err(_) => "--:--:--".to_owned(),
    }
}

/// Columns that text takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Text in at most `columns` columns: what does not fit goes from the middle, where names differ least.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns <= 1 {
        return "…".repeat(columns);
    }
    let tail_room = (columns - 1) / 2;
    let head: String = take_columns(text.chars(), columns - 1 - tail_room);
    let tail: String = take_columns(text.chars().rev(), tail_room).chars().rev().collect();
    format!("{head}…{tail}")
}

/// Text in at most `columns` columns: what does not fit goes from the end, by whole words where
/// there is a space in the last half, so that no number is cut.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let head = take_columns(text.chars(), columns - 1);
    let whole_words = text[head.len()..].starts_with(' ');
    let space = head.rfind(' ').filter(|&at| !whole_words && at > 0 && at >= head.len() / 2);
    format!("{}…", head[..space.unwrap_or(head.len())].trim_end())
}

fn take_columns(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut left = columns;
    chars
        .take_while(|c| {
            let need = c.width().unwrap_or(0);
            let fits = need <= left;
            left = left.saturating_sub(need);
            fits
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_and_gaps_keep_their_width() {
        for value in [0.0, 9.871, 88.4, 99.99, 100.0] {
            assert_eq!(width(&percent(value)), PERCENT_WIDTH, "{value}");
        }
        assert_eq!(percent(99.996), "100.0");
        for value in [-88.2, -7.35, -0.001, 0.0, 0.05, 12.0] {
            assert_eq!(width(&points(value)), POINTS_WIDTH, "{value}");
        }
        assert_eq!(points(-0.25), " −0.25");
        assert_eq!(points(-0.001), " ±0.00");
        assert_eq!(points(0.05), " +0.05");
    }

    #[test]
    fn counts_are_grouped_and_scaled() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1240), "1,240");
        assert_eq!(thousands(11_689_512), "11,689,512");
        assert_eq!(count(11_689_512), "11.7 M");
        assert_eq!(count(698_000), "698 k");
        assert_eq!(count(999_600), "1.00 M");
        assert_eq!(bytes(5_312_000_000), "5.31 GB");
    }

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!(duration(9.0), "0:09");
        assert_eq!(duration(3852.0), "1:04:12");
        assert_eq!(duration(273_120.0), "3 d 03:52");
        for seconds in [0.0, 70.0, 3599.0, 11_100.0, 1_047_600.0] {
            assert_eq!(width(&short_duration(Some(seconds))), SHORT_DURATION_WIDTH);
        }
        assert_eq!(short_duration(None), "   --");
        assert_eq!(age(3400), "3 s");
        assert_eq!(age(130_000), "2:10");
        assert_eq!(clock(43_471_000, &TimeZone::UTC), "12:04:31");
    }

    #[test]
    fn long_text_loses_its_middle_or_its_end_and_never_its_width() {
        assert_eq!(shorten("resnet18-4-s0", 9), "resn…4-s0");
        assert_eq!(clip("resnet18-4-s0", 9), "resnet18…");
        assert_eq!(clip("finished at 88.40 %", 15), "finished at…");
        assert_eq!(clip("finished at 88.40 %", 18), "finished at 88.40…");
        for columns in 0..8 {
            assert!(width(&shorten("äöü漢字 text", columns)) <= columns);
            assert!(width(&clip("äöü漢字 text", columns)) <= columns);
        }
    }
}
