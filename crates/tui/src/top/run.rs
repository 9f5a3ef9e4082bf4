//! The loop around the view: waits for what happens, lets the view change, draws.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::input::{Input, Inputs};
use crate::screen::Screen;

use super::badges::News;
use super::view::{Effect, Link, View};

/// How long without a sample until everything counts as idle.
const QUIET: Duration = Duration::from_secs(3);
/// How often it is asked whether a daemon that is away will come back at all.
const ASK: Duration = Duration::from_secs(1);

/// How long to wait for the next sample where they come every so many seconds.
#[must_use]
pub fn patience(interval: f64) -> Duration {
    Duration::try_from_secs_f64(interval * 2.5).unwrap_or(QUIET).max(QUIET)
}

/// What the view's surroundings do for it.
pub struct Around<'a> {
    /// Whether there is no point in going on: the daemon is this process' own and has failed.
    pub is_over: &'a dyn Fn() -> bool,
    /// Stops this process until it is continued (SIGTSTP).
    pub suspend: &'a dyn Fn(),
}

impl fmt::Debug for Around<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").finish_non_exhaustive()
    }
}

/// Shows the view until the reader has had enough, or a signal comes.
///
/// # Errors
/// When the terminal is gone.
pub fn run(
    screen: &mut Screen,
    inputs: &Inputs<News>,
    view: &mut View,
    around: &Around<'_>,
) -> io::Result<()> {
    screen.draw(|frame| view.draw(frame))?;
    let mut sample = Instant::now();
    let mut is_quiet = true;
    loop {
        let until = match view.link() {
            Link::Up if !is_quiet => Some(sample + patience(view.model().interval)),
            Link::Down(_) => Some(Instant::now() + ASK),
            _ => None,
        };
        let mut next = Some(inputs.next(until));
        let mut changed = false;
        // Everything that is there already, then one picture of it.
        while let Some(input) = next {
            let is_tick = matches!(input, Input::Tick);
            if is_tick && matches!(view.link(), Link::Down(_)) {
                if (around.is_over)() {
                    return Ok(());
                }
                break;
            }
            let before = view.model().samples;
            let (differs, effect) = view.update(input);
            changed |= differs;
            if is_tick {
                is_quiet = true;
            } else if view.model().samples != before {
                (sample, is_quiet) = (Instant::now(), false);
            }
            match effect {
                Some(Effect::Quit) => return Ok(()),
                Some(Effect::Suspend) => screen.suspend(around.suspend)?,
                None => {}
            }
            next = inputs.waiting();
        }
        if changed {
            screen.draw(|frame| view.draw(frame))?;
        }
    }
}
