//! The themes that come with the program.

use ratatui::style::Modifier;

use super::{FIRST_NETWORK, FIRST_SERIES, Look, NAMED, Rgb, SERIES, TONES, Theme, WIDTHS, number};
use crate::view_model::text::Tone;

/// Colours of Okabe and Ito (2008), told apart by people with any common colour vision.
mod okabe_ito {
    use super::Rgb;

    pub(super) const ORANGE: Rgb = (230, 159, 0);
    pub(super) const SKY_BLUE: Rgb = (86, 180, 233);
    pub(super) const BLUISH_GREEN: Rgb = (0, 158, 115);
    pub(super) const YELLOW: Rgb = (240, 228, 66);
    /// Blue, lightened: the original is too dark for text on black.
    pub(super) const BLUE: Rgb = (90, 150, 220);
    pub(super) const VERMILION: Rgb = (213, 94, 0);
    pub(super) const REDDISH_PURPLE: Rgb = (204, 121, 167);
}

/// How much nearer to the far end a bit-width is: two bits wear the pure hue.
const PER_BIT: f64 = 0.09;

/// The few colours that a theme is made of.
pub(super) struct Palette {
    pub(super) name: String,
    pub(super) background: Option<Rgb>,
    pub(super) foreground: Option<Rgb>,
    /// In the order of [`NAMED`].
    pub(super) named: [Option<Rgb>; NAMED.len()],
    /// One a network.
    pub(super) networks: [Rgb; 3],
    /// One a compared trial.
    pub(super) series: [Rgb; SERIES],
    /// What wider bit-widths go towards: white on dark, black on light.
    pub(super) far: Rgb,
}

impl Palette {
    pub(super) fn theme(self) -> Theme {
        let mut looks = [Look::default(); TONES];
        looks[0].colour = self.foreground;
        for (at, ((_, tone), colour)) in NAMED.iter().zip(self.named).enumerate() {
            let bold = matches!(tone, Tone::Strong | Tone::Accent | Tone::Bad);
            let modifier = if bold { Modifier::BOLD } else { Modifier::empty() };
            looks[at + 1] = Look { colour, modifier };
        }
        for (at, colour) in self.series.into_iter().enumerate() {
            looks[FIRST_SERIES + at].colour = Some(colour);
        }
        for (network, hue) in self.networks.into_iter().enumerate() {
            for width in 0..WIDTHS {
                let share = width as f64 * PER_BIT;
                let mix = |near: u8, far: u8| {
                    (f64::from(near) + (f64::from(far) - f64::from(near)) * share).round() as u8
                };
                let colour =
                    (mix(hue.0, self.far.0), mix(hue.1, self.far.1), mix(hue.2, self.far.2));
                looks[FIRST_NETWORK + network * WIDTHS + width].colour = Some(colour);
            }
        }
        Theme { name: self.name, background: self.background, looks }
    }
}

impl Theme {
    /// The palette that would make this theme, for themes that change it.
    pub(super) fn palette(&self) -> Palette {
        let colour = |at: usize| self.looks[at].colour;
        let pure = |network: usize| colour(FIRST_NETWORK + network * WIDTHS).unwrap_or_default();
        let light = self
            .background
            .is_some_and(|(r, g, b)| u32::from(r) + u32::from(g) + u32::from(b) > 3 * 128);
        Palette {
            name: self.name.clone(),
            background: self.background,
            foreground: colour(0),
            named: std::array::from_fn(|at| colour(at + 1)),
            networks: std::array::from_fn(pure),
            series: std::array::from_fn(|at| colour(FIRST_SERIES + at).unwrap_or_default()),
            far: if light || self.name == "light" { (0, 0, 0) } else { (255, 255, 255) },
        }
    }
}

/// Looks up a tone's colour in a table by tone.
fn named(colours: &[(Tone, Rgb)]) -> [Option<Rgb>; NAMED.len()] {
    let mut all = [None; NAMED.len()];
    for (tone, colour) in colours {
        all[number(*tone) - 1] = Some(*colour);
    }
    all
}

/// For dark terminals; keeps the terminal's own background.
pub(super) fn colour_blind_safe() -> Theme {
    use okabe_ito::{BLUE, BLUISH_GREEN, ORANGE, REDDISH_PURPLE, SKY_BLUE, VERMILION, YELLOW};
    Palette {
        name: "okabe-ito".to_owned(),
        background: None,
        foreground: None,
        named: named(&[
            (Tone::Dim, (128, 128, 128)),
            (Tone::Baseline, (170, 170, 170)),
            (Tone::Good, BLUISH_GREEN),
            (Tone::Attention, YELLOW),
            (Tone::Bad, VERMILION),
            (Tone::Published, (150, 150, 190)),
            (Tone::Inside, SKY_BLUE),
            (Tone::Pruned, (110, 110, 110)),
            (Tone::Clipped, ORANGE),
        ]),
        networks: [SKY_BLUE, ORANGE, REDDISH_PURPLE],
        series: [
            SKY_BLUE,
            ORANGE,
            REDDISH_PURPLE,
            BLUISH_GREEN,
            YELLOW,
            BLUE,
            VERMILION,
            (200, 200, 200),
        ],
        far: (255, 255, 255),
    }
    .theme()
}

/// Every theme, the default first.
pub(super) fn all() -> Vec<Theme> {
    vec![colour_blind_safe(), dark(), light(), high_contrast()]
}

/// Softer, on a background of its own.
fn dark() -> Theme {
    Palette {
        name: "dark".to_owned(),
        background: Some((21, 24, 29)),
        foreground: Some((216, 220, 227)),
        named: named(&[
            (Tone::Strong, (255, 255, 255)),
            (Tone::Dim, (122, 130, 142)),
            (Tone::Baseline, (168, 176, 188)),
            (Tone::Good, (126, 200, 140)),
            (Tone::Attention, (232, 200, 106)),
            (Tone::Bad, (240, 113, 103)),
            (Tone::Accent, (255, 255, 255)),
            (Tone::Published, (160, 160, 205)),
            (Tone::Inside, (110, 180, 230)),
            (Tone::Pruned, (104, 110, 120)),
            (Tone::Clipped, (230, 160, 90)),
        ]),
        networks: [(110, 180, 230), (230, 160, 90), (205, 135, 190)],
        series: [
            (110, 180, 230),
            (230, 160, 90),
            (205, 135, 190),
            (126, 200, 140),
            (232, 200, 106),
            (130, 150, 240),
            (240, 113, 103),
            (200, 205, 212),
        ],
        far: (255, 255, 255),
    }
    .theme()
}

/// For light terminals: dark hues on the terminal's own background.
fn light() -> Theme {
    Palette {
        name: "light".to_owned(),
        background: None,
        foreground: None,
        named: named(&[
            (Tone::Dim, (110, 110, 110)),
            (Tone::Baseline, (80, 80, 80)),
            (Tone::Good, (0, 115, 80)),
            (Tone::Attention, (150, 95, 0)),
            (Tone::Bad, (180, 40, 0)),
            (Tone::Published, (90, 90, 150)),
            (Tone::Inside, (0, 95, 155)),
            (Tone::Pruned, (140, 140, 140)),
            (Tone::Clipped, (175, 95, 0)),
        ]),
        networks: [(0, 95, 155), (175, 95, 0), (150, 60, 115)],
        series: [
            (0, 95, 155),
            (175, 95, 0),
            (150, 60, 115),
            (0, 115, 80),
            (120, 105, 0),
            (60, 60, 190),
            (180, 40, 0),
            (60, 60, 60),
        ],
        far: (0, 0, 0),
    }
    .theme()
}

/// White on black, nothing grey.
fn high_contrast() -> Theme {
    Palette {
        name: "high-contrast".to_owned(),
        background: Some((0, 0, 0)),
        foreground: Some((255, 255, 255)),
        named: named(&[
            (Tone::Strong, (255, 255, 255)),
            (Tone::Dim, (215, 215, 215)),
            (Tone::Baseline, (255, 255, 255)),
            (Tone::Good, (90, 255, 160)),
            (Tone::Attention, (255, 255, 0)),
            (Tone::Bad, (255, 120, 80)),
            (Tone::Accent, (255, 255, 0)),
            (Tone::Published, (200, 200, 255)),
            (Tone::Inside, (120, 220, 255)),
            (Tone::Pruned, (190, 190, 190)),
            (Tone::Clipped, (255, 190, 60)),
        ]),
        networks: [(120, 220, 255), (255, 190, 60), (255, 160, 230)],
        series: [
            (120, 220, 255),
            (255, 190, 60),
            (255, 160, 230),
            (90, 255, 160),
            (255, 255, 0),
            (170, 170, 255),
            (255, 120, 80),
            (255, 255, 255),
        ],
        far: (255, 255, 255),
    }
    .theme()
}
