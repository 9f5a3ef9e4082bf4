//! The whole terminal for a while, given back however it ends.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::mem::ManuallyDrop;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// Room for one picture, so that it is written in one go.
const PICTURE: usize = 64 * 1024;

/// Whether the terminal is ours; global because a panic has to find it too.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The alternate screen, keys delivered one by one and not echoed, mouse reported. What was there
/// before comes back when this is dropped, and before a panic prints its message.
#[derive(Debug)]
pub struct Screen {
    /// Never dropped: it would write once more, and panic where both the terminal and standard error
    /// are gone.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Stdout>>>>,
}

impl Screen {
    /// Takes over the terminal; `None` if standard input or output is none. Ctrl-C and Ctrl-Z are
    /// keys from then on. When another thread panics, the terminal is given back for its message,
    /// nothing can be drawn any more ([`Screen::check`]), and `end` is called (once for the process:
    /// that of the first screen), which has to end the view.
    ///
    /// # Errors
    /// When the terminal does not take its settings or does not take output.
    pub fn enter(end: impl Fn() + Send + Sync + 'static) -> io::Result<Option<Self>> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Ok(None);
        }
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let previous = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                let was_ours = leave();
                previous(info);
                if was_ours {
                    end();
                }
            }));
        });
        take()?;
        let backend = CrosstermBackend::new(BufWriter::with_capacity(PICTURE, io::stdout()));
        match Terminal::new(backend) {
            Ok(terminal) => Ok(Some(Self { terminal: ManuallyDrop::new(terminal) })),
            Err(error) => {
                leave();
                Err(error)
            }
        }
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// When the terminal does not say.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Whether the terminal is still ours.
    ///
    /// # Errors
    /// When a part of the program failed, and its message is on the terminal now.
    pub fn check(&self) -> io::Result<()> {
        if ENTERED.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(io::Error::other(
            "a part of the program failed; its message is above: please report it",
        ))
    }

    /// Shows what `paint` paints; only what differs from before is written.
    ///
    /// # Errors
    /// When the terminal is gone, or as [`Screen::check`].
    pub fn draw(&mut self, paint: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.check()?;
        // A terminal that knows it shows nothing half done; others pass over it.
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(paint)?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Writes an escape sequence of ours as it is (for what has no picture: the clipboard).
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn write(&mut self, sequence: &str) -> io::Result<()> {
        let backend = self.terminal.backend_mut();
        backend.write_all(sequence.as_bytes())?;
        io::Write::flush(backend)
    }

    /// Gives the terminal back while `stopped` lasts (a shell has it meanwhile), then takes it
    /// again; everything has to be drawn anew.
    ///
    /// # Errors
    /// When the terminal does not take its settings or does not take output.
    pub fn suspend(&mut self, stopped: impl FnOnce()) -> io::Result<()> {
        self.check()?;
        leave();
        stopped();
        take()?;
        // Not `clear`, which asks the terminal where its cursor is: the answer goes to the thread
        // that reads keys.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Has the terminal take keys as usual, without a word to it: for the end of a process that is stuck
/// because the terminal takes no output.
pub fn abandon() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        disable_raw_mode().ok();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    let taken = execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableMouseCapture,
        EnableBracketedPaste,
        cursor::Hide
    );
    if taken.is_err() {
        leave();
    }
    taken
}

/// Gives the terminal back; whether it was ours.
fn leave() -> bool {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return false;
    }
    // Nobody is left to tell if the terminal is gone.
    execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        cursor::Show
    )
    .ok();
    disable_raw_mode().ok();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_is_no_screen() {
        // The test harness may have a terminal; then entering must work and end.
        if let Some(screen) = Screen::enter(|| ()).unwrap() {
            screen.check().unwrap();
            drop(screen);
        }
        assert!(!ENTERED.load(Ordering::SeqCst));
    }
}
