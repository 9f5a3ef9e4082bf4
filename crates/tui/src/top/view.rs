//! The state of `top`: what is shown, and how inputs change it. Pure.

mod columns;
mod keys;
mod refresh;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use femtosnitch_api::Status;

use crate::feed::{End, Feed, Warnings};
use crate::input::Input;
use crate::text::Units;
use crate::theme::Theme;

use super::badges::News;
use super::list::{Focus, List};
use super::model::Model;
use super::peers::{Peer, PeerBy};
use super::places::Places;
use super::rows::{By, Row, RowId, Shape};

/// Rows that can be frozen.
const MOST_PINNED: usize = 64;
/// Samples for which it is said that the daemon is back.
const BACK: u64 = 5;

/// What is to be done, beyond drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// End.
    Quit,
    /// Give the terminal back until the process is continued.
    Suspend,
}

/// Whether there is a daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Link {
    /// Not known yet.
    #[default]
    Connecting,
    /// There is.
    Up,
    /// There is none, and why.
    Down(String),
}

/// How urgent a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Good to know.
    None,
    /// All is well again.
    Good,
    /// To look at.
    Warning,
    /// Something failed.
    Bad,
}

/// Where an address is, by the database at a path.
pub type Find = dyn FnMut(&str, IpAddr) -> Arc<str>;

/// What is found out outside.
pub struct Given {
    /// Where an address is, by the database at this path ('' for none): a country's code, a
    /// bracketed kind, or ''.
    pub locate: Box<Find>,
    /// What a user is called.
    pub user: Box<dyn Fn(u32) -> String>,
    /// Where the dashboard is, if there is one.
    pub dashboard: Option<String>,
}

impl Default for Given {
    fn default() -> Self {
        let locate = Box::new(|_: &str, _: IpAddr| Arc::from(""));
        Self { locate, user: Box::new(|uid| uid.to_string()), dashboard: None }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("dashboard", &self.dashboard).finish_non_exhaustive()
    }
}

/// What is over the lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Over {
    #[default]
    Nothing,
    /// From this line on.
    Help(usize),
    /// A filter is typed.
    Filter,
}

/// Everything that is shown.
#[derive(Debug)]
pub struct View {
    pub(super) theme: Theme,
    pub(super) given: Given,
    pub(super) model: Model,
    /// What is shown while paused.
    pub(super) paused: Option<Box<Model>>,
    pub(super) shape: Shape,
    pub(super) units: Units,
    pub(super) focus: Focus,
    pub(super) over: Over,
    pub(super) size: (u16, u16),
    pub(super) programs: List<By>,
    pub(super) connections: List<PeerBy>,
    pub(super) rows: Vec<Row>,
    pub(super) peers: Vec<Peer>,
    /// Rows that stay on top, in this order.
    pub(super) pinned: Vec<RowId>,
    /// What the cursors are on.
    selected: Option<RowId>,
    selected_peer: Option<(End, u32)>,
    pub(super) link: Link,
    /// Until which sample it is said that the daemon is back.
    back_until: u64,
    warnings: Warnings,
    news: News,
    /// The database of countries that the daemon uses.
    countries: String,
}

impl View {
    /// Nothing has been said yet.
    #[must_use]
    pub fn new(theme: Theme, given: Given, size: (u16, u16)) -> Self {
        Self {
            theme,
            given,
            model: Model::default(),
            paused: None,
            shape: Shape::default(),
            units: Units::default(),
            focus: Focus::Programs,
            over: Over::Nothing,
            size,
            programs: List::default(),
            connections: List::default(),
            rows: Vec::new(),
            peers: Vec::new(),
            pinned: Vec::new(),
            selected: None,
            selected_peer: None,
            link: Link::Connecting,
            back_until: 0,
            warnings: Warnings::default(),
            news: News::default(),
            countries: String::new(),
        }
    }

    /// Begins with what is on the wire.
    #[must_use]
    pub fn with_wire(mut self, wire: bool) -> Self {
        self.shape.wire = wire;
        self
    }

    /// What the feed has said.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Whether there is a daemon.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The programs as they are listed.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The connections as they are listed.
    #[must_use]
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// Takes in what happened. Whether something that is shown is different, and what is to be done.
    pub fn update(&mut self, input: Input<News>) -> (bool, Option<Effect>) {
        match input {
            Input::Key(key) => self.key(&key),
            Input::Mouse(mouse) => (self.mouse(&mouse), None),
            Input::Paste(text) => (self.paste(&text), None),
            Input::Resize(width, height) => {
                self.size = (width, height);
                self.settle();
                (true, None)
            }
            Input::Feed(feed) => (self.hear(feed), None),
            Input::Answer(news) => {
                self.news = news;
                self.refresh();
                (true, None)
            }
            // Nothing has come for a while.
            Input::Tick => {
                self.model.quiet();
                self.refresh();
                (true, None)
            }
            Input::End | Input::Hangup => (false, Some(Effect::Quit)),
        }
    }

    fn hear(&mut self, feed: Feed) -> bool {
        match feed {
            Feed::Up { .. } => {
                if matches!(self.link, Link::Down(_)) {
                    self.model.forget_connections();
                    self.back_until = self.model.samples + BACK;
                    self.refresh();
                }
                self.warnings.clear();
                self.link = Link::Up;
                true
            }
            Feed::Down(why) => {
                self.model.quiet();
                self.link = Link::Down(why);
                self.refresh();
                true
            }
            Feed::Sample(sample) => {
                let (locate, countries) = (&mut self.given.locate, &self.countries);
                self.model.apply(&sample, &mut |addr| locate(countries, addr));
                if self.paused.is_some() {
                    return false;
                }
                self.refresh()
            }
            Feed::Status(status) => self.status(*status),
            Feed::Warning(text) => self.warnings.tell(text),
        }
    }

    fn status(&mut self, status: Status) -> bool {
        let countries = status.geoip.country.map(|it| it.path).unwrap_or_default();
        let mut changed = false;
        if countries != self.countries {
            self.countries = countries;
            let (locate, countries) = (&mut self.given.locate, &self.countries);
            self.model.locate_again(&mut |addr| locate(countries, addr));
            changed = self.refresh();
        }
        self.warnings.status(status.warnings) || changed
    }

    /// What a person should know, the most urgent first; as it came: not made safe.
    #[must_use]
    pub fn notices(&self) -> Vec<(Urgency, String)> {
        let mut all = Vec::new();
        match &self.link {
            Link::Down(why) => {
                all.push((Urgency::Bad, format!("{why}; it is looked for every second")));
            }
            Link::Up if self.model.samples < self.back_until => {
                all.push((Urgency::Good, "the daemon is back".to_owned()));
            }
            _ => {}
        }
        let model = self.shown();
        let mut warn = |text: String| all.push((Urgency::Warning, text));
        if model.missed > 0 {
            let missed = crate::text::count(model.missed);
            warn(format!(
                "{missed} events did not reach this view: programs moved more than it tells"
            ));
        }
        let beyond = model.beyond;
        if beyond.programs {
            warn("too many programs to tell apart: the rest is (others)".to_owned());
        }
        if beyond.processes {
            warn("too many processes to tell apart: some are summed up".to_owned());
        }
        if beyond.connections > 0 {
            let beyond = crate::text::count(beyond.connections);
            warn(format!("too many connections: {beyond} that moved are not listed"));
        }
        if beyond.peers {
            warn("too many peers: not all are counted".to_owned());
        }
        self.warnings.newest().map(str::to_owned).for_each(&mut warn);
        if let Some(url) = &self.given.dashboard {
            all.insert(0, (Urgency::None, format!("dashboard: {url}")));
        }
        all
    }

    /// What is shown: what the feed said until now, or until the pause.
    pub(super) fn shown(&self) -> &Model {
        self.paused.as_deref().unwrap_or(&self.model)
    }

    /// Where on the screen what is; `None` if it is too small.
    pub(super) fn places(&self) -> Option<Places> {
        Places::new(self.size, self.notices().len(), self.focus)
    }

    /// The row that the cursor is on.
    #[must_use]
    pub fn selected(&self) -> Option<&Row> {
        self.rows.get(self.programs.cursor.at)
    }

    /// The connection that the cursor is on.
    #[must_use]
    pub fn selected_peer(&self) -> Option<&Peer> {
        self.peers.get(self.connections.cursor.at)
    }

    /// What a user is called.
    pub(super) fn user(&self, uid: u32) -> String {
        (self.given.user)(uid)
    }
}
