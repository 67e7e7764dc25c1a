//! The one table of colours, and what the terminal can show.

use bitsweep_sweep::{Bits, Network};
use jiff::tz::TimeZone;
use ratatui::style::{Color, Modifier, Style};

use crate::view_model::text::Tone;

/// Colours of Okabe and Ito (2008), told apart by people with any common colour vision.
mod okabe_ito {
    pub(super) const ORANGE: (u8, u8, u8) = (230, 159, 0);
    pub(super) const SKY_BLUE: (u8, u8, u8) = (86, 180, 233);
    pub(super) const BLUISH_GREEN: (u8, u8, u8) = (0, 158, 115);
    pub(super) const YELLOW: (u8, u8, u8) = (240, 228, 66);
    pub(super) const VERMILION: (u8, u8, u8) = (213, 94, 0);
    pub(super) const REDDISH_PURPLE: (u8, u8, u8) = (204, 121, 167);
}

/// Lightness a bit-width adds: two bits wear the pure hue.
const LIGHTER_PER_BIT: f64 = 0.09;

/// The style of a tone.
pub(crate) fn style(tone: Tone) -> Style {
    let plain = Style::new();
    match tone {
        Tone::Plain => plain,
        Tone::Strong | Tone::Accent => plain.add_modifier(Modifier::BOLD),
        Tone::Dim => plain.fg(Color::Rgb(128, 128, 128)),
        Tone::Baseline => plain.fg(Color::Rgb(170, 170, 170)),
        Tone::Good => plain.fg(rgb(okabe_ito::BLUISH_GREEN)),
        Tone::Attention => plain.fg(rgb(okabe_ito::YELLOW)),
        Tone::Bad => plain.fg(rgb(okabe_ito::VERMILION)).add_modifier(Modifier::BOLD),
        Tone::Network(network, bits) => plain.fg(network_colour(network, bits)),
    }
}

fn network_colour(network: Network, bits: Bits) -> Color {
    let hue = match network {
        Network::ResNet18 => okabe_ito::SKY_BLUE,
        Network::ResNet34 => okabe_ito::ORANGE,
        Network::AlexNet => okabe_ito::REDDISH_PURPLE,
    };
    let white = f64::from(bits.weights.clamp(2, 8) - 2) * LIGHTER_PER_BIT;
    let mix = |c: u8| (f64::from(c) + (255.0 - f64::from(c)) * white).round() as u8;
    Color::Rgb(mix(hue.0), mix(hue.1), mix(hue.2))
}

fn rgb((r, g, b): (u8, u8, u8)) -> Color {
    Color::Rgb(r, g, b)
}

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourDepth {
    /// No colour: marks and emphasis carry everything.
    None,
    /// The sixteen of every terminal.
    Sixteen,
    /// xterm's 256.
    Indexed,
    /// 24 bits.
    True,
}

/// What the terminal and its user can see.
#[derive(Clone, Debug)]
pub struct Appearance {
    /// Colours.
    pub depth: ColourDepth,
    /// Whether characters beyond ASCII can be shown.
    pub unicode: bool,
    /// Clock times are shown in this zone.
    pub zone: TimeZone,
}

impl Appearance {
    /// Reads what the environment says: `NO_COLOR`, `COLORTERM`, `TERM`, and the locale in
    /// `LC_ALL`, `LC_CTYPE` or `LANG`. `variable` gives the value of an environment variable.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>, zone: TimeZone) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let depth = match set("COLORTERM").as_deref() {
            _ if set("NO_COLOR").is_some() || term == "dumb" => ColourDepth::None,
            Some("truecolor" | "24bit") => ColourDepth::True,
            _ if term.contains("256color") => ColourDepth::Indexed,
            _ => ColourDepth::Sixteen,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        let locale = locale.to_lowercase();
        let unicode = cfg!(windows) || locale.contains("utf-8") || locale.contains("utf8");
        Self { depth, unicode, zone }
    }

    /// Everything in colour, times in UTC.
    pub fn full() -> Self {
        Self { depth: ColourDepth::True, unicode: true, zone: TimeZone::UTC }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appearance(variables: &[(&str, &str)]) -> Appearance {
        let find = |name: &str| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        Appearance::from_environment(find, TimeZone::UTC)
    }

    #[test]
    fn no_color_wins_over_what_the_terminal_can() {
        let rich = [("COLORTERM", "truecolor"), ("TERM", "xterm-256color"), ("NO_COLOR", "1")];
        assert_eq!(appearance(&rich[..2]).depth, ColourDepth::True);
        assert_eq!(appearance(&rich).depth, ColourDepth::None);
        // An empty NO_COLOR means nothing (no-color.org).
        let empty = [("TERM", "tmux-256color"), ("NO_COLOR", "")];
        assert_eq!(appearance(&empty).depth, ColourDepth::Indexed);
        assert_eq!(appearance(&[("TERM", "xterm")]).depth, ColourDepth::Sixteen);
    }

    #[test]
    fn the_first_locale_that_is_set_decides_on_unicode() {
        assert!(appearance(&[("LANG", "en_GB.UTF-8")]).unicode);
        assert!(!appearance(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]).unicode);
        assert!(!appearance(&[]).unicode);
    }

    #[test]
    fn fewer_bits_wear_a_stronger_hue_and_networks_differ() {
        let colour = |network, bits| network_colour(network, Bits::both(bits));
        assert_eq!(colour(Network::ResNet34, 2), Color::Rgb(230, 159, 0));
        assert_ne!(colour(Network::ResNet34, 4), colour(Network::ResNet34, 2));
        assert_ne!(colour(Network::ResNet34, 2), colour(Network::AlexNet, 2));
    }
}
