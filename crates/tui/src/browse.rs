//! `femtosnitch tui`: the history, as the dashboard has it, in a terminal.
//!
//! [`Browse`](state::Browse) is all that is known, and pure; questions are asked by threads of their
//! own ([`ask`]), one for the page and one for lists to choose from. A key never waits for them: a
//! question withdraws the one before.

mod act;
mod ask;
mod chart;
mod clipboard;
mod draw;
mod events;
mod filter_box;
mod keys;
mod layout;
mod measure;
mod mouse;
mod notes;
mod over;
mod page;
mod panes;
mod picker;
mod range;
mod rows;
mod save;
mod save_box;
mod state;
mod system;
mod tree;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crossterm::event::MouseEventKind;
use femtosnitch_store::Dimension;
use femtosnitch_store::Filter;
use femtosnitch_store::Users;
use jiff::tz::TimeZone;

use crate::input::Input;
use crate::input::Inputs;
use crate::screen::Screen;
use crate::theme::Theme;
use ask::Lane;
use ask::Reply;
use ask::Source;
use page::Page;
use page::Subject;
use range::Range;
use range::Since;
use state::Answer;
use state::Browse;
use state::Effect;

/// Where the history is, and with what the view begins.
pub struct Setup {
    /// The history.
    pub database: PathBuf,
    /// The daemon's live socket.
    pub live_socket: PathBuf,
    /// Names of users.
    pub users: Arc<dyn Users + Send + Sync>,
    /// Reads a point in time as the command line does, given what time it is; `None` for `all`.
    pub read_time: fn(&str, i64) -> Result<Option<i64>, String>,
    /// Grouped by this.
    pub by: Dimension,
    /// From this unix second on; `None` from the beginning.
    pub since: Option<i64>,
    /// Whether that is so long ago, and goes along with the time, or stays where it is.
    pub ago: bool,
    /// Until this one, not included; `None` until now, whenever that is.
    pub until: Option<i64>,
    /// Of these, as `query --where` takes them.
    pub filters: Vec<Filter>,
    /// Colours and glyphs.
    pub theme: Theme,
    /// Where home is, for names of files that begin with `~/`.
    pub home: Option<PathBuf>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("database", &self.database).finish_non_exhaustive()
    }
}

/// What the view's own threads tell it.
#[derive(Debug)]
pub struct Answered(pub(crate) Answer);

/// What carries out what the state asks for.
struct Hands {
    page: Lane,
    aside: Lane,
    tell: SyncSender<Input<Answered>>,
    home: Option<PathBuf>,
    /// Each tells of a file that is written, or is gone once it is.
    saves: Vec<Receiver<()>>,
}

impl Drop for Hands {
    /// Files are written to their ends.
    fn drop(&mut self) {
        for saved in &self.saves {
            // There is nothing to hear but that it is over.
            saved.recv().ok();
        }
    }
}

/// Shows the history until the reader has had enough, or a signal comes. `stop` stops this process
/// until it is continued (Ctrl-Z).
///
/// # Errors
/// When the terminal is gone, or there can be no threads.
pub fn run(
    screen: &mut Screen,
    inputs: &Inputs<Answered>,
    setup: Setup,
    stop: &dyn Fn(),
) -> io::Result<()> {
    let theme = setup.theme;
    let mut state = begin(&setup, now());
    state.size = screen.size()?;
    let mut hands = Hands::new(setup, inputs.sender())?;
    // The frame first: what is in it comes as soon as it is known.
    let effects = state.ask();
    screen.draw(|frame| draw::draw(&state, &theme, frame))?;
    if carry_out(effects, &mut hands, screen, stop)? {
        return Ok(());
    }
    loop {
        let mut next = Some(inputs.next(state.wakes().map(instant)));
        let mut changed = false;
        // Everything that is there already, then one picture of it.
        while let Some(input) = next {
            // A mouse that moves about changes nothing.
            changed |= !matches!(&input, Input::Mouse(it) if it.kind == MouseEventKind::Moved);
            let effects = state.update(input, now());
            if carry_out(effects, &mut hands, screen, stop)? {
                return Ok(());
            }
            next = inputs.waiting();
        }
        if changed {
            screen.draw(|frame| draw::draw(&state, &theme, frame))?;
        }
    }
}

/// The state that `setup` asks for.
fn begin(setup: &Setup, now: i64) -> Browse {
    let range = match (setup.since, setup.until) {
        (None, until) => Range { since: Since::All, until },
        (Some(since), None) if setup.ago => {
            Range::last(now.saturating_sub(since).max(range::SHORTEST))
        }
        (Some(since), None) => Range { since: Since::At(since), until: None },
        (Some(since), Some(until)) => Range::between(since, until),
    };
    let page = Page::new(Subject::History { by: setup.by }, range, setup.filters.clone());
    let mut state = Browse::new(page, TimeZone::system(), setup.read_time);
    state.now = now;
    state
}

impl Hands {
    fn new(setup: Setup, tell: SyncSender<Input<Answered>>) -> io::Result<Self> {
        let Setup { database, live_socket, users, home, .. } = setup;
        let source = Arc::new(Source { database, live_socket, users });
        let say = |wrap: fn(Reply) -> Answer| {
            let tell = tell.clone();
            // Nobody may be left to hear it.
            move |reply: Reply| drop(tell.send(Input::Answer(Answered(wrap(reply)))))
        };
        let page = Lane::start("history", Arc::clone(&source), say(Answer::Page))?;
        let aside = Lane::start("values", source, say(Answer::Aside))?;
        Ok(Self { page, aside, tell, home, saves: Vec::new() })
    }
}

/// Does what is to be done; true if it is over.
fn carry_out(
    effects: Vec<Effect>,
    hands: &mut Hands,
    screen: &mut Screen,
    stop: &dyn Fn(),
) -> io::Result<bool> {
    for effect in effects {
        match effect {
            Effect::Ask(ticket, questions) => hands.page.ask(ticket, questions),
            Effect::AskAside(ticket, questions) => hands.aside.ask(ticket, questions),
            Effect::Copy(sequence) => screen.write(&sequence)?,
            Effect::Save { name, text, replace } => save(hands, name, text, replace)?,
            Effect::Suspend => screen.suspend(stop)?,
            Effect::Redraw => screen.suspend(|| ())?,
            Effect::Quit => return Ok(true),
        }
    }
    Ok(false)
}

/// Writes a file without having the screen wait: it may be on a disk that sleeps.
fn save(hands: &mut Hands, name: String, text: String, replace: bool) -> io::Result<()> {
    let path = save::path(&name, hands.home.as_deref());
    let tell = hands.tell.clone();
    let (written, saved) = mpsc::channel();
    hands.saves.push(saved);
    let write = move || {
        let result = save::write(&path, &text, replace);
        // Before it is told: at the end nobody hears that any more.
        drop(written);
        drop(tell.send(Input::Answer(Answered(Answer::Saved(name, result)))));
    };
    thread::Builder::new().name("save".to_owned()).spawn(write).map(drop)
}

/// Seconds since 1970-01-01 UTC.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// When it is that unix second: a moment after, so that it is.
fn instant(second: i64) -> Instant {
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(second).unwrap_or(0));
    let left = at.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left + Duration::from_millis(5)
}

/// All keys and what they do, for all kinds of pages together: docs/terminal.md lists them.
#[must_use]
pub fn keys() -> Vec<(String, &'static str)> {
    keys::KEYS.help(|_| true)
}
