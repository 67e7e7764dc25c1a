//! Lines of text onto the buffer; whatever does not fit is left out.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::theme;
use crate::view_model::header::{SEGMENT_GAP, Segment, Side, fit};
use crate::view_model::text::{Piece, Tone};

/// The line `row` of `area`; `None` below its end.
pub(crate) fn row(area: Rect, row: u16) -> Option<Rect> {
    (row < area.height).then(|| Rect { y: area.y + row, height: 1, ..area })
}

/// The lines of `area` from `top`, at most `height` of them.
pub(crate) fn rows(area: Rect, top: u16, height: u16) -> Rect {
    let top = top.min(area.height);
    Rect { y: area.y + top, height: height.min(area.height - top), ..area }
}

/// The columns of `area` from `left`, at most `width` of them.
pub(crate) fn columns(area: Rect, left: u16, width: u16) -> Rect {
    let left = left.min(area.width);
    Rect { x: area.x + left, width: width.min(area.width - left), ..area }
}

/// `area` without `margin` columns at either side.
pub(crate) fn inset(area: Rect, margin: u16) -> Rect {
    columns(area, margin, area.width.saturating_sub(2 * margin))
}

/// Pieces from the left of the first line of `area`.
pub(crate) fn pieces(buffer: &mut Buffer, area: Rect, pieces: &[Piece]) {
    let spans = pieces.iter().map(|(text, tone)| Span::styled(text.as_str(), theme::style(*tone)));
    line(buffer, area, &Line::from_iter(spans));
}

/// Text from the left of the first line of `area`.
pub(crate) fn text(buffer: &mut Buffer, area: Rect, text: &str, tone: Tone) {
    line(buffer, area, &Line::styled(text, theme::style(tone)));
}

/// A styled line at the left of the first line of `area`.
pub(crate) fn line(buffer: &mut Buffer, area: Rect, line: &Line<'_>) {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return;
    }
    buffer.set_line(area.x, area.y, line, area.width);
}

/// A rule across the first line of `area`.
pub(crate) fn rule(buffer: &mut Buffer, area: Rect) {
    text(buffer, area, &"─".repeat(area.width.into()), Tone::Dim);
}

/// A vertical rule down the first column of `area`.
pub(crate) fn divider(buffer: &mut Buffer, area: Rect) {
    for at in 0..area.height {
        if let Some(line) = row(area, at) {
            text(buffer, columns(line, 0, 1), "│", Tone::Dim);
        }
    }
}

/// The segments that fit, each at its side.
pub(crate) fn segments(buffer: &mut Buffer, area: Rect, segments: Vec<Segment>) {
    let shown = fit(segments, area.width.into());
    let (left, right): (Vec<_>, Vec<_>) = shown.into_iter().partition(|s| s.side == Side::Left);
    let put = |buffer: &mut Buffer, all: &[Segment], mut at: usize| {
        for segment in all {
            pieces(buffer, columns(area, at as u16, area.width), &segment.pieces);
            at += segment.width() + SEGMENT_GAP;
        }
    };
    put(buffer, &left, 0);
    let gaps = right.len().saturating_sub(1) * SEGMENT_GAP;
    let width: usize = right.iter().map(Segment::width).sum::<usize>() + gaps;
    put(buffer, &right, usize::from(area.width).saturating_sub(width));
}

/// Lays a style over `area`.
pub(crate) fn tint(buffer: &mut Buffer, area: Rect, style: Style) {
    buffer.set_style(area.intersection(buffer.area), style);
}
