//! Draws a chart in braille dots: two across and four down a character.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::paint;
use crate::theme;
use crate::view_model::chart::{Axis, Chart, Curve, CurveStyle};
use crate::view_model::format::width;
use crate::view_model::text::Tone;

/// Rows between labels of the y axis, of a low chart and of a high one.
const ROWS_PER_TICK: (usize, usize) = (2, 3);
/// Rows from which a chart is high.
const HIGH: usize = 10;
/// Columns between labels of the x axis.
const COLUMNS_PER_TICK: usize = 10;
/// Bits of a braille character's dots, by row and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Draws `chart` into `area`: labels at the left, the x axis at the bottom.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, chart: &Chart) {
    if area.width < 12 || area.height < 3 {
        return;
    }
    if chart.curves.iter().all(|c| c.points.is_empty()) {
        paint::text(buffer, paint::inset(area, 2), &chart.empty, Tone::Dim);
        return;
    }
    let rows = usize::from(area.height - 1);
    let per_tick = if rows < HIGH { ROWS_PER_TICK.0 } else { ROWS_PER_TICK.1 };
    // Fewer than three labels give no scale.
    let most = rows.div_ceil(per_tick).max(rows.min(3));
    let labels = chart.y.labels(most);
    // The name of the x axis stands under the labels of the y axis.
    let widest = labels.iter().map(|(_, l)| width(l)).max().unwrap_or(0);
    let margin = widest.max(width(&chart.x.name).saturating_sub(1)) as u16;
    let plot = Rect {
        x: area.x + margin + 2,
        y: area.y,
        width: area.width.saturating_sub(margin + 2),
        height: area.height - 1,
    };
    if plot.width == 0 {
        return;
    }
    let canvas = Canvas { plot, x: &chart.x, y: &chart.y };
    for row in 0..plot.height {
        let at = Rect { x: area.x + margin + 1, y: plot.y + row, width: 1, height: 1 };
        paint::text(buffer, at, "│", Tone::Dim);
    }
    for (value, label) in &labels {
        let y = plot.y + canvas.row(*value);
        let at = Rect { x: area.x, y, width: margin + 2, height: 1 };
        paint::text(buffer, at, &format!("{label:>w$} ┤", w = usize::from(margin)), Tone::Dim);
    }
    x_axis(buffer, area, &canvas);
    let mut labels = Vec::new();
    for rule in &chart.rules {
        let line = Rect { y: plot.y + canvas.row(rule.y), height: 1, ..plot };
        let dashes = usize::from(plot.width).saturating_sub(width(&rule.label) + 1);
        let (line_at, label_at) =
            if rule.left { (width(&rule.label) as u16 + 1, 0) } else { (0, dashes as u16 + 1) };
        let dashed = paint::columns(line, line_at, dashes as u16);
        paint::text(buffer, dashed, &"╌".repeat(dashes), rule.tone);
        labels.push((paint::columns(line, label_at, line.width), rule));
    }
    if let Some(x) = chart.crosshair {
        for row in 0..plot.height {
            let at = Rect { x: plot.x + canvas.column(x), y: plot.y + row, width: 1, height: 1 };
            paint::text(buffer, at, "┊", Tone::Dim);
        }
    }
    for bar in &chart.bars {
        let (top, foot) = (canvas.row(bar.high), canvas.row(bar.low));
        for row in top..=foot {
            let symbol = match row {
                _ if top == foot => break,
                r if r == top => "┬",
                r if r == foot => "┴",
                _ => "│",
            };
            let at =
                Rect { x: plot.x + canvas.column(bar.x), y: plot.y + row, width: 1, height: 1 };
            paint::text(buffer, at, symbol, bar.tone);
        }
    }
    chart.curves.iter().for_each(|curve| canvas.curve(buffer, curve));
    // Words read whatever passes behind them.
    labels.iter().for_each(|(at, rule)| paint::text(buffer, *at, &rule.label, rule.tone));
    for (x, y, words, tone) in &chart.words {
        let (column, row) = (canvas.column(*x), canvas.row(*y));
        let w = width(words) as u16;
        // At the right of its point, or at the left where there is no room.
        let left =
            if column + 2 + w <= plot.width { column + 2 } else { column.saturating_sub(w + 1) };
        let at = Rect { x: plot.x + left, y: plot.y + row, width: w, height: 1 };
        paint::text(buffer, at, words, *tone);
    }
}

fn x_axis(buffer: &mut Buffer, area: Rect, canvas: &Canvas<'_>) {
    let plot = canvas.plot;
    let y = area.y + area.height - 1;
    let most = (usize::from(plot.width) / COLUMNS_PER_TICK).max(1);
    paint::text(buffer, Rect { y, height: 1, ..area }, &canvas.x.name, Tone::Dim);
    let end = plot.x + plot.width;
    for (value, label) in canvas.x.labels(most + 1) {
        let w = width(&label) as u16;
        let middle = plot.x + canvas.column(value);
        let left = middle.saturating_sub(w / 2).min(end.saturating_sub(w)).max(plot.x);
        paint::text(buffer, Rect { x: left, y, width: w, height: 1 }, &label, Tone::Dim);
    }
}

/// A rectangle with coordinates.
struct Canvas<'a> {
    plot: Rect,
    x: &'a Axis,
    y: &'a Axis,
}

impl Canvas<'_> {
    /// Dot column of `x`, from the left.
    fn dot_x(&self, x: f64) -> i32 {
        let dots = f64::from(self.plot.width) * 2.0 - 1.0;
        (self.x.fraction(x) * dots).round().clamp(0.0, dots.max(0.0)) as i32
    }

    /// Dot row of `y`, from the top.
    fn dot_y(&self, y: f64) -> i32 {
        let dots = f64::from(self.plot.height) * 4.0 - 1.0;
        ((1.0 - self.y.fraction(y)) * dots).round().clamp(0.0, dots.max(0.0)) as i32
    }

    fn column(&self, x: f64) -> u16 {
        (self.dot_x(x) / 2) as u16
    }

    fn row(&self, y: f64) -> u16 {
        (self.dot_y(y) / 4) as u16
    }

    fn curve(&self, buffer: &mut Buffer, curve: &Curve) {
        let dots: Vec<(i32, i32)> =
            curve.points.iter().map(|(x, y)| (self.dot_x(*x), self.dot_y(*y))).collect();
        let sparse = matches!(curve.style, CurveStyle::Dotted(_));
        if !matches!(curve.style, CurveStyle::Scattered | CurveStyle::Marks(_)) {
            for pair in dots.windows(2) {
                let mut step = 0;
                segment(pair[0], pair[1], |x, y| {
                    if !sparse || step % 3 == 0 {
                        self.dot(buffer, x, y, curve.tone);
                    }
                    step += 1;
                });
            }
        }
        for (x, y) in dots {
            match curve.style {
                CurveStyle::Marked(mark) | CurveStyle::Dotted(mark) | CurveStyle::Marks(mark) => {
                    paint::text(buffer, self.cell(x, y), mark, curve.tone);
                }
                CurveStyle::Scattered | CurveStyle::Line => self.dot(buffer, x, y, curve.tone),
            }
        }
    }

    fn cell(&self, x: i32, y: i32) -> Rect {
        let (column, row) = ((x / 2) as u16, (y / 4) as u16);
        Rect { x: self.plot.x + column, y: self.plot.y + row, width: 1, height: 1 }
    }

    fn dot(&self, buffer: &mut Buffer, x: i32, y: i32, tone: Tone) {
        let place = self.cell(x, y);
        let Some(cell) = buffer.cell_mut((place.x, place.y)) else { return };
        let before = cell.symbol().chars().next().map_or(0, u32::from);
        let style = theme::style(tone);
        // Dots of another curve under this one go, so that the one on top reads.
        let kept = if (0x2800..0x2900).contains(&before) && style.fg == Some(cell.fg) {
            before - 0x2800
        } else {
            0
        };
        let bit = u32::from(DOTS[(y % 4) as usize][(x % 2) as usize]);
        let symbol = char::from_u32(0x2800 + (kept | bit)).unwrap_or(' ');
        cell.set_char(symbol).set_style(style);
    }
}

/// All dots of a straight line (Bresenham 1965).
fn segment(from: (i32, i32), to: (i32, i32), mut dot: impl FnMut(i32, i32)) {
    let (mut x, mut y) = from;
    let (dx, dy) = ((to.0 - x).abs(), -(to.1 - y).abs());
    let (sx, sy) = ((to.0 - x).signum(), (to.1 - y).signum());
    let mut error = dx + dy;
    loop {
        dot(x, y);
        if (x, y) == to {
            return;
        }
        let twice = 2 * error;
        if twice >= dy {
            error += dy;
            x += sx;
        }
        if twice <= dx {
            error += dx;
            y += sy;
        }
    }
}
