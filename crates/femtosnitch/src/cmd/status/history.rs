//! What `femtosnitch status` reads from the history itself.

use femtosnitch_store::{ChainHead, Kept, Levels, Reader, StoreError};
use serde_json::{Value, json};

use crate::config::Paths;

/// Rows, and since when they and what sums them up are kept; or why that is not known.
#[derive(Debug)]
pub(super) struct History(Result<(u64, Levels, Option<ChainHead>), String>);

impl History {
    /// Reads it.
    pub(super) fn of(paths: &Paths) -> Self {
        let read = || -> Result<_, StoreError> {
            let reader = Reader::open(&paths.database())?;
            Ok((reader.stats()?.rows, reader.levels()?, reader.chain_head()?))
        };
        Self(read().map_err(|error| error.to_string()))
    }

    /// Connections kept.
    pub(super) fn rows(&self) -> Option<u64> {
        self.0.as_ref().ok().map(|(rows, ..)| *rows)
    }

    /// For people: a line for each level that reaches further back than the finer one before it.
    pub(super) fn lines(&self) -> Vec<String> {
        let levels = match &self.0 {
            Ok((_, levels, _)) => levels,
            Err(reason) => return vec![format!("not known: {reason}")],
        };
        let mut lines = Vec::new();
        let mut finer = None;
        for (name, since, span) in [
            ("connections", levels.rows.since, 0),
            ("sums by minute", levels.minutes.since, 60),
            ("sums by hour", levels.hours.since, 3_600),
            ("sums by day", levels.days.since, 86_400),
        ] {
            let Some(since) = since else { continue };
            if finer.is_none_or(|finer: i64| since.saturating_add(span) <= finer) {
                lines.push(format!("{name} since {}", moment(since)));
            }
            finer = Some(since);
        }
        lines
    }

    /// For programs: unix seconds by level, null where there is nothing.
    pub(super) fn json(&self) -> Value {
        let Ok((_, levels, _)) = &self.0 else { return Value::Null };
        let [rows, minutes, hours, days] = [levels.rows, levels.minutes, levels.hours, levels.days]
            .map(|Kept { since, .. }| since);
        json!({ "rows": rows, "minutes": minutes, "hours": hours, "days": days })
    }

    /// Tamper evidence for people; nothing if there never was any.
    pub(super) fn evidence(&self) -> Option<String> {
        let ChainHead { hash, link, at, on } = self.0.as_ref().ok()?.2.as_ref()?;
        let off = if *on { "" } else { ", switched off since" };
        Some(format!("{hash} (link {link}, {}{off})", moment(*at)))
    }

    /// Likewise for programs.
    pub(super) fn chain(&self) -> Value {
        self.0.as_ref().ok().and_then(|(_, _, head)| head.as_ref()).map_or(
            Value::Null,
            |head| json!({ "head": head.hash, "link": head.link, "at": head.at, "on": head.on }),
        )
    }

    #[cfg(test)]
    pub(super) fn new(rows: u64, since: [Option<i64>; 4]) -> Self {
        let [rows_kept, minutes, hours, days] = since.map(|since| Kept { since, let_go: None });
        Self(Ok((rows, Levels { rows: rows_kept, minutes, hours, days }, None)))
    }
}

fn moment(second: i64) -> String {
    let at = jiff::Timestamp::from_second(second);
    at.map_or_else(|_| "?".to_owned(), |at| at.strftime("%F %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn levels_that_tell_no_more_are_not_named() {
        let fresh = [Some(100 * DAY + 70), Some(100 * DAY + 60), Some(100 * DAY), Some(100 * DAY)];
        assert_eq!(History::new(1, fresh).lines(), ["connections since 1970-04-11 00:01 UTC"]);
        let old = [Some(100 * DAY + 70), Some(100 * DAY), Some(90 * DAY), Some(0)];
        assert_eq!(
            History::new(1, old).lines(),
            [
                "connections since 1970-04-11 00:01 UTC",
                "sums by minute since 1970-04-11 00:00 UTC",
                "sums by hour since 1970-04-01 00:00 UTC",
                "sums by day since 1970-01-01 00:00 UTC",
            ]
        );
        let sums_alone = [None, None, Some(90 * DAY), Some(0)];
        assert_eq!(History::new(0, sums_alone).lines().len(), 2);
        assert!(History::new(0, [None; 4]).lines().is_empty());
    }

    #[test]
    fn without_a_history_the_reason_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let history = History::of(&Paths::new(dir.path()));
        assert!(history.lines()[0].starts_with("not known: "), "{history:?}");
        assert_eq!((history.rows(), history.json()), (None, Value::Null));
    }
}
