//! One level of what is looked at: a subject, a time, filters, and what is known of it.

use femtosnitch_store::Answer;
use femtosnitch_store::Bucket;
use femtosnitch_store::Detail;
use femtosnitch_store::Dimension;
use femtosnitch_store::Event;
use femtosnitch_store::EventKind;
use femtosnitch_store::Filter;
use femtosnitch_store::Key;
use femtosnitch_store::Levels;
use femtosnitch_store::Node;
use femtosnitch_store::Program;
use femtosnitch_store::Query;
use femtosnitch_store::Report;
use femtosnitch_store::Series;
use femtosnitch_store::Span;
use femtosnitch_store::Unwatched;

use super::ask::Question;
use super::ask::System;
use super::ask::Told;
use super::ask::Trouble;
use super::panes::Pane;
use super::range::Range;
use super::rows::Sort;
use super::words;
use crate::widgets::Cursor;

/// Lines of a table at first, and once more of them are asked for.
pub(crate) const LIMITS: [usize; 3] = [50, 200, 1_000];
/// Lines of a thing's side.
const SIDE: usize = 8;

/// What a page is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Traffic, by something.
    History {
        by: Dimension,
    },
    /// One program, host, name or container.
    Thing {
        dimension: Dimension,
        value: String,
    },
    Events,
    System,
}

/// What is known of a page. What was asked for last stays until its successor comes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) report: Option<Report>,
    pub(crate) detail: Option<Detail>,
    pub(crate) program: Option<Program>,
    pub(crate) tree: Option<Vec<Node>>,
    /// The newest first.
    pub(crate) events: Option<Vec<Event>>,
    /// Earlier events that found no room.
    pub(crate) events_left_out: usize,
    pub(crate) gaps: Vec<Unwatched>,
    /// Since when what is kept.
    pub(crate) levels: Levels,
    pub(crate) system: Option<System>,
    pub(crate) trouble: Option<Trouble>,
    /// Unix second of the last answer.
    pub(crate) at: i64,
}

/// A pointer into the chart, by steps of its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) at: usize,
    /// Where a selection began.
    pub(crate) from: Option<usize>,
}

/// One level.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) subject: Subject,
    pub(crate) range: Range,
    pub(crate) filters: Vec<Filter>,
    /// Kinds of events that are shown; none: all.
    pub(crate) kinds: Vec<EventKind>,
    pub(crate) sort: Option<Sort>,
    /// Place in [`LIMITS`].
    pub(crate) limit: usize,
    pub(crate) cursor: Cursor,
    /// The pane of a thing that has the keys; none chosen yet: the first.
    pub(crate) pane: Option<Pane>,
    /// Whether what is known answers another question than the one that was asked last, so that the
    /// cursor is to stay where it is and not with the line that it is at.
    pub(crate) anew: bool,
    pub(crate) pointer: Option<Pointer>,
    pub(crate) known: Known,
    /// Of the answers that are waited for; `None` if none are.
    pub(crate) waits: Option<u64>,
}

impl Page {
    pub(crate) fn new(subject: Subject, range: Range, filters: Vec<Filter>) -> Self {
        Self {
            subject,
            range,
            filters,
            kinds: Vec::new(),
            sort: None,
            limit: 0,
            cursor: Cursor::default(),
            pane: None,
            anew: false,
            pointer: None,
            known: Known::default(),
            waits: None,
        }
    }

    /// What is to be asked to show it.
    pub(crate) fn questions(&self, now: i64, offset: i64) -> Vec<Question> {
        let bounds = self.range.bounds(now);
        let query = self.query(bounds);
        let bucket = Bucket::Auto { offset };
        let gaps = Question::Gaps { since: bounds.0, until: bounds.1, now };
        match &self.subject {
            Subject::History { by } => {
                let limit = LIMITS.get(self.limit).copied();
                vec![
                    Question::Report { query: Query { by: vec![*by], limit, ..query }, bucket },
                    gaps,
                ]
            }
            Subject::Thing { dimension, value } => {
                let by = words::sides(*dimension);
                let detail = Query { by, limit: Some(SIDE), ..query.clone() };
                let mut questions = vec![Question::Detail { query: detail, bucket }, gaps];
                if *dimension == Dimension::Exe {
                    questions.insert(0, Question::Program(value.clone()));
                    let exe = Some(value.clone());
                    questions.push(Question::Events {
                        since: None,
                        until: None,
                        kinds: Vec::new(),
                        exe,
                    });
                    questions.push(Question::Tree(query));
                }
                questions
            }
            Subject::Events => {
                let (since, until) = (bounds.0, Some(bounds.1));
                let kinds = self.kinds.clone();
                vec![Question::Events { since, until, kinds, exe: None }]
            }
            Subject::System => vec![Question::System],
        }
    }

    /// Its time and filters, with what the page is about.
    pub(crate) fn query(&self, (since, until): (Option<i64>, i64)) -> Query {
        let mut filters = self.filters.clone();
        filters.extend(self.own_filter());
        Query { since, until: Some(until), by: Vec::new(), filters, limit: None }
    }

    /// What a thing's page filters by.
    pub(crate) fn own_filter(&self) -> Option<Filter> {
        match &self.subject {
            Subject::Thing { dimension, value } => Filter::new(*dimension, false, value).ok(),
            _ => None,
        }
    }

    /// Takes in an answer.
    pub(crate) fn take(&mut self, told: Result<Told, Trouble>, now: i64) {
        let known = &mut self.known;
        known.at = now;
        known.trouble = None;
        match told {
            Ok(Told::Report(report)) => {
                let before = known.report.as_ref().and_then(|report| report.series.as_ref());
                self.pointer = moved(self.pointer, before, report.series.as_ref());
                known.report = Some(report);
            }
            Ok(Told::Detail(detail)) => {
                let before = known.detail.as_ref().and_then(|detail| detail.series.as_ref());
                self.pointer = moved(self.pointer, before, detail.series.as_ref());
                known.detail = Some(detail);
            }
            Ok(Told::Program(program)) => known.program = Some(program),
            Ok(Told::Tree(nodes)) => known.tree = Some(nodes),
            Ok(Told::Events(events, left_out)) => {
                (known.events, known.events_left_out) = (Some(events), left_out);
            }
            Ok(Told::Gaps(gaps, levels)) => (known.gaps, known.levels) = (gaps, levels),
            Ok(Told::System(system)) => known.system = Some(system),
            // It belongs to a list to choose from.
            Ok(Told::Values(_)) => {}
            // What was known answers another question.
            Err(trouble @ Trouble::Question(_)) => {
                self.pointer = None;
                *known = Known { trouble: Some(trouble), at: now, ..Known::default() };
            }
            Err(trouble) => known.trouble = Some(trouble),
        }
    }

    /// Of which time the answer tells.
    pub(crate) fn told(&self) -> Option<Span> {
        let report = self.known.report.as_ref().map(|report| report.span);
        report.or_else(|| self.known.detail.as_ref().map(|detail| detail.span))
    }

    /// The time that is looked at, as far as it is known.
    pub(crate) fn span(&self, now: i64) -> (i64, i64) {
        self.range.span(self.told().map(|span| span.since), now)
    }

    /// How it went.
    pub(crate) fn series(&self) -> Option<&Series> {
        let report = self.known.report.as_ref().and_then(|report| report.series.as_ref());
        report.or_else(|| self.known.detail.as_ref()?.series.as_ref())
    }

    /// Unix second at which it is asked again, if it is.
    pub(crate) fn due(&self) -> Option<i64> {
        if self.waits.is_some() {
            return None;
        }
        if let Some(Trouble::History(_)) = self.known.trouble {
            return Some(self.known.at.saturating_add(RETRY));
        }
        let after = match &self.subject {
            Subject::System => Some(AGAIN_SYSTEM),
            _ if !self.range.goes_on() => None,
            Subject::Events => Some(AGAIN_EVENTS),
            // As often as there is a new step, or nearly.
            _ => Some(self.series().map_or(SOONEST, |it| it.width.clamp(SOONEST, LATEST))),
        };
        after.map(|after| self.known.at.saturating_add(after))
    }
}

/// A pointer at the same time in the series that takes the place of another; none if it is not in it,
/// or has other steps.
fn moved(pointer: Option<Pointer>, old: Option<&Series>, new: Option<&Series>) -> Option<Pointer> {
    let (Some(old), Some(new)) = (old, new) else { return None };
    if old.width != new.width || new.width <= 0 {
        return None;
    }
    let by = old.start.checked_sub(new.start)?.checked_div(new.width)?;
    let place = |at: usize| {
        let at = usize::try_from(i64::try_from(at).ok()?.checked_add(by)?).ok()?;
        (at < new.others.len()).then_some(at)
    };
    let Pointer { at, from } = pointer?;
    // What was marked is not to become another part of it.
    let from = match from {
        Some(from) => Some(place(from)?),
        None => None,
    };
    Some(Pointer { at: place(at)?, from })
}

/// Seconds until a history that was not there is looked for again.
const RETRY: i64 = 2;
const AGAIN_SYSTEM: i64 = 5;
const AGAIN_EVENTS: i64 = 15;
/// Seconds between two looks at a time that goes on: the daemon writes every ten.
const SOONEST: i64 = 10;
const LATEST: i64 = 900;

/// A value as filters have it.
pub(crate) fn text_of(key: &Key) -> String {
    match key {
        Key::Number(number) => number.to_string(),
        Key::Text(text) => text.clone(),
    }
}

/// The only value of an answer by one dimension.
pub(crate) fn first_key(answer: &Answer) -> Option<&Key> {
    answer.keys.first()
}
