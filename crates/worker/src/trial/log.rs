//! A trial's standard error as log lines of bounded length.

use std::collections::VecDeque;

/// Longest line kept, in bytes; the rest of the line is dropped.
const MAX_LINE_BYTES: usize = 4096;

/// Lines remembered for the message of a crash.
const REMEMBERED: usize = 8;

/// Cuts bytes into printable lines.
#[derive(Debug, Default)]
pub(super) struct LineCutter {
    line: Vec<u8>,
    last: VecDeque<String>,
}

impl LineCutter {
    /// The lines that `bytes` complete. A carriage return ends a line too: progress bars use it.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => lines.extend(self.cut()),
                _ if self.line.len() < MAX_LINE_BYTES => self.line.push(*byte),
                _ => {}
            }
        }
        lines
    }

    /// What is left when the stream ends.
    pub(super) fn cut(&mut self) -> Option<String> {
        let line = printable(&std::mem::take(&mut self.line));
        if line.is_empty() {
            return None;
        }
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(line.clone());
        Some(line)
    }

    /// The last lines, oldest first.
    pub(super) fn into_last(self) -> Vec<String> {
        self.last.into()
    }
}

/// The text without control characters and colour sequences: it will be shown in a terminal.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut printable = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' && characters.next_if_eq(&'[').is_some() {
            for inside in characters.by_ref() {
                if ('@'..='~').contains(&inside) {
                    break;
                }
            }
        } else if character == '\t' {
            printable.push(' ');
        } else if !character.is_control() {
            printable.push(character);
        }
    }
    printable.truncate(printable.trim_end().len());
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_however_they_arrive() {
        let mut cutter = LineCutter::default();
        assert!(cutter.push(b"one").is_empty());
        assert_eq!(cutter.push(b" line\r\n\ntwo\n"), ["one line", "two"]);
        assert!(cutter.push(b"rest").is_empty());
        assert_eq!(cutter.cut(), Some("rest".into()));
        assert_eq!(cutter.into_last(), ["one line", "two", "rest"]);
    }

    #[test]
    fn an_endless_line_takes_bounded_memory() {
        let mut cutter = LineCutter::default();
        for _ in 0..100 {
            cutter.push(&[b'x'; 1000]);
        }
        assert_eq!(cutter.cut().map(|line| line.len()), Some(MAX_LINE_BYTES));
    }

    #[test]
    fn only_the_last_lines_are_remembered() {
        let mut cutter = LineCutter::default();
        for i in 0..100 {
            cutter.push(format!("{i}\n").as_bytes());
        }
        let last = cutter.into_last();
        assert_eq!(last.len(), REMEMBERED);
        assert_eq!(last.last().map(String::as_str), Some("99"));
    }

    #[test]
    fn nothing_can_move_the_terminals_cursor() {
        assert_eq!(printable(b"\x1b[31mred\x1b[0m\tbell\x07 \xff"), "red bell \u{fffd}");
    }
}
