//! What inputs do.

use femtosnitch_model::escape_harmful;
use femtosnitch_model::is_harmful;
use femtosnitch_store::Dimension;
use femtosnitch_store::EventKind;
use femtosnitch_store::Filter;
use jiff::Timestamp;

use super::Answered;
use super::clipboard;
use super::filter_box::FilterBox;
use super::filter_box::added;
use super::keys::Action;
use super::keys::KEYS;
use super::keys::works;
use super::layout;
use super::page::Page;
use super::page::Pointer;
use super::page::Subject;
use super::panes;
use super::panes::Pane;
use super::panes::Target;
use super::picker::Choice;
use super::picker::Picker;
use super::range::PRESETS;
use super::range::Range;
use super::rows::Column;
use super::rows::Sort;
use super::save_box::SaveBox;
use super::state::Browse;
use super::state::Effect;
use super::state::Over;
use super::words;
use crate::input::Input;
use crate::text::clip;
use crate::text::shown;
use crate::widgets::Cursor;
use crate::widgets::Layout;

/// Around the moment of an event, in seconds.
const AROUND: i64 = 900;

impl Browse {
    /// Takes in whatever happened at `now` (unix seconds); what is to be done outside.
    pub(crate) fn update(&mut self, input: Input<Answered>, now: i64) -> Vec<Effect> {
        self.now = now;
        match input {
            Input::Key(key) if self.over.is_some() => self.key_over(&key),
            Input::Key(key) => {
                let depth = self.above.len() + 1;
                match KEYS.find(&key, |action| works(action, &self.page, depth)) {
                    Some(action) => self.act(action),
                    None => Vec::new(),
                }
            }
            Input::Mouse(mouse) => self.mouse(mouse),
            Input::Paste(text) => self.paste(&text),
            Input::Resize(columns, rows) => {
                self.size = (columns, rows);
                self.settle();
                Vec::new()
            }
            Input::Answer(Answered(answer)) => self.answer(answer),
            Input::Tick => self.tick(),
            Input::End | Input::Hangup => vec![Effect::Quit],
            Input::Feed(_) => Vec::new(),
        }
    }

    /// Does what a key asks for.
    pub(crate) fn act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Go(step) => {
                let (len, room) = (self.len(), self.room());
                self.page.cursor.step(step, len, room);
                Vec::new()
            }
            Action::Open => self.open(),
            Action::Back => {
                if self.page.pointer.take().is_some() {
                    Vec::new()
                } else {
                    self.pop()
                }
            }
            Action::Quit => vec![Effect::Quit],
            Action::Suspend => vec![Effect::Suspend],
            Action::Redraw => vec![Effect::Redraw],
            Action::Help => self.show(Over::Help(0)),
            Action::Again => self.ask(),
            Action::Pane(forth) => {
                let all = panes::of(&self.page);
                let next = turn(panes::focus(&self.page, &all), all.len(), forth);
                all.get(next).map_or_else(Vec::new, |pane| self.focus(*pane))
            }
            Action::Pointer(right) => self.point(right),
            Action::Mark => {
                if let Some(pointer) = &mut self.page.pointer {
                    pointer.from = if pointer.from.is_some() { None } else { Some(pointer.at) };
                }
                Vec::new()
            }
            Action::Closer => self.zoom(false),
            Action::Further => self.zoom(true),
            Action::Shift(forth) => {
                let span = self.page.span(self.now);
                self.look_at(Range::shifted(span, if forth { 1 } else { -1 }, self.now))
            }
            Action::Preset(at) => match PRESETS.get(at) {
                Some(preset) => self.look_at(Range { since: preset.since, until: None }),
                None => Vec::new(),
            },
            Action::Times => self.choose_time(),
            Action::Group => self.choose_dimension(),
            Action::By(by) => self.by(by),
            Action::Filter => {
                let by = match self.page.subject {
                    Subject::History { by } => by,
                    _ => self.focused_dimension().unwrap_or(Dimension::Exe),
                };
                self.over = Some(Over::Filter(Box::new(FilterBox::new(by))));
                self.ask_values()
            }
            Action::Include => self.filter_target(false),
            Action::Exclude => self.filter_target(true),
            Action::Filters => self.show(Over::Filters(Cursor::default())),
            Action::Unfilter => {
                self.page.filters.pop();
                self.ask_anew()
            }
            Action::Kinds => self.choose_kinds(),
            Action::Measure => {
                self.measure = self.measure.next();
                Vec::new()
            }
            Action::Layer => {
                self.layer = self.layer.other();
                Vec::new()
            }
            Action::Units => {
                self.units = self.units.next();
                Vec::new()
            }
            Action::Sort(right) => {
                let shown = self.shown_columns();
                let step = if right { 1 } else { -1 };
                self.page.sort = Sort::moved(self.page.sort, &shown, step);
                Vec::new()
            }
            Action::Reverse => {
                let now = self.page.sort;
                let now = now.unwrap_or(Sort { column: Column::Share, turned: false });
                self.page.sort = Some(Sort { turned: !now.turned, ..now });
                Vec::new()
            }
            Action::More => {
                self.page.limit += 1;
                self.ask()
            }
            Action::Copy => self.copy(),
            Action::Save => self.ask_name(),
            Action::History => self.history(),
            Action::Events => {
                let page = Page::new(Subject::Events, self.page.range, Vec::new());
                self.push(page)
            }
            Action::System => {
                let page = Page::new(Subject::System, self.page.range, Vec::new());
                self.push(page)
            }
        }
    }

    pub(crate) fn show(&mut self, over: Over) -> Vec<Effect> {
        self.over = Some(over);
        Vec::new()
    }

    /// Columns that fit on the screen.
    pub(crate) fn shown_columns(&self) -> Vec<Column> {
        let Subject::History { by } = self.page.subject else { return Vec::new() };
        let columns = layout::columns(by, self.layer, true);
        let shown = Layout::new(&columns, self.size.0);
        shown.0.iter().filter_map(|(at, ..)| Column::ALL.get(*at).copied()).collect()
    }

    pub(crate) fn focus(&mut self, pane: Pane) -> Vec<Effect> {
        self.page.pane = Some(pane);
        self.page.cursor = Cursor::default();
        Vec::new()
    }

    fn focused_dimension(&self) -> Option<Dimension> {
        panes::side(&self.page, self.pane()?).map(|side| side.by)
    }

    /// Looks at another time.
    pub(crate) fn look_at(&mut self, range: Range) -> Vec<Effect> {
        if range == self.page.range {
            return Vec::new();
        }
        self.page.range = range;
        self.page.pointer = None;
        self.ask()
    }

    /// Groups by something else.
    pub(crate) fn by(&mut self, by: Dimension) -> Vec<Effect> {
        self.page.subject = Subject::History { by };
        self.page.sort = None;
        self.page.limit = 0;
        // Names of one thing are no names of another.
        self.page.known.report = None;
        self.ask_anew()
    }

    /// Filters the page.
    pub(crate) fn add_filter(&mut self, filter: Filter) -> Vec<Effect> {
        self.page.filters = added(&self.page.filters, filter);
        self.ask_anew()
    }

    fn filter_target(&mut self, negated: bool) -> Vec<Effect> {
        let Some(Target::Value(dimension, value)) = self.target() else { return Vec::new() };
        match Filter::new(dimension, negated, &value) {
            Ok(filter) => self.add_filter(filter),
            Err(error) => {
                self.complain(error.to_string());
                Vec::new()
            }
        }
    }

    /// Looks into what the cursor is at.
    pub(crate) fn open(&mut self) -> Vec<Effect> {
        match self.target() {
            Some(Target::Value(dimension, value)) => self.look_into(dimension, value),
            Some(Target::Event(event)) => {
                let until = event.until.unwrap_or(match event.kind {
                    EventKind::Gap => self.now,
                    _ => event.at,
                });
                let range = Range::between(event.at - AROUND, until.saturating_add(AROUND));
                let exe = Filter::new(Dimension::Exe, false, &event.exe).ok();
                let filters: Vec<Filter> =
                    exe.filter(|_| !event.exe.is_empty()).into_iter().collect();
                let by = if filters.is_empty() { Dimension::Exe } else { Dimension::Domain };
                self.push(Page::new(Subject::History { by }, range, filters))
            }
            Some(Target::Digest(_) | Target::Text(_)) => self.copy(),
            None => Vec::new(),
        }
    }

    /// Programs, hosts, names and containers have a page; all else is filtered by.
    fn look_into(&mut self, dimension: Dimension, value: String) -> Vec<Effect> {
        let below = self.filters_below();
        let range = self.page.range;
        if words::has_page(dimension) && !value.is_empty() {
            let others = |filter: &Filter| filter.dimension() != dimension || filter.is_negated();
            let filters = below.into_iter().filter(others).collect();
            return self.push(Page::new(Subject::Thing { dimension, value }, range, filters));
        }
        match Filter::new(dimension, false, &value) {
            Ok(filter) => {
                let by = words::next(dimension);
                let filters = added(&below, filter);
                self.push(Page::new(Subject::History { by }, range, filters))
            }
            Err(error) => {
                self.complain(error.to_string());
                Vec::new()
            }
        }
    }

    /// The history of the thing that is looked at; from elsewhere back to where all began.
    fn history(&mut self) -> Vec<Effect> {
        if let Subject::Thing { dimension, .. } = self.page.subject {
            let by = self.focused_dimension().unwrap_or(words::next(dimension));
            let page = Page::new(Subject::History { by }, self.page.range, self.filters_below());
            return self.push(page);
        }
        self.above.truncate(1);
        self.pop()
    }

    fn point(&mut self, right: bool) -> Vec<Effect> {
        let Some(series) = self.page.series() else { return Vec::new() };
        let last = series.others.len().saturating_sub(1);
        let at = match self.page.pointer {
            Some(Pointer { at, .. }) if right => (at + 1).min(last),
            Some(Pointer { at, .. }) => at.saturating_sub(1),
            None => last,
        };
        let from = self.page.pointer.and_then(|pointer| pointer.from);
        self.page.pointer = Some(Pointer { at, from });
        Vec::new()
    }

    /// Looks closer, at what is marked or around the pointer, or from further off.
    pub(crate) fn zoom(&mut self, further: bool) -> Vec<Effect> {
        let span = self.page.span(self.now);
        let time = |step: usize| {
            let series = self.page.series()?;
            let steps = i64::try_from(step).unwrap_or(i64::MAX);
            Some(series.start.saturating_add(steps.saturating_mul(series.width)))
        };
        let pointer = self.page.pointer;
        let marked = pointer.filter(|_| !further).and_then(|pointer| {
            let from = pointer.from?;
            let (first, last) = (from.min(pointer.at), from.max(pointer.at));
            Some(Range::between(time(first)?, time(last + 1)?.min(self.now.max(0))))
        });
        let around = pointer.and_then(|pointer| time(pointer.at));
        let range = marked.unwrap_or_else(|| Range::zoomed(span, further, around, self.now));
        self.look_at(range)
    }

    fn copy(&mut self) -> Vec<Effect> {
        let text = match self.target() {
            Some(Target::Value(_, text) | Target::Digest(text) | Target::Text(text)) => text,
            Some(Target::Event(event)) => match (event.exe.as_str(), event.detail.as_str()) {
                ("", detail) => detail.to_owned(),
                (exe, _) => exe.to_owned(),
            },
            None => String::new(),
        };
        if text.is_empty() {
            self.complain("there is nothing to copy here");
            return Vec::new();
        }
        // Pasted into a shell, a line's end would run it, and others end the paste first.
        let harmful = text.chars().any(is_harmful);
        let text = if harmful { escape_harmful(&text) } else { text };
        let Some(sequence) = clipboard::sequence(&text) else {
            self.complain("that is more than terminals copy");
            return Vec::new();
        };
        let shown = clip(&shown(&text, false), 36, "…");
        let escaped = if harmful { ", escaped" } else { "" };
        self.say(format!("copied{escaped}: {shown} (OSC 52: some terminals refuse it)"));
        vec![Effect::Copy(sequence)]
    }

    fn ask_name(&mut self) -> Vec<Effect> {
        if super::save::content(&self.page, &self.order()).is_none() {
            self.complain("there is nothing to save yet");
            return Vec::new();
        }
        let at = Timestamp::from_second(self.now)
            .unwrap_or_default()
            .to_zoned_datetime(self.zone.clone());
        let stamp = at.strftime("%Y%m%d-%H%M").to_string();
        let save = SaveBox::new(&self.page, &stamp);
        self.show(Over::Save(save))
    }

    fn choose_time(&mut self) -> Vec<Effect> {
        let now = self.page.range.preset();
        let choices = PRESETS.iter().enumerate().map(|(at, preset)| Choice {
            value: Range { since: preset.since, until: None },
            title: preset.title.to_owned(),
            note: preset.long.to_owned(),
            on: now == Some(at),
        });
        let picker = Picker::new(choices.collect());
        self.show(Over::Times(picker, None))
    }

    fn choose_dimension(&mut self) -> Vec<Effect> {
        let Subject::History { by } = self.page.subject else { return Vec::new() };
        let all =
            words::GROUPS.iter().flat_map(|(group, list)| list.iter().map(move |it| (*group, *it)));
        let choices = all.map(|(group, dimension)| Choice {
            value: dimension,
            title: words::title(dimension).to_owned(),
            note: format!("{dimension}  {group}"),
            on: dimension == by,
        });
        let picker = Picker::new(choices.collect());
        self.show(Over::Group(picker))
    }

    fn choose_kinds(&mut self) -> Vec<Effect> {
        let chosen = &self.page.kinds;
        let choices = EventKind::ALL.into_iter().map(|kind| Choice {
            value: kind,
            title: super::events::title(kind).to_owned(),
            note: kind.name().to_owned(),
            on: chosen.contains(&kind),
        });
        let picker = Picker::new(choices.collect());
        self.show(Over::Kinds(picker))
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        match &mut self.over {
            Some(Over::Filter(filter)) => {
                filter.paste(text);
                self.ask_values()
            }
            Some(Over::Group(picker)) => {
                picker.editor.insert(text);
                Vec::new()
            }
            Some(Over::Times(picker, _)) => {
                picker.editor.insert(text);
                Vec::new()
            }
            Some(Over::Save(save)) => {
                save.editor.insert(text);
                save.replaces = false;
                Vec::new()
            }
            // Elsewhere a text is no keys: nobody means to press them all.
            _ => Vec::new(),
        }
    }
}

/// The next of so many, or the one before, round and round.
fn turn(at: usize, count: usize, forth: bool) -> usize {
    let count = count.max(1);
    let at = at.min(count - 1);
    if forth { (at + 1) % count } else { (at + count - 1) % count }
}
