//! How far it has come: a line that is drawn over on a terminal, else one every ten seconds.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::text::{count, duration};

const REDRAWN: Duration = Duration::from_millis(200);
const LOGGED: Duration = Duration::from_secs(10);
const WIDTH: u64 = 24;

/// Shows progress on standard error.
pub(super) struct Progress {
    total: u64,
    terminal: bool,
    began: Instant,
    shown: Instant,
    drawn: bool,
}

impl Progress {
    /// For this many rows.
    pub(super) fn new(total: u64) -> Self {
        let now = Instant::now();
        let terminal = io::stderr().is_terminal();
        Self { total, terminal, began: now, shown: now, drawn: false }
    }

    /// So many have been looked at.
    pub(super) fn show(&mut self, done: u64) -> io::Result<()> {
        if self.shown.elapsed() < if self.terminal { REDRAWN } else { LOGGED } {
            return Ok(());
        }
        self.shown = Instant::now();
        let line = line(done, self.total, self.began.elapsed());
        let mut out = io::stderr().lock();
        if self.terminal {
            self.drawn = true;
            // Back to the first column, and whatever the last line left behind it.
            write!(out, "\r{} {line}\x1b[K", bar(done, self.total))?;
        } else {
            writeln!(out, "{line}")?;
        }
        out.flush()
    }

    /// Leaves the line to whoever writes next.
    pub(super) fn end(&self) -> io::Result<()> {
        if self.drawn { io::stderr().lock().write_all(b"\r\x1b[K") } else { Ok(()) }
    }
}

fn bar(done: u64, total: u64) -> String {
    let full = done.min(total).saturating_mul(WIDTH).checked_div(total).unwrap_or(WIDTH);
    (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect()
}

fn line(done: u64, total: u64, taken: Duration) -> String {
    let percent = done.min(total).saturating_mul(100).checked_div(total).unwrap_or(100);
    let millis = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = done.saturating_mul(1_000) / millis;
    let left = total
        .saturating_sub(done)
        .checked_div(rate)
        .map_or_else(|| "?".to_owned(), |seconds| duration(Duration::from_secs(seconds)));
    format!("{percent}%  {} of {} rows  {}/s  {left} left", count(done), count(total), count(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_long() {
        let text = line(50_000, 200_000, Duration::from_secs(5));
        assert_eq!(
            text,
            format!(
                "25%  {} of {} rows  {}/s  15s left",
                count(50_000),
                count(200_000),
                count(10_000)
            )
        );
        assert!(line(0, 5, Duration::ZERO).ends_with("? left"));
        assert!(line(9, 5, Duration::from_secs(1)).starts_with("100%"));
        assert_eq!(bar(1, 2), "############............");
        assert_eq!(bar(7, 0), "########################");
    }
}
