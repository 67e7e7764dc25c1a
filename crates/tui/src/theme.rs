//! The one table of colours.
//!
//! Screens are drawn in tones: [`style`] gives a tone a number in place of a colour, and a last pass
//! over the finished screen, [`Theme::dress`], gives the numbers their colours.

mod builtin;
mod file;

use bitsweep_sweep::Network;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use crate::view_model::text::Tone;

pub use file::ThemeError;

/// A colour: red, green, blue.
type Rgb = (u8, u8, u8);

/// Tones that a theme gives a colour each, by name in theme files.
const NAMED: [(&str, Tone); 11] = [
    ("strong", Tone::Strong),
    ("dim", Tone::Dim),
    ("baseline", Tone::Baseline),
    ("good", Tone::Good),
    ("attention", Tone::Attention),
    ("bad", Tone::Bad),
    ("accent", Tone::Accent),
    ("published", Tone::Published),
    ("inside", Tone::Inside),
    ("pruned", Tone::Pruned),
    ("clipped", Tone::Clipped),
];

/// Compared trials that have a colour of their own.
pub(crate) const SERIES: usize = 8;
/// Widths that have a lightness of their own: 2 to 8 bits.
const WIDTHS: usize = 7;
const FIRST_SERIES: usize = NAMED.len() + 1;
const FIRST_NETWORK: usize = FIRST_SERIES + SERIES;
const TONES: usize = FIRST_NETWORK + Network::ALL.len() * WIDTHS;

/// The number of a tone; 0 is plain text.
fn number(tone: Tone) -> usize {
    match tone {
        Tone::Plain => 0,
        Tone::Series(at) => FIRST_SERIES + at % SERIES,
        Tone::Network(network, bits) => {
            let at = Network::ALL.iter().position(|n| *n == network).unwrap_or_default();
            FIRST_NETWORK + at * WIDTHS + usize::from(bits.weights.clamp(2, 8) - 2)
        }
        named => NAMED.iter().position(|(_, t)| *t == named).map_or(0, |at| at + 1),
    }
}

/// The style that marks a tone until the theme dresses the screen.
pub(crate) fn style(tone: Tone) -> Style {
    match number(tone) {
        0 => Style::new(),
        number => Style::new().fg(Color::Indexed(number as u8)),
    }
}

/// What a tone looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    /// `None`: the terminal's own.
    colour: Option<Rgb>,
    modifier: Modifier,
}

/// Colours for everything on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    name: String,
    background: Option<Rgb>,
    looks: [Look; TONES],
}

impl Theme {
    /// The themes that come with the program; the first is the default.
    pub fn builtin() -> Vec<Self> {
        builtin::all()
    }

    /// Reads a theme from TOML: `base` names a theme that it changes, `background` and `foreground`
    /// and the tones are `"#rrggbb"`, `networks` and `series` lists of them.
    ///
    /// # Errors
    /// One line naming what is wrong with the text.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, ThemeError> {
        file::read(name, text)
    }

    /// The name, as shown and remembered.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives every tone of a drawn screen its colours.
    pub(crate) fn dress(&self, buffer: &mut Buffer) {
        let rgb = |(r, g, b): Rgb| Color::Rgb(r, g, b);
        let plain = self.looks[0].colour.map_or(Color::Reset, rgb);
        let behind = self.background.map_or(Color::Reset, rgb);
        for cell in &mut buffer.content {
            cell.bg = behind;
            let Color::Indexed(number) = cell.fg else {
                cell.fg = plain;
                continue;
            };
            let look = self.looks.get(usize::from(number)).copied().unwrap_or_default();
            cell.fg = look.colour.map_or(plain, rgb);
            cell.modifier |= look.modifier;
        }
    }
}

impl Default for Theme {
    fn default() -> Self {
        builtin::colour_blind_safe()
    }
}

#[cfg(test)]
mod tests {
    use bitsweep_sweep::Bits;

    use super::*;

    fn colour(theme: &Theme, tone: Tone) -> Option<Rgb> {
        theme.looks[number(tone)].colour
    }

    #[test]
    fn fewer_bits_wear_a_stronger_hue_and_networks_differ() {
        let theme = Theme::default();
        let colour = |network, bits| colour(&theme, Tone::Network(network, Bits::both(bits)));
        assert_eq!(colour(Network::ResNet34, 2), Some((230, 159, 0)));
        assert_ne!(colour(Network::ResNet34, 4), colour(Network::ResNet34, 2));
        assert_ne!(colour(Network::ResNet34, 2), colour(Network::AlexNet, 2));
    }

    #[test]
    fn every_tone_has_a_number_of_its_own() {
        let mut tones: Vec<Tone> = NAMED.iter().map(|(_, tone)| *tone).collect();
        tones.push(Tone::Plain);
        tones.extend((0..SERIES).map(Tone::Series));
        let widths = |n| (2..=8).map(move |b| Tone::Network(n, Bits::both(b)));
        tones.extend(Network::ALL.into_iter().flat_map(widths));
        let mut numbers: Vec<usize> = tones.into_iter().map(number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..TONES).collect::<Vec<_>>());
    }

    #[test]
    fn themes_have_different_names() {
        let mut names: Vec<String> = Theme::builtin().into_iter().map(|t| t.name).collect();
        assert_eq!(names.len(), 4);
        names.dedup();
        assert_eq!(names.len(), 4);
    }
}
