//! A screen as an SVG picture, for documents.
//!
//! Letters are text; dots, blocks and rules are shapes, so that they meet whatever font shows it.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use crate::appearance::Appearance;
use crate::model::Model;
use crate::view;

/// Pixels of a character.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
/// From the top of a line to the foot of its letters.
const BASELINE: f64 = 13.5;
const MARGIN: f64 = 14.0;
const BACKGROUND: &str = "#15181d";
const FOREGROUND: &str = "#d8dce3";

/// Draws `model` on a terminal of `width` × `height` characters and gives it as SVG.
pub fn screenshot(model: &Model, width: u16, height: u16, appearance: &Appearance) -> String {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    view::draw(&mut buffer, model, appearance);
    let (w, h) = (f64::from(width) * WIDTH, f64::from(height) * HEIGHT);
    let (outer_w, outer_h) = (w + 2.0 * MARGIN, h + 2.0 * MARGIN);
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{outer_w:.0}" height="{outer_h:.0}" viewBox="0 0 {outer_w:.1} {outer_h:.1}">
<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>
<g transform="translate({MARGIN} {MARGIN})" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" xml:space="preserve">"#
    );
    for y in 0..height {
        line(&mut svg, &buffer, y);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// What a cell looks like, once reversed and dimmed.
#[derive(Clone, PartialEq)]
struct Look {
    fill: String,
    behind: Option<String>,
    bold: bool,
    faint: bool,
}

fn look(cell: &Cell) -> Look {
    let fill = colour(cell.fg);
    let behind = colour(cell.bg);
    let (fill, behind) = if cell.modifier.contains(Modifier::REVERSED) {
        let behind = fill.unwrap_or_else(|| FOREGROUND.to_owned());
        (BACKGROUND.to_owned(), Some(behind))
    } else {
        (fill.unwrap_or_else(|| FOREGROUND.to_owned()), behind)
    };
    let bold = cell.modifier.contains(Modifier::BOLD);
    Look { fill, behind, bold, faint: cell.modifier.contains(Modifier::DIM) }
}

/// Colours that the theme uses; anything else is the terminal's own.
fn colour(colour: Color) -> Option<String> {
    match colour {
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        _ => None,
    }
}

fn line(svg: &mut String, buffer: &Buffer, y: u16) {
    let cell = |x: u16| &buffer[(x, y)];
    let mut x = 0;
    while x < buffer.area.width {
        let style = look(cell(x));
        let shape = is_shape(cell(x).symbol());
        let mut end = x + 1;
        while end < buffer.area.width
            && look(cell(end)) == style
            && is_shape(cell(end).symbol()) == shape
        {
            end += 1;
        }
        let top = f64::from(y) * HEIGHT;
        if let Some(behind) = &style.behind {
            let (left, w) = (f64::from(x) * WIDTH, f64::from(end - x) * WIDTH);
            let _ = writeln!(
                svg,
                r#"<rect x="{left:.1}" y="{top:.1}" width="{w:.1}" height="{HEIGHT}" fill="{behind}"/>"#
            );
        }
        if shape {
            for at in x..end {
                draw_shape(svg, cell(at).symbol(), f64::from(at) * WIDTH, top, &style);
            }
        } else {
            let text: String = (x..end).map(|at| cell(at).symbol()).collect();
            words(svg, &text, x, top, &style);
        }
        x = end;
    }
}

/// Writes the words of a run, each at its own place, so that no font shifts them.
fn words(svg: &mut String, text: &str, x: u16, top: f64, style: &Look) {
    let mut at = usize::from(x);
    for word in text.split_inclusive(' ') {
        let columns = word.chars().count();
        let shown = word.trim_end();
        if !shown.is_empty() {
            let weight = if style.bold { r#" font-weight="bold""# } else { "" };
            let faint = if style.faint { r#" opacity="0.6""# } else { "" };
            let (left, foot) = (at as f64 * WIDTH, top + BASELINE);
            let length = shown.chars().count() as f64 * WIDTH;
            let _ = writeln!(
                svg,
                r#"<text x="{left:.1}" y="{foot:.1}" textLength="{length:.1}" lengthAdjust="spacingAndGlyphs" fill="{}"{weight}{faint}>{}</text>"#,
                style.fill,
                escape(shown)
            );
        }
        at += columns;
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn is_shape(symbol: &str) -> bool {
    matches!(
        symbol.chars().next(),
        Some('\u{2800}'..='\u{28ff}' | '▁'..='█' | '─' | '│' | '┤' | '━' | '╸' | '╌')
    )
}

fn draw_shape(svg: &mut String, symbol: &str, left: f64, top: f64, style: &Look) {
    let Some(c) = symbol.chars().next() else { return };
    let fill = &style.fill;
    let mut rect = |x: f64, y: f64, w: f64, h: f64| {
        let (x, y) = (left + x, top + y);
        let _ = writeln!(
            svg,
            r#"<rect x="{x:.2}" y="{y:.2}" width="{w:.2}" height="{h:.2}" fill="{fill}"/>"#
        );
    };
    let (middle, centre) = (HEIGHT / 2.0, WIDTH / 2.0);
    match c {
        '─' => rect(0.0, middle - 0.5, WIDTH, 1.0),
        '━' => rect(0.0, middle - 1.5, WIDTH, 3.0),
        '╸' => rect(0.0, middle - 1.5, centre, 3.0),
        '╌' => {
            rect(0.8, middle - 0.5, WIDTH * 0.3, 1.0);
            rect(0.8 + centre, middle - 0.5, WIDTH * 0.3, 1.0);
        }
        '│' => rect(centre - 0.5, 0.0, 1.0, HEIGHT),
        '┤' => {
            rect(centre - 0.5, 0.0, 1.0, HEIGHT);
            rect(0.0, middle - 0.5, centre, 1.0);
        }
        '▁'..='█' => {
            let eighths = f64::from(u32::from(c) - u32::from('▁') + 1);
            let h = (HEIGHT - 4.0) * eighths / 8.0;
            rect(0.6, HEIGHT - 3.0 - h, WIDTH - 1.2, h);
        }
        _ => dots(svg, u32::from(c) - 0x2800, left, top, fill),
    }
}

/// The dots of a braille character.
fn dots(svg: &mut String, bits: u32, left: f64, top: f64, fill: &str) {
    const PLACES: [(u32, f64, f64); 8] = [
        (0x01, 0.25, 0.125),
        (0x02, 0.25, 0.375),
        (0x04, 0.25, 0.625),
        (0x40, 0.25, 0.875),
        (0x08, 0.75, 0.125),
        (0x10, 0.75, 0.375),
        (0x20, 0.75, 0.625),
        (0x80, 0.75, 0.875),
    ];
    for (bit, x, y) in PLACES {
        if bits & bit != 0 {
            let (x, y) = (left + x * WIDTH, top + y * HEIGHT);
            let _ = writeln!(svg, r#"<circle cx="{x:.2}" cy="{y:.2}" r="1.4" fill="{fill}"/>"#);
        }
    }
}
