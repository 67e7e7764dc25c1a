//! A series in one line of text.

/// Rising blocks.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Smallest range shown, so that noise does not look like a climb.
const SMALLEST_RANGE: f64 = 2.0;

/// `values` in `columns` columns, from the lowest to the highest block; fewer values take fewer
/// columns, more are averaged.
pub(crate) fn spark(values: &[f64], columns: usize) -> String {
    if values.is_empty() || columns == 0 {
        return String::new();
    }
    let n = values.len().min(columns);
    let mean = |range: &[f64]| range.iter().sum::<f64>() / range.len() as f64;
    let shown: Vec<f64> =
        (0..n).map(|i| mean(&values[i * values.len() / n..(i + 1) * values.len() / n])).collect();
    let high = shown.iter().copied().fold(f64::MIN, f64::max);
    let low = shown.iter().copied().fold(f64::MAX, f64::min).min(high - SMALLEST_RANGE);
    let block = |v: &f64| BLOCKS[((v - low) / (high - low) * 7.0).round().clamp(0.0, 7.0) as usize];
    shown.iter().map(block).collect()
}

/// A progress bar of `columns` columns, in halves of a column: done and to do.
pub(crate) fn bar(fraction: f64, columns: usize) -> (String, String) {
    let halves = (fraction.clamp(0.0, 1.0) * 2.0 * columns as f64).round() as usize;
    let half = halves % 2;
    let done = "━".repeat(halves / 2) + if half == 1 { "╸" } else { "" };
    (done, "╌".repeat(columns - halves / 2 - half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spark_spans_its_range_and_averages_what_does_not_fit() {
        assert_eq!(spark(&[10.0, 45.0, 80.0], 8), "▁▅█");
        assert_eq!(spark(&[0.0, 0.0, 100.0, 100.0], 2), "▁█");
        assert_eq!(spark(&[], 8), "");
        assert_eq!(spark(&[88.1, 88.2], 8), "██");
    }

    #[test]
    fn a_bar_always_fills_its_columns() {
        for step in 0..=40 {
            let (done, rest) = bar(f64::from(step) / 40.0, 9);
            assert_eq!(done.chars().count() + rest.chars().count(), 9);
        }
        assert_eq!(bar(0.25, 2), ("╸".to_owned(), "╌".to_owned()));
        assert_eq!(bar(7.0, 2), ("━━".to_owned(), String::new()));
    }
}
