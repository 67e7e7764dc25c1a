//! A table whose columns go by priority when there is no room for all.

/// Columns between columns.
pub(crate) const GAP: usize = 2;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) right_aligned: bool,
    /// The lowest goes first.
    pub(crate) priority: u8,
    pub(crate) width: usize,
}

/// Indices of the columns that fit in `room`, at least two.
pub(crate) fn fitting(columns: &[Column], room: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..columns.len()).filter(|&c| columns[c].width > 0).collect();
    let total = |shown: &[usize]| -> usize { shown.iter().map(|&c| columns[c].width + GAP).sum() };
    while total(&shown) > room + GAP && shown.len() > 2 {
        let lowest = shown.iter().min_by_key(|&&c| columns[c].priority).copied();
        shown.retain(|&c| Some(c) != lowest);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_important_columns_go_first_and_two_stay() {
        let column = |priority, width| Column { title: "", right_aligned: false, priority, width };
        let columns = [column(9, 4), column(1, 4), column(5, 4), column(3, 0)];
        assert_eq!(fitting(&columns, 16), [0, 1, 2]);
        assert_eq!(fitting(&columns, 15), [0, 2]);
        assert_eq!(fitting(&columns, 1), [0, 2]);
    }
}
