//! Brings a drawn screen down to ASCII, a character for a character.

use ratatui::buffer::Buffer;

/// Replaces every character that an ASCII terminal does not have.
pub(super) fn reduce(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        let ascii = cell.symbol().chars().next().map_or(' ', ascii);
        cell.set_char(ascii);
    }
}

/// Text in ASCII, for what is printed line by line.
pub(crate) fn text(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { ascii(c) }).collect()
}

fn ascii(c: char) -> char {
    match c {
        '✔' => 'v',
        // The spinner is braille; so are curves, where a star serves as well.
        '⠋' | '⠙' | '⠸' | '⢰' | '⣠' | '⣄' | '⡆' | '⠇' => '>',
        '\u{2800}' => ' ',
        '\u{2801}'..='\u{28ff}' => '*',
        '·' => '.',
        '⏸' => '=',
        '✖' => 'x',
        '⊘' => '#',
        '≈' => '=',
        '▲' => '+',
        '▼' | '−' | '─' | '╌' | '–' => '-',
        'Δ' => 'd',
        '±' => ' ',
        '▸' | '→' | '›' => '>',
        '←' | '‹' => '<',
        '↑' => '^',
        '↓' => 'v',
        '…' => '~',
        '│' | '┤' | '├' => '|',
        '┌' | '┐' | '└' | '┘' | '╭' | '╮' | '╰' | '╯' | '┴' | '┬' | '┼' => {
            '+'
        }
        '━' | '╸' => '=',
        '•' | '●' | '◆' | '■' => '*',
        '○' | '◇' | '□' => 'o',
        '△' | '▽' => '^',
        '◂' => '<',
        '┊' => ':',
        '▁' | '▂' => '_',
        '▃' | '▄' => '-',
        '▅' | '▆' => '=',
        '▇' | '█' => '#',
        '×' => 'x',
        'γ' => 'y',
        _ => '?',
    }
}
