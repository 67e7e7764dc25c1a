//! What the terminal and its user can see.

use jiff::tz::TimeZone;

use crate::theme::Theme;

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
    /// Themes to choose from; the first is the default.
    pub themes: Vec<Theme>,
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
        Self { depth, unicode, zone, themes: Theme::builtin() }
    }

    /// Everything in colour, times in UTC.
    pub fn full() -> Self {
        Self {
            depth: ColourDepth::True,
            unicode: true,
            zone: TimeZone::UTC,
            themes: Theme::builtin(),
        }
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
}
