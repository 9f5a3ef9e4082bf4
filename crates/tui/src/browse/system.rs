//! How the daemon and the history are, line by line: what is wrong first.

use femtosnitch_api::HookState;
use femtosnitch_api::Status;
use femtosnitch_store::Levels;
use femtosnitch_store::Stats;
use jiff::tz::TimeZone;

use super::notes::moment;
use super::page::Page;
use crate::text::Units;
use crate::text::ago;
use crate::text::bytes;
use crate::text::count;
use crate::text::duration;

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Title,
    Plain,
    Good,
    Warning,
    Bad,
}

/// A line: what it is about, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) tone: Tone,
}

impl Line {
    fn new(name: &str, value: impl Into<String>, tone: Tone) -> Self {
        Self { name: name.to_owned(), value: value.into(), tone }
    }

    /// As it is copied.
    pub(crate) fn text(&self) -> String {
        [self.name.as_str(), self.value.as_str()].join(" ").trim().to_owned()
    }
}

/// Names of counters that count a loss, as in the dashboard.
fn tells_a_loss(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "lost", "missed", "dropped", "failed", "refused", "overflow", "unread", "full", "discard",
        "evicted",
    ];
    WORDS.iter().any(|word| name.contains(word))
}

/// All that is known; nothing while it is not.
pub(crate) fn lines(page: &Page, units: Units, zone: &TimeZone) -> Vec<Line> {
    let Some(system) = &page.known.system else { return Vec::new() };
    let mut lines = Vec::new();
    match &system.daemon {
        Ok(status) => daemon(status, (units, zone), &mut lines),
        Err((absent, why)) => {
            let title =
                if *absent { "The daemon does not run" } else { "The daemon could not be asked" };
            lines.push(Line::new(title, "", Tone::Bad));
            lines.push(Line::new("", why, Tone::Plain));
        }
    }
    lines.push(Line::new("", "", Tone::Plain));
    lines.push(Line::new("History", "", Tone::Title));
    match &system.history {
        Ok((stats, levels)) => history(stats, levels, (units, zone), &mut lines),
        Err(why) => lines.push(Line::new("", why, Tone::Bad)),
    }
    if let Ok(status) = &system.daemon {
        if status.database.state != "ok" && !status.database.state.is_empty() {
            lines.push(Line::new("State", &status.database.state, Tone::Bad));
        }
        hooks(status, &mut lines);
        counters(status, &mut lines);
    }
    lines
}

fn daemon(status: &Status, (units, zone): (Units, &TimeZone), lines: &mut Vec<Line>) {
    let lost = status.counters.iter().any(|(name, value)| tells_a_loss(name) && *value > 0);
    let (said, tone) = if lost {
        ("Some detail was lost since it started: see the counters below.", Tone::Warning)
    } else {
        ("Nothing was lost since it started.", Tone::Plain)
    };
    lines.push(Line::new("The daemon watches", "", Tone::Good));
    lines.push(Line::new("", said, tone));
    for warning in &status.warnings {
        lines.push(Line::new("", warning, Tone::Warning));
    }
    for problem in &status.geoip.problems {
        lines.push(Line::new("", problem, Tone::Warning));
    }
    if let Some(refused) = &status.config.refused {
        lines.push(Line::new("Configuration", format!("refused: {refused}"), Tone::Bad));
    }
    let up = whole(status.now - status.since);
    let since = format!("{} ({})", moment(second(status.since), zone, None), duration(up));
    let facts = [
        ("Version", status.version.clone()),
        ("Watching since", since),
        ("Front", status.front.clone()),
        ("Self-test", status.self_test.clone()),
        ("Memory", bytes(status.memory.rss, units)),
        ("Flows in memory", format!("{} of {}", count(status.flows.live), count(status.flows.max))),
        ("Process id", status.pid.to_string()),
        ("Configuration", status.config.path.clone()),
        ("Changes wait for", status.config.at_next_start.join(", ")),
    ];
    for (name, value) in facts.into_iter().filter(|(_, value)| !value.is_empty()) {
        let bad = name == "Self-test" && value != "passed";
        lines.push(Line::new(name, value, if bad { Tone::Warning } else { Tone::Plain }));
    }
    for (name, database) in [("Countries", &status.geoip.country), ("Networks", &status.geoip.asn)]
    {
        let Some(database) = database else {
            lines.push(Line::new(name, "none", Tone::Plain));
            continue;
        };
        let built = i64::try_from(database.built).unwrap_or(0);
        let of =
            if built > 0 { format!("of {}", moment(built, zone, None)) } else { String::new() };
        let parts = [&database.name, &of, &database.path, &database.attribution];
        let parts: Vec<&str> =
            parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        lines.push(Line::new(name, parts.join(", "), Tone::Plain));
    }
    if let Some(at) = status.database.last_write {
        lines.push(Line::new("Last written", ago(whole(status.now - at)), Tone::Plain));
    }
}

fn history(
    stats: &Stats,
    levels: &Levels,
    (units, zone): (Units, &TimeZone),
    lines: &mut Vec<Line>,
) {
    let at =
        |second: Option<i64>| second.map_or_else(|| "none".to_owned(), |at| moment(at, zone, None));
    for (name, value) in [
        ("Size on disk", bytes(stats.bytes, units)),
        ("Rows", count(stats.rows)),
        ("Oldest", at(stats.oldest)),
        ("Newest", at(stats.newest)),
    ] {
        lines.push(Line::new(name, value, Tone::Plain));
    }
    for (name, kept) in [
        ("Single rows", levels.rows),
        ("Sums by minute", levels.minutes),
        ("Sums by hour", levels.hours),
        ("Sums by day", levels.days),
    ] {
        let gone = if kept.let_go.is_some() { " (older ones were let go)" } else { "" };
        let since = match kept.since {
            Some(since) => format!("since {}{gone}", moment(since, zone, None)),
            None => "none".to_owned(),
        };
        lines.push(Line::new(name, since, Tone::Plain));
    }
}

fn hooks(status: &Status, lines: &mut Vec<Line>) {
    if status.hooks.is_empty() {
        return;
    }
    lines.push(Line::new("", "", Tone::Plain));
    lines.push(Line::new("Hooks", "", Tone::Title));
    let rank = |state: HookState| match state {
        HookState::Refused => 0,
        HookState::Other => 1,
        HookState::Attached => 2,
        HookState::NotNeeded => 3,
    };
    let mut hooks: Vec<_> = status.hooks.iter().collect();
    hooks.sort_by(|one, other| {
        rank(one.state).cmp(&rank(other.state)).then_with(|| one.program.cmp(&other.program))
    });
    for hook in hooks {
        let (state, tone) = match hook.state {
            HookState::Refused => ("refused", Tone::Bad),
            HookState::Other => ("other", Tone::Warning),
            HookState::Attached => ("attached", Tone::Good),
            HookState::NotNeeded => ("not needed", Tone::Plain),
        };
        let why = if hook.why.is_empty() { String::new() } else { format!(": {}", hook.why) };
        lines.push(Line::new(&hook.program, format!("{state}{why}"), tone));
    }
}

fn counters(status: &Status, lines: &mut Vec<Line>) {
    if status.counters.is_empty() {
        return;
    }
    lines.push(Line::new("", "", Tone::Plain));
    lines.push(Line::new("Counters since the daemon started", "", Tone::Title));
    let (lost, seen): (Vec<_>, Vec<_>) =
        status.counters.iter().partition(|(name, value)| tells_a_loss(name) && **value > 0);
    for (name, value) in lost {
        lines.push(Line::new(name, count(*value), Tone::Warning));
    }
    for (name, value) in seen {
        lines.push(Line::new(name, count(*value), Tone::Plain));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates on purpose")]
fn second(at: f64) -> i64 {
    at as i64
}

fn whole(seconds: f64) -> u64 {
    u64::try_from(second(seconds)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::ask::System;
    use super::super::page::Subject;
    use super::super::range::Range;
    use super::*;
    use femtosnitch_api::Hook;

    fn told(daemon: Result<Box<Status>, (bool, String)>) -> Vec<Line> {
        let mut page = Page::new(Subject::System, Range::default(), Vec::new());
        let history = Ok((Stats { rows: 12, ..Stats::default() }, Levels::default()));
        page.known.system = Some(System { daemon, history });
        lines(&page, Units::default(), &TimeZone::UTC)
    }

    #[test]
    fn what_is_wrong_comes_first() {
        let hook =
            |program: &str, state| Hook { program: program.to_owned(), state, ..Hook::default() };
        let status = Status {
            hooks: vec![hook("a", HookState::Attached), hook("b", HookState::Refused)],
            counters: [("flows_lost".to_owned(), 3), ("calls".to_owned(), 9)].into(),
            warnings: vec!["something".to_owned()],
            ..Status::default()
        };
        let lines = told(Ok(Box::new(status)));
        let at = |name: &str| lines.iter().position(|line| line.name == name).unwrap();
        assert!(at("b") < at("a") && at("flows_lost") < at("calls"));
        assert!(lines.iter().any(|line| line.value.contains("Some detail was lost")));
        assert_eq!(lines.iter().filter(|line| line.tone == Tone::Warning).count(), 3);
        assert!(lines.iter().any(|line| line.text() == "Rows 12"));
    }

    #[test]
    fn an_absent_daemon_is_told_and_its_history_too() {
        let lines = told(Err((true, "no daemon is running".to_owned())));
        assert_eq!(lines.first().map(|line| line.tone), Some(Tone::Bad));
        assert!(lines.iter().any(|line| line.name == "Rows"));
    }
}
