//! Which columns of the matrix fit, and how wide they are.

use crate::view_model::format::{PERCENT_WIDTH, POINTS_WIDTH, SHORT_DURATION_WIDTH};

/// How much a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Density {
    /// `⠋ 81.05  Δ  −7.35 ~`
    Full,
    /// `⠋ 81.05  −7.35 ~`
    Normal,
    /// `⠋  −7.35 ~`, the gap alone; top-1 where there is no gap.
    Gap,
}

/// Columns before a cell: one apart, one for the selection's marker.
pub(crate) const GUTTER: usize = 2;

/// Mark and space.
pub(crate) const MARK_WIDTH: usize = 2;

/// Wider cells only draw longer sparks.
const WIDEST: usize = 40;

impl Density {
    const ALL: [Self; 3] = [Self::Full, Self::Normal, Self::Gap];

    /// Columns of a cell with a gap (`compared`), or without. A second line, where there is one,
    /// needs room for the time left.
    pub(crate) fn cell(self, compared: bool, second_line: bool) -> usize {
        let verdict = 2;
        let (top1, gap) = (PERCENT_WIDTH, POINTS_WIDTH + verdict);
        MARK_WIDTH
            + match (self, compared) {
                (Self::Full, true) => top1 + 2 + 2 + gap,
                (Self::Normal, true) => top1 + 1 + gap,
                (Self::Gap, true) => gap,
                (Self::Full | Self::Normal, false) if second_line => {
                    top1 + 1 + SHORT_DURATION_WIDTH
                }
                (_, false) => top1,
            }
    }
}

/// The columns that are drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) density: Density,
    /// Index among all columns, and width of its cells without the gutter.
    pub(crate) shown: Vec<(usize, usize)>,
}

/// Lays out columns in `room`. `compared` says of each whether its cells have gaps; `keep` is the
/// column that must be seen. Columns without gaps stay, as they are what gaps refer to.
pub(crate) fn columns(compared: &[bool], keep: usize, room: usize, second_line: bool) -> Columns {
    let cell = |density: Density, c: usize| density.cell(compared[c], second_line);
    let needs = |density: Density, shown: &[usize]| -> usize {
        shown.iter().map(|&c| GUTTER + cell(density, c)).sum()
    };
    let all: Vec<usize> = (0..compared.len()).collect();
    for density in Density::ALL {
        let needed = needs(density, &all);
        if needed <= room {
            let spare = (room - needed) / compared.len().max(1);
            let wide = |&c: &usize| {
                let cell = cell(density, c);
                let stretched = if compared[c] { cell + spare } else { cell + spare / 2 };
                (c, stretched.min(WIDEST.max(cell)))
            };
            return Columns { density, shown: all.iter().map(wide).collect() };
        }
    }
    let density = Density::Gap;
    let mut shown = all;
    while needs(density, &shown) > room && shown.len() > 1 {
        // The farthest from the kept one goes, those with gaps first.
        let far = |&&c: &&usize| (compared[c], c.abs_diff(keep));
        let Some(&gone) = shown.iter().filter(|&&c| c != keep).max_by_key(far) else { break };
        shown.retain(|&c| c != gone);
    }
    Columns { density, shown: shown.iter().map(|&c| (c, cell(density, c))).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four widths, the first of them full precision.
    const QUICKSTART: [bool; 4] = [false, true, true, true];

    fn total(columns: &Columns) -> usize {
        columns.shown.iter().map(|(_, w)| w + GUTTER).sum()
    }

    #[test]
    fn a_usual_terminal_shows_accuracy_and_gap_of_every_width() {
        assert_eq!(columns(&QUICKSTART, 0, 69, true).density, Density::Normal);
        assert_eq!(columns(&QUICKSTART, 0, 109, true).density, Density::Full);
        assert_eq!(columns(&QUICKSTART, 0, 49, true).density, Density::Gap);
        assert_eq!(columns(&QUICKSTART, 0, 49, true).shown.len(), 4);
    }

    #[test]
    fn whatever_the_room_the_columns_fit_and_the_chosen_one_is_there() {
        let many: Vec<bool> = (0..9).map(|c| c != 0).collect();
        for room in 12..200 {
            for keep in 0..many.len() {
                let laid = columns(&many, keep, room, true);
                assert!(total(&laid) <= room, "{room} {keep} {laid:?}");
                assert!(laid.shown.iter().any(|(c, _)| *c == keep));
                assert!(laid.shown.is_sorted());
            }
        }
    }
}
