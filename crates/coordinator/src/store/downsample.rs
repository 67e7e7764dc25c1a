//! Fewer points that look the same.

/// At most `max` of the points: the lowest and the highest of every bucket, and both ends. Points keep
/// their order and their values; 0 keeps all.
pub(crate) fn downsample(steps: &[u64], values: &[f64], max: usize) -> (Vec<u64>, Vec<f64>) {
    let count = steps.len().min(values.len());
    if max == 0 || count <= max {
        return (steps[..count].to_vec(), values[..count].to_vec());
    }
    if max < 4 {
        let kept: Vec<usize> =
            (0..max).map(|at| at * (count - 1) / max.saturating_sub(1).max(1)).collect();
        return kept.into_iter().map(|at| (steps[at], values[at])).unzip();
    }
    let buckets = (max - 2) / 2;
    let inner = count - 2;
    let mut kept = vec![0];
    for bucket in 0..buckets {
        let (from, to) = (1 + bucket * inner / buckets, 1 + (bucket + 1) * inner / buckets);
        let by_value = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
        let lowest = (from..to).min_by(by_value);
        let highest = (from..to).max_by(by_value);
        if let (Some(low), Some(high)) = (lowest, highest) {
            kept.push(low.min(high));
            if low != high {
                kept.push(low.max(high));
            }
        }
    }
    kept.push(count - 1);
    kept.into_iter().map(|at| (steps[at], values[at])).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_and_ends_survive_and_steps_ascend() {
        let steps: Vec<u64> = (1..=5000).collect();
        let values: Vec<f64> = steps
            .iter()
            .map(|s| match s {
                1234 => 99.0,
                4321 => -99.0,
                _ => (*s as f64 * 0.01).sin(),
            })
            .collect();
        for max in [4, 5, 17, 200, 4999] {
            let (kept_steps, kept_values) = downsample(&steps, &values, max);
            assert!(kept_steps.len() <= max, "{} of {max}", kept_steps.len());
            assert!(kept_steps.windows(2).all(|pair| pair[0] < pair[1]));
            assert_eq!((kept_steps[0], kept_steps.last()), (1, Some(&5000)));
            assert!(kept_values.contains(&99.0) && kept_values.contains(&-99.0), "{max}");
        }
    }

    #[test]
    fn few_points_and_no_limit_stay_as_they_are() {
        let (steps, values) = ([1, 2, 3], [0.5, f64::NAN, 0.25]);
        for max in [0, 3, 10] {
            assert_eq!(downsample(&steps, &values, max).0, steps);
        }
        assert_eq!(downsample(&steps, &values, 2).0, [1, 3]);
        assert_eq!(downsample(&steps, &values, 1).0, [1]);
        assert!(downsample(&[], &[], 5).0.is_empty());
    }
}
