//! A full-screen view that gives the terminal back however it ends.

use std::io::{self, IsTerminal, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Mutex, Once, PoisonError};

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};

const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// What to restore; global because a panic has to find it too.
static ENTERED: Mutex<Option<Saved>> = Mutex::new(None);

struct Saved {
    /// `None` when the keyboard is not a terminal.
    keyboard: Option<Termios>,
}

/// The terminal's alternate screen, keys delivered one by one and not echoed. What was there
/// before comes back when this is dropped and before a panic prints its message.
#[derive(Debug)]
pub struct Screen {
    _private: (),
}

impl Screen {
    /// Takes over the terminal; `None` if standard output is none. Ctrl-C stays a signal, Ctrl-Z
    /// is switched off.
    ///
    /// # Errors
    /// When the terminal does not take its settings or does not take output.
    pub fn enter() -> io::Result<Option<Self>> {
        if !io::stdout().is_terminal() {
            return Ok(None);
        }
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let previous = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                previous(info);
            }));
        });
        let stdin = io::stdin();
        let keyboard = if stdin.is_terminal() { Some(tcgetattr(&stdin)?) } else { None };
        if let Some(before) = &keyboard {
            let mut single = before.clone();
            single.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
            for (which, value) in [
                (SpecialCharacterIndices::VMIN, 0),
                (SpecialCharacterIndices::VTIME, 0),
                (SpecialCharacterIndices::VSUSP, libc::_POSIX_VDISABLE),
            ] {
                if let Some(slot) = single.control_chars.get_mut(which as usize) {
                    *slot = value;
                }
            }
            tcsetattr(&stdin, SetArg::TCSADRAIN, &single)?;
        }
        *ENTERED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Saved { keyboard });
        let screen = Self { _private: () };
        write(ENTER)?;
        Ok(Some(screen))
    }

    /// Replaces what is shown. Lines beyond the terminal's width are cut by it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn show(&self, text: &str) -> io::Result<()> {
        let mut out = String::with_capacity(text.len() + 64);
        out.push_str("\x1b[H");
        for (nth, line) in text.lines().enumerate() {
            if nth > 0 {
                out.push_str("\r\n");
            }
            out.push_str(line);
            // Clears what an earlier, longer line left.
            out.push_str("\x1b[K");
        }
        out.push_str("\x1b[J");
        write(&out)
    }

    /// Keys pressed since the last call, as raw bytes; never waits.
    ///
    /// # Errors
    /// When the keyboard is gone.
    pub fn keys(&self) -> io::Result<Vec<u8>> {
        let mut keys = vec![0; 64];
        if !io::stdin().is_terminal() {
            return Ok(Vec::new());
        }
        let len = io::stdin().lock().read(&mut keys)?;
        keys.truncate(len);
        Ok(keys)
    }

    /// The keyboard, to wait for; `None` if there is none.
    #[must_use]
    pub fn keyboard(&self) -> Option<BorrowedFd<'static>> {
        let stdin = io::stdin();
        // SAFETY: standard input stays open as long as the process runs; nothing here closes it.
        stdin.is_terminal().then(|| unsafe { BorrowedFd::borrow_raw(stdin.as_raw_fd()) })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    let saved = ENTERED.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(saved) = saved else { return };
    // Nobody is left to tell if the terminal is gone.
    write(LEAVE).ok();
    if let Some(before) = saved.keyboard {
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &before).ok();
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Columns and rows of the terminal on standard output; `None` if it is none or does not say.
#[must_use]
pub fn size() -> Option<(u16, u16)> {
    let mut out = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the request writes one winsize, for which there is room.
    let done = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, out.as_mut_ptr()) };
    if done != 0 {
        return None;
    }
    // SAFETY: every bit pattern is a valid winsize, and it was zeroed before.
    let size = unsafe { out.assume_init() };
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_is_no_screen() {
        // The test harness' own output may be a terminal; then entering must work and end.
        match Screen::enter().unwrap() {
            None => assert!(!io::stdout().is_terminal()),
            Some(screen) => {
                drop(screen);
                assert!(ENTERED.lock().unwrap().is_none());
            }
        }
    }
}
