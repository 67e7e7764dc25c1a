//! The terminal: taken over while a [`Screen`] lives, given back when it is dropped or the program
//! panics.

use std::io::{self, Stdout, Write, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, Show};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use crate::appearance::Appearance;
use crate::model::Model;
use crate::view;

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal in raw mode on its alternate screen.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal over.
    pub(crate) fn open() -> io::Result<Self> {
        restore_on_panic();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let opened = execute!(stdout(), EnterAlternateScreen, Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        match opened {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Draws a frame: only cells that differ from the last one are written.
    pub(crate) fn draw(&mut self, model: &Model, appearance: &Appearance) -> io::Result<()> {
        self.terminal.draw(|frame| view::draw(frame.buffer_mut(), model, appearance))?;
        Ok(())
    }

    /// Columns and lines.
    pub(crate) fn size(&self) -> (u16, u16) {
        self.terminal.size().map_or((120, 40), |size| (size.width, size.height))
    }

    /// Gives text to the terminal's clipboard (OSC 52). Terminals do not say whether they took it.
    pub(crate) fn copy(&mut self, text: &str) -> Result<String, String> {
        execute!(stdout(), CopyToClipboard::to_clipboard_from(text))
            .map(|()| format!("copied {text}"))
            .map_err(|error| format!("cannot copy: {error}"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, once; there is nothing to do about failures.
fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let mut out = stdout();
        let _ = queue!(out, LeaveAlternateScreen, Show);
        let _ = out.flush();
        let _ = disable_raw_mode();
    }
}

/// Lets a panic give the terminal back before its message is printed.
fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            next(panic);
        }));
    });
}
