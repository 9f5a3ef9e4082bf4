//! All of it: what is looked at, what lies over it, and what is to be done. Pure: time comes in,
//! questions and files go out as [`Effect`]s.

use std::io;

use femtosnitch_store::Dimension;
use femtosnitch_store::EventKind;
use femtosnitch_store::Filter;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ask::Question;
use super::ask::Reply;
use super::ask::Told;
use super::ask::Trouble;
use super::filter_box::FilterBox;
use super::filter_box::VALUES;
use super::layout;
use super::layout::Places;
use super::measure::Layer;
use super::measure::Measure;
use super::notes;
use super::page::Page;
use super::page::Subject;
use super::page::first_key;
use super::page::text_of;
use super::panes;
use super::panes::Pane;
use super::panes::Target;
use super::picker::Picker;
use super::range::Range;
use super::range::ReadTime;
use super::rows;
use super::save_box::SaveBox;
use super::system;
use crate::text::Units;
use crate::widgets::Cursor;
use crate::widgets::Step;

/// Levels that one can go back; the first is never forgotten.
const DEEPEST: usize = 50;
/// Seconds that a message stands.
const STANDS: i64 = 8;

/// What lies over a page and has the keys.
#[derive(Debug, Clone)]
pub(crate) enum Over {
    /// Keys, from this line on.
    Help(usize),
    Group(Picker<Dimension>),
    Filter(Box<FilterBox>),
    Filters(Cursor),
    Kinds(Picker<EventKind>),
    Times(Picker<Range>, Option<String>),
    Save(SaveBox),
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) bad: bool,
    until: i64,
}

/// What is to be done outside.
#[derive(Debug)]
pub(crate) enum Effect {
    /// For the page; in place of what was asked before. None: only withdraws that.
    Ask(u64, Vec<Question>),
    /// For what lies over it, likewise.
    AskAside(u64, Vec<Question>),
    Copy(String),
    Save {
        name: String,
        text: String,
        replace: bool,
    },
    Suspend,
    Redraw,
    Quit,
}

/// What comes back.
#[derive(Debug)]
pub(crate) enum Answer {
    Page(Reply),
    Aside(Reply),
    Saved(String, io::Result<()>),
}

/// The state.
#[derive(Debug)]
pub(crate) struct Browse {
    /// What is shown.
    pub(crate) page: Page,
    /// What one can go back to, the nearest last.
    pub(crate) above: Vec<Page>,
    pub(crate) over: Option<Over>,
    pub(crate) measure: Measure,
    pub(crate) layer: Layer,
    pub(crate) units: Units,
    pub(crate) notice: Option<Notice>,
    pub(crate) size: (u16, u16),
    /// Unix second.
    pub(crate) now: i64,
    pub(crate) zone: TimeZone,
    pub(crate) read_time: ReadTime,
    /// The step at which a button of the mouse was pressed.
    pub(crate) dragged: Option<usize>,
    tickets: u64,
    /// Of the values that are waited for.
    aside: u64,
}

impl Browse {
    /// Begins with a page; nothing is asked yet ([`Browse::ask`]).
    pub(crate) fn new(page: Page, zone: TimeZone, read_time: ReadTime) -> Self {
        Self {
            page,
            above: Vec::new(),
            over: None,
            measure: Measure::default(),
            layer: Layer::default(),
            units: Units::default(),
            notice: None,
            size: (80, 24),
            now: 0,
            zone,
            read_time,
            dragged: None,
            tickets: 0,
            aside: 0,
        }
    }

    /// Asks all that the page needs.
    pub(crate) fn ask(&mut self) -> Vec<Effect> {
        self.tickets += 1;
        let (ticket, now, offset) = (self.tickets, self.now, self.offset());
        self.page.waits = Some(ticket);
        vec![Effect::Ask(ticket, self.page.questions(now, offset))]
    }

    /// Asks after its time, its filters or its dimension changed.
    pub(crate) fn ask_anew(&mut self) -> Vec<Effect> {
        self.page.cursor = Cursor::default();
        self.page.pointer = None;
        self.page.anew = true;
        self.ask()
    }

    /// Seconds after midnight UTC at which local midnight is.
    fn offset(&self) -> i64 {
        let at = Timestamp::from_second(self.now).unwrap_or_default();
        -i64::from(self.zone.to_offset(at).seconds())
    }

    /// One level down.
    pub(crate) fn push(&mut self, page: Page) -> Vec<Effect> {
        if self.above.len() >= DEEPEST {
            self.above.remove(1);
        }
        self.above.push(std::mem::replace(&mut self.page, page));
        self.ask()
    }

    /// One level up, if there is one.
    pub(crate) fn pop(&mut self) -> Vec<Effect> {
        let Some(page) = self.above.pop() else { return Vec::new() };
        self.page = page;
        // Its questions were withdrawn by those of the level below, which nobody waits for any more.
        let mut effects = if self.page.waits.is_some() { self.ask() } else { self.tick() };
        if effects.is_empty() {
            self.tickets += 1;
            effects.push(Effect::Ask(self.tickets, Vec::new()));
        }
        effects
    }

    /// Takes in what time it is. To be called at [`Browse::wakes`].
    pub(crate) fn tick(&mut self) -> Vec<Effect> {
        let now = self.now;
        self.notice.take_if(|notice| notice.until <= now);
        if self.page.due().is_some_and(|due| due <= now) { self.ask() } else { Vec::new() }
    }

    /// Unix second at which something is to be done though nothing happens.
    pub(crate) fn wakes(&self) -> Option<i64> {
        let notice = self.notice.as_ref().map(|notice| notice.until);
        [notice, self.page.due()].into_iter().flatten().min()
    }

    /// Says something for some seconds.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), bad: false, until: self.now + STANDS });
    }

    /// Likewise, of something that went wrong.
    pub(crate) fn complain(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), bad: true, until: self.now + STANDS });
    }

    /// Takes in an answer.
    pub(crate) fn answer(&mut self, answer: Answer) -> Vec<Effect> {
        match answer {
            Answer::Page(reply) => {
                self.reply(reply);
                Vec::new()
            }
            Answer::Aside(reply) => self.aside(reply),
            Answer::Saved(name, result) => {
                self.saved(&name, result);
                Vec::new()
            }
        }
    }

    fn reply(&mut self, reply: Reply) {
        if self.page.waits != Some(reply.ticket) {
            return;
        }
        // What was gone to is stayed at, wherever it is now.
        let anew = self.page.anew && self.page.cursor.at == 0;
        let (pane, target) = (self.pane(), self.target().filter(|_| !anew));
        self.page.take(reply.told, self.now);
        if reply.left == 0 {
            self.page.waits = None;
            self.page.anew = false;
        }
        if self.dragged.is_some() {
            self.dragged = self.page.pointer.map(|pointer| pointer.from.unwrap_or(pointer.at));
        }
        self.go_back_to(pane, target.as_ref());
    }

    /// Places the cursor on `target` of `pane` again, after the list may have changed.
    fn go_back_to(&mut self, pane: Option<Pane>, target: Option<&Target>) {
        if self.pane() != pane {
            self.page.cursor = Cursor::default();
        } else if let Some(target) = target
            && self.target().as_ref() != Some(target)
        {
            let (len, room) = (self.len(), self.room());
            if let Some(at) = self.place_of(target) {
                self.page.cursor.step(Step::To(at), len, room);
            }
        }
        self.settle();
    }

    /// Asks for values to choose from, if some are wanted.
    pub(crate) fn ask_values(&mut self) -> Vec<Effect> {
        let bounds = self.page.range.bounds(self.now);
        let mut query = self.page.query(bounds);
        let Some(Over::Filter(filter)) = &mut self.over else { return Vec::new() };
        let Some((dimension, prefix)) = filter.wanted() else { return Vec::new() };
        // Of one dimension several are alternatives: those that are not chosen yet are offered, too.
        query.filters.retain(|it| it.dimension() != dimension);
        query.limit = Some(VALUES);
        self.tickets += 1;
        self.aside = self.tickets;
        let question = Question::Values { dimension, prefix, query };
        vec![Effect::AskAside(self.aside, vec![question])]
    }

    /// Nobody waits for values any more.
    pub(crate) fn withdraw_values(&mut self) -> Effect {
        self.tickets += 1;
        self.aside = self.tickets;
        Effect::AskAside(self.aside, Vec::new())
    }

    fn aside(&mut self, reply: Reply) -> Vec<Effect> {
        if reply.ticket != self.aside {
            return Vec::new();
        }
        let Some(Over::Filter(filter)) = &mut self.over else { return Vec::new() };
        match reply.told {
            Ok(Told::Values(report)) => {
                if filter.take(report) {
                    self.ask_values()
                } else {
                    Vec::new()
                }
            }
            Ok(_) => Vec::new(),
            Err(Trouble::History(why) | Trouble::Question(why)) => {
                filter.wrong = Some(why);
                Vec::new()
            }
        }
    }

    fn saved(&mut self, name: &str, result: io::Result<()>) {
        // The box may have been left, or tell of another file by now.
        let own = match &mut self.over {
            Some(Over::Save(save)) if save.editor.text().trim() == name => Some(save),
            _ => None,
        };
        match (result, own) {
            (Ok(()), own) => {
                if own.is_some() {
                    self.over = None;
                }
                self.say(format!("saved as {name}, readable for you alone"));
            }
            (Err(error), Some(save)) if error.kind() == io::ErrorKind::AlreadyExists => {
                save.replaces = true;
                save.wrong = Some(format!("{name} is there: Enter again replaces it"));
            }
            (Err(error), Some(save)) => save.wrong = Some(format!("cannot write {name}: {error}")),
            (Err(error), None) => self.complain(format!("cannot write {name}: {error}")),
        }
    }

    /// Lines in the list that has the keys.
    pub(crate) fn len(&self) -> usize {
        let page = &self.page;
        let known = &page.known;
        match &page.subject {
            Subject::History { .. } => known.report.as_ref().map_or(0, |it| it.answers.len()),
            Subject::Thing { .. } => self.pane().map_or(0, |pane| panes::len(page, pane)),
            Subject::Events => known.events.as_ref().map_or(0, Vec::len),
            Subject::System => system::lines(page, self.units, &self.zone).len(),
        }
    }

    /// The pane that has the keys.
    pub(crate) fn pane(&self) -> Option<Pane> {
        let panes = panes::of(&self.page);
        panes.get(panes::focus(&self.page, &panes)).copied()
    }

    /// Answers in the order in which they are shown.
    pub(crate) fn order(&self) -> Vec<usize> {
        let page = &self.page;
        let answers = page.known.report.as_ref().map(|report| report.answers.as_slice());
        rows::order(answers.unwrap_or_default(), page.sort, self.measure, self.layer)
    }

    /// What keys act on.
    pub(crate) fn target(&self) -> Option<Target> {
        let page = &self.page;
        let at = page.cursor.at;
        match &page.subject {
            Subject::History { by } => {
                let place = self.order().get(at).copied()?;
                let answer = page.known.report.as_ref()?.answers.get(place)?;
                Some(Target::Value(*by, text_of(first_key(answer)?)))
            }
            Subject::Thing { .. } => panes::target(page, self.pane()?, at),
            Subject::Events => {
                let event = page.known.events.as_ref()?.get(at)?;
                Some(Target::Event(Box::new(event.clone())))
            }
            Subject::System => {
                let line = system::lines(page, self.units, &self.zone).into_iter().nth(at)?;
                Some(Target::Text(line.text()))
            }
        }
    }

    /// The line of the list with the keys that a target is at, the nearest to the cursor.
    fn place_of(&self, target: &Target) -> Option<usize> {
        let page = &self.page;
        let same: Vec<bool> = match (&page.subject, target) {
            (Subject::History { .. }, Target::Value(_, value)) => {
                let answers = &page.known.report.as_ref()?.answers;
                let key = |at: usize| answers.get(at).and_then(first_key).map(text_of);
                self.order().into_iter().map(|at| key(at).as_ref() == Some(value)).collect()
            }
            (Subject::Thing { .. }, target) => panes::same(page, self.pane()?, target),
            (Subject::Events, Target::Event(event)) => {
                page.known.events.as_ref()?.iter().map(|it| *it == **event).collect()
            }
            // Facts keep their places, and their numbers change.
            _ => return None,
        };
        let places = same.iter().enumerate().filter(|(_, same)| **same).map(|(at, _)| at);
        places.min_by_key(|at| at.abs_diff(page.cursor.at))
    }

    /// Filters with which something below a page is looked at.
    pub(crate) fn filters_below(&self) -> Vec<Filter> {
        let page = &self.page;
        match page.own_filter() {
            Some(own) => super::filter_box::added(&page.filters, own),
            None => page.filters.clone(),
        }
    }

    /// What is to be said below the page.
    pub(crate) fn notes(&self) -> Vec<String> {
        notes::of(&self.page, self.now, &self.zone)
    }

    pub(crate) fn places(&self) -> Places {
        layout::of(&self.page, self.size, self.notes().len())
    }

    /// Lines of the list with the keys that are on the screen.
    pub(crate) fn room(&self) -> usize {
        let places = self.places();
        let page = &self.page;
        let lines = |area: ratatui::layout::Rect| usize::from(area.height);
        match &page.subject {
            Subject::Thing { .. } => {
                let all = panes::of(page);
                let focus = panes::focus(page, &all);
                let all = panes::places(places.list, all.len(), focus);
                let own = all.iter().find(|(at, _)| *at == focus);
                own.map_or(0, |(_, area)| lines(*area).saturating_sub(1))
            }
            Subject::System => lines(places.list),
            _ => lines(places.list).saturating_sub(1),
        }
    }

    /// Keeps the cursor within the list, and on the screen.
    pub(crate) fn settle(&mut self) {
        let (len, room) = (self.len(), self.room());
        self.page.cursor.settle(len, room);
    }
}
