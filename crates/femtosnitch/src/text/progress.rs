//! How far something is that takes its time.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::{count, duration};

/// Between two changes of what is shown.
const PAUSE: Duration = Duration::from_millis(200);
/// Cells of the bar.
const CELLS: usize = 24;
/// Back to the line's beginning, and nothing after it.
const CLEAR: &str = "\r\x1b[K";

/// A line on standard error that says how far it is; silent where that is no terminal.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    /// When it was shown last; `None` where nothing is to be shown.
    shown: Option<Instant>,
    drawn: bool,
}

impl Progress {
    /// Begins to count the time. Nothing is shown at once: what is short needs no bar.
    #[must_use]
    pub fn new() -> Self {
        let now = Instant::now();
        Self { began: now, shown: io::stderr().is_terminal().then_some(now), drawn: false }
    }

    /// Never shows anything.
    #[must_use]
    pub fn silent() -> Self {
        Self { shown: None, ..Self::new() }
    }

    /// So many things are done, and this part of all (0 to 1).
    pub fn tell(&mut self, done: f64, things: u64, what: &str) {
        let now = Instant::now();
        if self.shown.is_none_or(|shown| now.duration_since(shown) < PAUSE) {
            return;
        }
        (self.shown, self.drawn) = (Some(now), true);
        let line = line(done, now.duration_since(self.began), things, what);
        // Whoever cannot see it misses nothing.
        drop(io::stderr().write_all(format!("{CLEAR}{line}").as_bytes()));
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    /// Makes room for what is said next.
    fn drop(&mut self) {
        if self.drawn {
            drop(io::stderr().write_all(CLEAR.as_bytes()));
        }
    }
}

fn line(done: f64, taken: Duration, things: u64, what: &str) -> String {
    let done = done.clamp(0.0, 1.0);
    // `as` saturates, and both are small.
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 100")]
    #[expect(clippy::cast_sign_loss, reason = "not negative")]
    let [percent, full] = [100.0, 24.0].map(|all| (done * all) as usize);
    let bar: String = (0..CELLS).map(|cell| if cell < full { '#' } else { '.' }).collect();
    let left = if done > 0.01 {
        let left = Duration::try_from_secs_f64(taken.as_secs_f64() * (1.0 - done) / done);
        left.map_or_else(|_| String::new(), |left| format!("  {} left", duration(whole(left))))
    } else {
        String::new()
    };
    format!("{percent:3} % [{bar}] {} {what}{left}", count(things))
}

/// Without its fraction: nobody knows that so exactly.
fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_it_is() {
        let minute = Duration::from_secs(60);
        assert_eq!(
            line(0.25, minute, 1_234, "rows"),
            " 25 % [######..................] 1,234 rows  3m left"
        );
        assert_eq!(line(0.0, minute, 0, "rows"), "  0 % [........................] 0 rows");
        let end = line(7.0, minute, 2, "rows");
        assert_eq!(end, "100 % [########################] 2 rows  1s left");
        assert!(line(f64::NAN, minute, 2, "rows").starts_with("  0 %"));
    }
}
