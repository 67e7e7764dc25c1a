//! One table of a sweep file, read key by key; what nobody asked for is an error.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{FileError, Mark};
use crate::limit::Numbers;

/// Where messages point.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn error(&self, span: &Range<usize>, message: impl Into<String>) -> FileError {
        let before = &self.text[..span.start.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        FileError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        }
    }
}

/// A value with its place and the full name of its key.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    source: Source<'a>,
    /// For example `train.epochs` or `bits[2]`.
    pub(super) key: String,
    span: Range<usize>,
    pub(super) value: DeValue<'a>,
}

impl<'a> Entry<'a> {
    /// An error that names key and value: ``key = value: problem``.
    pub(super) fn error(&self, problem: impl std::fmt::Display) -> FileError {
        self.source.error(&self.span, format!("{}: {problem}", self.written()))
    }

    /// The place and wording of an error that can only be found later.
    pub(super) fn mark(&self) -> Mark {
        let FileError { line, column, .. } = self.source.error(&self.span, "");
        Mark { line, column, what: self.written() }
    }

    /// `key = value`, without the value where it takes several lines.
    fn written(&self) -> String {
        let written = self.source.text.get(self.span.clone()).unwrap_or_default();
        let value = if written.contains('\n') { String::new() } else { format!(" = {written}") };
        format!("{}{value}", self.key)
    }

    pub(super) fn wrong_type(&self, wanted: &str) -> FileError {
        self.error(format_args!("is {}; must be {wanted}", article(self.value.type_str())))
    }

    pub(super) fn string(&self) -> Result<String, FileError> {
        match &self.value {
            DeValue::String(text) => Ok(text.to_string()),
            _ => Err(self.wrong_type("a string")),
        }
    }

    pub(super) fn boolean(&self) -> Result<bool, FileError> {
        match &self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// A whole number within `range`.
    pub(super) fn integer(&self, range: std::ops::RangeInclusive<u64>) -> Result<u64, FileError> {
        let wanted = || format!("a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(number) = &self.value else { return Err(self.wrong_type(&wanted())) };
        u64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|n| range.contains(n))
            .ok_or_else(|| self.error(format_args!("must be {}", wanted())))
    }

    /// One of the numbers that `valid` allows.
    pub(super) fn number(&self, valid: Numbers) -> Result<f64, FileError> {
        let parsed = match &self.value {
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            DeValue::Integer(number) => number.as_str().parse::<f64>().ok(),
            _ => return Err(self.wrong_type(valid.wanted)),
        };
        parsed
            .filter(|n| valid.allow(*n))
            .ok_or_else(|| self.error(format_args!("must be {}", valid.wanted)))
    }

    /// A whole number that a 32-bit field may have.
    pub(super) fn small_integer(
        &self,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u32, FileError> {
        let value = self.integer(range)?;
        u32::try_from(value).map_err(|_| self.error("is too large"))
    }

    /// One of `choices`, by name; a near miss is suggested.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, FileError> {
        let text = self.string()?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Ok(*value);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        Err(self.error(format_args!(
            "is unknown{}; valid: {}",
            suggestion(&text, &names),
            names.join(", ")
        )))
    }

    /// The elements of an array; a lone value where `lone` allows it counts as an array of one.
    pub(super) fn list(self, lone: bool) -> Result<Vec<Entry<'a>>, FileError> {
        match self.value {
            DeValue::Array(array) => Ok(array
                .into_iter()
                .enumerate()
                .map(|(i, element)| Entry {
                    source: self.source,
                    key: format!("{}[{i}]", self.key),
                    span: element.span(),
                    value: element.into_inner(),
                })
                .collect()),
            _ if lone => Ok(vec![self]),
            _ => Err(self.wrong_type("an array")),
        }
    }

    pub(super) fn section(self) -> Result<Section<'a>, FileError> {
        match self.value {
            DeValue::Table(table) => Ok(Section::new(self.source, self.key, self.span, table)),
            _ => Err(self.wrong_type("a table")),
        }
    }

    pub(super) fn is_string(&self, text: &str) -> bool {
        matches!(&self.value, DeValue::String(value) if value == text)
    }

    /// The truth value; `None` when it is something else.
    pub(super) fn is_boolean(&self) -> Option<bool> {
        match &self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }
}

/// A table whose keys are taken one by one.
pub(super) struct Section<'a> {
    source: Source<'a>,
    path: String,
    span: Range<usize>,
    entries: BTreeMap<String, (Range<usize>, Entry<'a>)>,
    asked: Vec<String>,
}

impl<'a> Section<'a> {
    pub(super) fn root(source: Source<'a>) -> Result<Self, FileError> {
        let table = DeTable::parse(source.text).map_err(|error| {
            source.error(&error.span().unwrap_or(0..0), error.message().replace('\n', "; "))
        })?;
        Ok(Self::new(source, String::new(), 0..0, table.into_inner()))
    }

    fn new(source: Source<'a>, path: String, span: Range<usize>, table: DeTable<'a>) -> Self {
        let entries = table
            .into_iter()
            .map(|(key, value): (Spanned<_>, Spanned<DeValue<'a>>)| {
                let name = key.get_ref().to_string();
                let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let entry =
                    Entry { source, key: full, span: value.span(), value: value.into_inner() };
                (name, (key.span(), entry))
            })
            .collect();
        Self { source, path, span, entries, asked: Vec::new() }
    }

    /// Takes a key; `None` when it is not there.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry<'a>> {
        self.asked.push(key.to_owned());
        self.entries.remove(key).map(|(_, entry)| entry)
    }

    /// An error if a key is there that means something elsewhere and nothing here.
    pub(super) fn refuse(&mut self, key: &str, problem: &str) -> Result<(), FileError> {
        self.entries.remove(key).map_or(Ok(()), |(_, entry)| Err(entry.error(problem)))
    }

    /// Takes a key that must be there; `example` shows how to write it.
    pub(super) fn require(&mut self, key: &str, example: &str) -> Result<Entry<'a>, FileError> {
        let place = if self.path.is_empty() { String::new() } else { format!(" in {}", self.path) };
        self.take(key).ok_or_else(|| {
            let message = format!("{key} is missing{place}; add for example: {example}");
            if self.path.is_empty() {
                FileError { file: self.source.file.to_owned(), line: 0, column: 0, message }
            } else {
                self.source.error(&self.span, message)
            }
        })
    }

    /// The place of the table as a whole.
    pub(super) fn mark(&self) -> Mark {
        let FileError { line, column, .. } = self.source.error(&self.span, "");
        Mark { line, column, what: self.path.clone() }
    }

    /// An error about the table as a whole.
    pub(super) fn error(&self, problem: impl std::fmt::Display) -> FileError {
        self.source.error(&self.span, format!("{}: {problem}", self.path))
    }

    /// Ends reading: a key that nobody asked for is an error, with the near miss.
    pub(super) fn finish(self) -> Result<(), FileError> {
        let Some((name, (span, entry))) =
            self.entries.into_iter().min_by_key(|(_, (s, _))| s.start)
        else {
            return Ok(());
        };
        let valid: Vec<&str> = self.asked.iter().map(String::as_str).collect();
        let near = suggestion(&name, &valid);
        let all =
            if near.is_empty() { format!("; valid here: {}", valid.join(", ")) } else { near };
        let message = format!("unknown key {}{all}", entry.key);
        Err(self.source.error(&span, message))
    }
}

/// ` (did you mean "x"?)` where a name is close, otherwise nothing.
fn suggestion(given: &str, valid: &[&str]) -> String {
    valid
        .iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(3) / 3)
        .map_or_else(String::new, |(_, name)| format!(" (did you mean \"{name}\"?)"))
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}
