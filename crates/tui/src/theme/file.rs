//! Themes of users, from TOML.

use serde::Deserialize;

use super::{NAMED, Rgb, Theme, builtin};

/// Why a theme file is none.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// Not TOML.
    #[error("theme \"{name}\": {message}")]
    Syntax {
        /// Of the theme.
        name: String,
        /// What and where.
        message: String,
    },
    /// A key that no theme has.
    #[error(
        "theme \"{name}\": there is no \"{key}\"; a theme has base, background, foreground, networks, series and {known}"
    )]
    Unknown {
        /// Of the theme.
        name: String,
        /// What was written.
        key: String,
        /// What could have been.
        known: String,
    },
    /// Not a colour.
    #[error("theme \"{name}\": {key} must be a colour like \"#56b4e9\", not {value}")]
    Colour {
        /// Of the theme.
        name: String,
        /// Where.
        key: String,
        /// What was written.
        value: String,
    },
    /// `base` names nothing.
    #[error("theme \"{name}\": no base theme \"{base}\"; there are {known}")]
    Base {
        /// Of the theme.
        name: String,
        /// What was written.
        base: String,
        /// What there is.
        known: String,
    },
}

#[derive(Deserialize)]
struct File {
    base: Option<String>,
    networks: Option<Vec<toml::Value>>,
    series: Option<Vec<toml::Value>>,
    #[serde(flatten)]
    colours: toml::Table,
}

pub(super) fn read(name: &str, text: &str) -> Result<Theme, ThemeError> {
    let file: File = toml::from_str(text).map_err(|error| ThemeError::Syntax {
        name: name.to_owned(),
        message: error.to_string().lines().collect::<Vec<_>>().join(" "),
    })?;
    let themes = builtin::all();
    let base = match &file.base {
        None => &themes[0],
        Some(base) => themes.iter().find(|t| t.name == *base).ok_or_else(|| ThemeError::Base {
            name: name.to_owned(),
            base: base.clone(),
            known: themes.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", "),
        })?,
    };
    let mut palette = base.palette();
    palette.name = name.to_owned();
    let colour = |key: &str, value: &toml::Value| {
        value.as_str().and_then(parse).ok_or_else(|| ThemeError::Colour {
            name: name.to_owned(),
            key: key.to_owned(),
            value: value.to_string(),
        })
    };
    for (key, value) in &file.colours {
        let parsed = colour(key, value);
        match key.as_str() {
            "background" => palette.background = Some(parsed?),
            "foreground" => palette.foreground = Some(parsed?),
            tone => match NAMED.iter().position(|(name, _)| *name == tone) {
                Some(at) => palette.named[at] = Some(parsed?),
                None => {
                    return Err(ThemeError::Unknown {
                        name: name.to_owned(),
                        key: key.clone(),
                        known: NAMED.map(|(name, _)| name).join(", "),
                    });
                }
            },
        }
    }
    for (slot, value) in palette.networks.iter_mut().zip(file.networks.iter().flatten()) {
        *slot = colour("networks", value)?;
    }
    for (slot, value) in palette.series.iter_mut().zip(file.series.iter().flatten()) {
        *slot = colour("series", value)?;
    }
    Ok(palette.theme())
}

/// `#rrggbb`.
fn parse(text: &str) -> Option<Rgb> {
    let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.is_ascii())?;
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some((part(0)?, part(2)?, part(4)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_changes_what_it_names_and_keeps_the_rest_of_its_base() {
        let text = "base = \"light\"\ngood = \"#00ff00\"\nbackground = \"#fdf6e3\"\n";
        let theme = read("mine", text).expect("well-formed");
        assert_eq!(theme.name(), "mine");
        let (mine, light) = (theme.palette(), builtin::all()[2].palette());
        assert_eq!(mine.background, Some((0xfd, 0xf6, 0xe3)));
        assert_eq!(mine.named[3], Some((0, 255, 0)));
        assert_eq!(mine.named[4], light.named[4]);
        assert_eq!(mine.networks, light.networks);
    }

    #[test]
    fn what_is_wrong_with_a_theme_is_named() {
        let error = |text| read("mine", text).expect_err("wrong").to_string();
        assert!(error("goood = \"#00ff00\"").contains("there is no \"goood\""));
        assert!(error("good = \"green\"").contains("good must be a colour like \"#56b4e9\""));
        assert!(error("base = \"solarized\"").contains("there are okabe-ito, dark, light"));
        assert!(error("good = ").contains("theme \"mine\""));
        assert!(error("series = [\"#12345\"]").contains("series must be a colour"));
    }
}
