//! Typing a filter: dimensions and values are offered, and whatever `query --where` takes is taken.

use std::str::FromStr;

use crossterm::event::KeyEvent;
use femtosnitch_store::Dimension;
use femtosnitch_store::Filter;
use femtosnitch_store::Report;

use super::keys::CHOOSE;
use super::keys::Choose;
use super::measure::Layer;
use super::measure::Measure;
use super::measure::amount;
use super::page::first_key;
use super::page::text_of;
use super::picker::ROOM;
use super::words;
use crate::widgets::Cursor;
use crate::widgets::LineEditor;
use crate::widgets::Step;

/// Values that are asked for at a time.
pub(crate) const VALUES: usize = 200;

/// A line that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offer {
    /// What was typed, as it is.
    Typed(Filter),
    /// To go on with this dimension.
    Dimension(Dimension),
    /// A value, with its bytes in both directions and connections begun.
    Value {
        dimension: Dimension,
        operator: &'static str,
        value: String,
        bytes: u64,
        connections: u64,
    },
}

impl Offer {
    /// Whether it is of the same, whatever moved meanwhile.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Value { dimension, operator, value, .. },
                Self::Value { dimension: of, operator: by, value: same, .. },
            ) => (dimension, operator, value) == (of, by, same),
            _ => self == other,
        }
    }
}

/// What was typed, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Typed {
    /// None yet, if no operator was typed.
    pub(crate) dimension: Option<Dimension>,
    pub(crate) operator: &'static str,
    /// What values begin with.
    pub(crate) value: String,
}

impl Typed {
    fn of(text: &str) -> Self {
        let at = text.find(['=', '~']);
        let (name, rest) = text.split_at(at.unwrap_or(text.len()));
        let (name, negated) = match name.strip_suffix('!') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let operator = match (rest.starts_with('~'), negated) {
            (false, false) => "=",
            (false, true) => "!=",
            (true, false) => "~",
            (true, true) => "!~",
        };
        match (at, Dimension::from_str(name.trim())) {
            (Some(_), Ok(dimension)) => {
                let value = rest.get(1..).unwrap_or_default().to_owned();
                Self { dimension: Some(dimension), operator, value }
            }
            _ => Self { dimension: None, operator: "=", value: text.to_owned() },
        }
    }
}

/// What came of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    Nothing,
    /// Values are to be asked for: [`FilterBox::wanted`].
    Ask,
    Left,
    This(Filter),
}

/// The line that is typed into, and what is offered below it.
#[derive(Debug, Clone)]
pub(crate) struct FilterBox {
    pub(crate) editor: LineEditor,
    pub(crate) cursor: Cursor,
    /// Whether the reader went to a line since something was typed.
    moved: bool,
    /// Why Enter did nothing.
    pub(crate) wrong: Option<String>,
    /// Values are looked up if no dimension was typed.
    by: Dimension,
    /// The largest values of a dimension, and those that begin with what was typed.
    largest: Option<(Dimension, Report)>,
    begin: Option<(Dimension, String, Report)>,
    asked: Option<(Dimension, String)>,
}

impl FilterBox {
    pub(crate) fn new(by: Dimension) -> Self {
        let mut new = Self {
            editor: LineEditor::default(),
            cursor: Cursor::default(),
            moved: false,
            wrong: None,
            by,
            largest: None,
            begin: None,
            asked: None,
        };
        new.settle();
        new
    }

    pub(crate) fn typed(&self) -> Typed {
        Typed::of(&self.editor.text())
    }

    /// The values that are to be asked for, if they were not yet.
    pub(crate) fn wanted(&mut self) -> Option<(Dimension, String)> {
        let typed = self.typed();
        if typed.operator.ends_with('~') {
            return None;
        }
        let dimension = typed.dimension.unwrap_or(self.by);
        let largest = self.largest.as_ref().is_some_and(|(of, _)| *of == dimension);
        let prefix = if largest { typed.value } else { String::new() };
        let wanted = Some((dimension, prefix));
        if wanted == self.asked {
            return None;
        }
        self.asked.clone_from(&wanted);
        wanted
    }

    /// Takes in values. True if more are to be asked for.
    pub(crate) fn take(&mut self, report: Report) -> bool {
        let Some((dimension, prefix)) = self.asked.clone() else { return false };
        let chosen = self.offers().into_iter().nth(self.cursor.at).filter(|_| self.moved);
        if prefix.is_empty() {
            self.largest = Some((dimension, report));
        } else {
            self.begin = Some((dimension, prefix, report));
        }
        let offers = self.offers();
        // Enter takes the line that the reader went to, wherever it is now.
        let again =
            chosen.and_then(|chosen| offers.iter().position(|offer| offer.is_same(&chosen)));
        match again {
            Some(at) => self.cursor.step(Step::To(at), offers.len(), ROOM),
            None => self.settle(),
        }
        !self.typed().value.is_empty()
    }

    /// What is offered for what was typed.
    pub(crate) fn offers(&self) -> Vec<Offer> {
        let text = self.editor.text();
        let typed = self.typed();
        let mut offers = Vec::new();
        if typed.dimension.is_some()
            && let Ok(filter) = text.parse::<Filter>()
        {
            offers.push(Offer::Typed(filter));
        }
        let small = text.trim().to_lowercase();
        let named = |dimension: Dimension| {
            let title = words::title(dimension).to_lowercase();
            dimension.name().starts_with(&small) || title.starts_with(&small)
        };
        let dimensions = || {
            let all = words::GROUPS.iter().flat_map(|(_, list)| list.iter().copied());
            all.filter(|dimension| named(*dimension)).map(Offer::Dimension)
        };
        if typed.dimension.is_none() && !small.is_empty() {
            offers.extend(dimensions());
        }
        offers.extend(self.values(&typed));
        if typed.dimension.is_none() && small.is_empty() {
            offers.extend(dimensions());
        }
        offers
    }

    fn values(&self, typed: &Typed) -> Vec<Offer> {
        let dimension = typed.dimension.unwrap_or(self.by);
        if typed.operator.ends_with('~') {
            return Vec::new();
        }
        let small = typed.value.to_lowercase();
        let begin = self.begin.iter().filter(|(of, prefix, _)| {
            *of == dimension && small.starts_with(&prefix.to_lowercase())
        });
        let begin = begin.flat_map(|(_, _, report)| &report.answers);
        let largest = self.largest.iter().filter(|(of, _)| *of == dimension);
        let largest = largest.flat_map(|(_, report)| &report.answers);
        let mut offers: Vec<Offer> = Vec::new();
        // First what begins so, then what has it somewhere.
        for somewhere in [false, true] {
            for answer in begin.clone().chain(largest.clone()) {
                let Some(value) = first_key(answer).map(text_of) else { continue };
                let folded = value.to_lowercase();
                let begins = folded.starts_with(&small);
                let has = if somewhere { !begins && folded.contains(&small) } else { begins };
                let known =
                    |offer: &Offer| matches!(offer, Offer::Value { value: it, .. } if *it == value);
                if !has || offers.len() >= VALUES || offers.iter().any(known) {
                    continue;
                }
                let sums = answer.sums();
                offers.push(Offer::Value {
                    dimension,
                    operator: typed.operator,
                    value,
                    bytes: amount(&sums, Measure::Total, Layer::Payload),
                    connections: sums.connections,
                });
            }
        }
        offers
    }

    pub(crate) fn key(&mut self, key: &KeyEvent) -> Done {
        match CHOOSE.find(key, |_| true) {
            Some(Choose::Leave) => Done::Left,
            Some(Choose::Take) => self.choose(self.cursor.at),
            Some(Choose::Complete) => {
                let offer = self.offers().get(self.cursor.at).cloned();
                offer.map_or(Done::Nothing, |offer| self.complete(&offer))
            }
            Some(Choose::Go(step)) => {
                let len = self.offers().len();
                self.cursor.step(step, len, ROOM);
                self.moved = true;
                Done::Nothing
            }
            None if self.editor.key(key) => self.changed(),
            None => Done::Nothing,
        }
    }

    /// Puts text in.
    pub(crate) fn paste(&mut self, text: &str) -> Done {
        self.editor.insert(text);
        self.changed()
    }

    fn changed(&mut self) -> Done {
        self.wrong = None;
        self.settle();
        Done::Ask
    }

    /// Takes the line at this place.
    pub(crate) fn choose(&mut self, at: usize) -> Done {
        match self.offers().get(at) {
            Some(Offer::Typed(filter)) => Done::This(filter.clone()),
            Some(Offer::Value { dimension, operator, value, .. }) => {
                match Filter::new(*dimension, operator.starts_with('!'), value) {
                    Ok(filter) => Done::This(filter),
                    Err(error) => self.refuse(error.to_string()),
                }
            }
            Some(offer @ Offer::Dimension(_)) => {
                let offer = offer.clone();
                self.complete(&offer)
            }
            None => match self.editor.text().parse::<Filter>() {
                Ok(filter) => Done::This(filter),
                Err(error) => self.refuse(error.to_string()),
            },
        }
    }

    fn refuse(&mut self, why: String) -> Done {
        self.wrong = Some(why);
        Done::Nothing
    }

    fn complete(&mut self, offer: &Offer) -> Done {
        let text = match offer {
            Offer::Typed(_) => return Done::Nothing,
            Offer::Dimension(dimension) => format!("{dimension}="),
            Offer::Value { dimension, operator, value, .. } => {
                format!("{dimension}{operator}{value}")
            }
        };
        self.editor = LineEditor::with(&text);
        self.changed()
    }

    /// Keys act on the first value, unless what was typed is one, or there is none.
    fn settle(&mut self) {
        let offers = self.offers();
        let typed = self.typed().value;
        let exact = |offer: &Offer| matches!(offer, Offer::Value { value, .. } if *value == typed);
        let at = match offers.as_slice() {
            [Offer::Typed(_), rest @ ..] if !rest.is_empty() && !rest.iter().any(exact) => 1,
            _ => 0,
        };
        self.cursor = Cursor::default();
        self.moved = false;
        self.cursor.step(Step::To(at), offers.len(), ROOM);
    }
}

/// The opposite of a filter.
pub(crate) fn turned(filter: &Filter) -> Option<Filter> {
    let text = filter.to_string();
    let at = text.find(['=', '~'])?;
    let (name, rest) = text.split_at(at);
    let turned = match name.strip_suffix('!') {
        Some(name) => format!("{name}{rest}"),
        None => format!("{name}!{rest}"),
    };
    turned.parse().ok()
}

/// `filters` and one more; what says the opposite of it goes.
pub(crate) fn added(filters: &[Filter], one: Filter) -> Vec<Filter> {
    let contrary = turned(&one);
    let kept = filters.iter().filter(|it| **it != one && Some(*it) != contrary.as_ref());
    kept.cloned().chain([one.clone()]).collect()
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;
    use crossterm::event::KeyModifiers;
    use femtosnitch_store::Answer;
    use femtosnitch_store::Key;
    use femtosnitch_store::Others;
    use femtosnitch_store::Span;
    use femtosnitch_store::Sums;

    use super::*;

    fn report(values: &[&str]) -> Report {
        let answers = values.iter().zip(1..).map(|(value, send)| Answer {
            keys: vec![Key::Text((*value).to_owned())],
            send,
            ..Answer::default()
        });
        Report {
            answers: answers.collect(),
            others: Others::default(),
            total: Sums::default(),
            span: Span { since: 0, until: 1, coarse_before: None },
            series: None,
        }
    }

    fn type_in(filter: &mut FilterBox, text: &str) {
        for ch in text.chars() {
            filter.key(&KeyEvent::new(KeyCode::Char(ch), KeyModifiers::NONE));
        }
    }

    fn press(filter: &mut FilterBox, code: KeyCode) -> Done {
        filter.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn values_of_what_is_looked_at_are_offered_at_once() {
        let mut filter = FilterBox::new(Dimension::Exe);
        assert_eq!(filter.wanted(), Some((Dimension::Exe, String::new())));
        assert_eq!(filter.wanted(), None, "once is enough");
        assert!(!filter.take(report(&["/bin/cat", "/usr/bin/curl"])));
        assert!(matches!(&filter.offers()[0], Offer::Value { value, .. } if value == "/bin/cat"));
        type_in(&mut filter, "curl");
        let wanted = press(&mut filter, KeyCode::Enter);
        assert_eq!(wanted, Done::This("exe=/usr/bin/curl".parse().unwrap()));
    }

    #[test]
    fn a_dimension_leads_to_its_values() {
        let mut filter = FilterBox::new(Dimension::Exe);
        filter.wanted();
        filter.take(report(&["/bin/cat"]));
        type_in(&mut filter, "dom");
        assert_eq!(filter.offers(), [Offer::Dimension(Dimension::Domain)]);
        assert_eq!(press(&mut filter, KeyCode::Tab), Done::Ask);
        assert_eq!(filter.editor.text(), "domain=");
        assert_eq!(filter.wanted(), Some((Dimension::Domain, String::new())));
        filter.take(report(&["example.org", "example.net"]));
        type_in(&mut filter, "example.n");
        assert_eq!(filter.wanted(), Some((Dimension::Domain, "example.n".to_owned())));
        filter.take(report(&["example.net"]));
        let taken = press(&mut filter, KeyCode::Enter);
        assert_eq!(taken, Done::This("domain=example.net".parse().unwrap()));
    }

    #[test]
    fn whatever_queries_take_is_taken_as_typed() {
        for text in ["rport=8000..8999", "exe~/usr/lib/*", "raddr!=10.0.0.0/8", "domain="] {
            let mut filter = FilterBox::new(Dimension::Exe);
            type_in(&mut filter, text);
            let taken = press(&mut filter, KeyCode::Enter);
            assert_eq!(taken, Done::This(text.parse().unwrap()));
        }
        let mut filter = FilterBox::new(Dimension::Exe);
        type_in(&mut filter, "country=Germany");
        assert_eq!(press(&mut filter, KeyCode::Enter), Done::Nothing);
        assert!(filter.wrong.as_ref().is_some_and(|why| why.contains("two letters")));
        assert_eq!(press(&mut filter, KeyCode::Esc), Done::Left);
    }

    #[test]
    fn what_is_typed_in_full_is_not_lost_to_a_longer_value() {
        let mut filter = FilterBox::new(Dimension::Domain);
        filter.wanted();
        type_in(&mut filter, "domain=a.org");
        filter.take(report(&["a.organic", "a.org"]));
        let taken = press(&mut filter, KeyCode::Enter);
        assert_eq!(taken, Done::This("domain=a.org".parse().unwrap()));
    }

    #[test]
    fn enter_takes_the_line_that_was_gone_to_though_values_come_in() {
        let mut filter = FilterBox::new(Dimension::Exe);
        filter.wanted();
        filter.take(report(&["/bin/a", "/bin/b", "/bin/c"]));
        type_in(&mut filter, "/b");
        filter.wanted();
        press(&mut filter, KeyCode::Down);
        filter.take(report(&["/bad", "/bin/c", "/bin/b"]));
        assert_eq!(
            press(&mut filter, KeyCode::Enter),
            Done::This("exe=/bin/b".parse().unwrap()),
            "not what has its place now"
        );
        // What is typed leads to the best again.
        type_in(&mut filter, "a");
        assert_eq!(press(&mut filter, KeyCode::Enter), Done::This("exe=/bad".parse().unwrap()));
    }

    #[test]
    fn opposites_replace_each_other() {
        let filter = |text: &str| text.parse::<Filter>().unwrap();
        for (one, other) in
            [("exe=/a", "exe!=/a"), ("exe~/a*", "exe!~/a*"), ("domain=", "domain!=")]
        {
            assert_eq!(turned(&filter(one)), Some(filter(other)));
            assert_eq!(turned(&filter(other)), Some(filter(one)));
        }
        let filters = added(&[filter("exe=/a"), filter("rport=53")], filter("exe!=/a"));
        assert_eq!(filters, [filter("rport=53"), filter("exe!=/a")]);
        assert_eq!(added(&filters, filter("rport=53")).len(), 2);
    }
}
