//! Brings a drawn screen down to the colours a terminal has.

use ratatui::buffer::Buffer;
use ratatui::style::Color;

use crate::appearance::ColourDepth;

/// Replaces colours that the terminal does not have by the nearest it has.
pub(super) fn reduce(buffer: &mut Buffer, depth: ColourDepth) {
    if depth == ColourDepth::True {
        return;
    }
    for cell in &mut buffer.content {
        cell.fg = nearest(cell.fg, depth);
        cell.bg = nearest(cell.bg, depth);
    }
}

fn nearest(colour: Color, depth: ColourDepth) -> Color {
    match (depth, colour) {
        (ColourDepth::None, _) => Color::Reset,
        (ColourDepth::Indexed, Color::Rgb(r, g, b)) => Color::Indexed(indexed((r, g, b))),
        (ColourDepth::Sixteen, Color::Rgb(r, g, b)) => sixteen((r, g, b)),
        _ => colour,
    }
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    // Eyes are most sensitive to green.
    3 * square(a.0, b.0) + 6 * square(a.1, b.1) + square(a.2, b.2)
}

/// xterm's colour cube (16 to 231) and grey ramp (232 to 255).
fn indexed(colour: (u8, u8, u8)) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    // Distance is a sum over channels, so that each channel has its own nearest level.
    let level = |c: u8| (0..6).min_by_key(|&i| LEVELS[i].abs_diff(c)).unwrap_or(0);
    let (r, g, b) = (level(colour.0), level(colour.1), level(colour.2));
    let cube = (LEVELS[r], LEVELS[g], LEVELS[b]);
    let mean = (3 * u16::from(colour.0) + 6 * u16::from(colour.1) + u16::from(colour.2)) / 10;
    let step = (mean.saturating_sub(3) / 10).min(23) as u8;
    let grey = 8 + 10 * step;
    if distance((grey, grey, grey), colour) < distance(cube, colour) {
        232 + step
    } else {
        (16 + 36 * r + 6 * g + b) as u8
    }
}

fn sixteen(colour: (u8, u8, u8)) -> Color {
    const NAMED: [(Color, (u8, u8, u8)); 8] = [
        (Color::DarkGray, (128, 128, 128)),
        (Color::Gray, (192, 192, 192)),
        (Color::Red, (205, 60, 0)),
        (Color::Green, (0, 160, 80)),
        (Color::Yellow, (230, 190, 30)),
        (Color::Blue, (60, 100, 220)),
        (Color::Magenta, (200, 110, 180)),
        (Color::Cyan, (70, 180, 220)),
    ];
    let found = NAMED.into_iter().min_by_key(|(_, c)| distance(*c, colour));
    found.map_or(Color::Reset, |(named, _)| named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_to_their_nearest_neighbour() {
        assert_eq!(indexed((255, 255, 255)), 231);
        assert_eq!(indexed((128, 128, 128)), 244);
        assert_eq!(indexed((95, 175, 215)), 74);
        assert_eq!(indexed((0, 0, 0)), 16);
        assert_eq!(indexed((238, 238, 238)), 255);
        assert_eq!(indexed((8, 8, 8)), 232);
        assert_eq!(sixteen((213, 94, 0)), Color::Red);
        assert_eq!(sixteen((0, 158, 115)), Color::Green);
        assert_eq!(nearest(Color::Rgb(1, 2, 3), ColourDepth::None), Color::Reset);
    }
}
