//! Events in words, as the dashboard tells them.

use femtosnitch_store::Event;
use femtosnitch_store::EventKind;

use crate::text::duration;
use crate::text::short_digest;

/// What a kind is called.
pub(crate) fn title(kind: EventKind) -> &'static str {
    match kind {
        EventKind::FirstSeen => "First seen",
        EventKind::Modified => "Modified",
        EventKind::Upgraded => "Upgraded",
        EventKind::Gap => "Not watched",
        EventKind::Lost => "Lost",
    }
}

/// What is known of it, part by part, as it is recorded.
pub(crate) fn facts(event: &Event, ascii: bool) -> Vec<String> {
    let to = if ascii { ">" } else { "→" };
    let mut facts = Vec::new();
    match event.kind {
        EventKind::Upgraded if !event.old_version.is_empty() => {
            facts.push(format!("{} {to} {}", event.old_version, event.version));
        }
        EventKind::Modified => {
            let (old, new) = (short_digest(&event.old_sha256), short_digest(&event.sha256));
            facts.push(format!("{old} {to} {new}"));
        }
        EventKind::FirstSeen if !event.package.is_empty() => {
            facts.push(format!("{} {}", event.package, event.version));
        }
        EventKind::Gap => facts.push(match event.until {
            None => "until now".to_owned(),
            Some(until) => {
                let seconds = u64::try_from(until.saturating_sub(event.at)).unwrap_or(0);
                format!("for {}", duration(seconds))
            }
        }),
        _ => {}
    }
    if !event.state.is_empty() && event.state != "intact" {
        facts.push(event.state.clone());
    }
    if !event.written_by.is_empty() {
        facts.push(format!("written by {}", event.written_by));
    }
    if !event.container.is_empty() {
        let short: String = event.container.chars().take(12).collect();
        facts.push(format!("in container {short}"));
    }
    if !event.detail.is_empty() {
        facts.push(event.detail.clone());
    }
    facts
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An event of this kind, of nothing in particular.
    pub(crate) fn event(kind: EventKind, at: i64) -> Event {
        Event {
            at,
            until: None,
            kind,
            exe: String::new(),
            name: String::new(),
            cmdline: String::new(),
            sha256: String::new(),
            old_sha256: String::new(),
            package: String::new(),
            version: String::new(),
            state: String::new(),
            old_version: String::new(),
            written_by: String::new(),
            container: String::new(),
            realm: String::new(),
            detail: String::new(),
            process_id: 0,
        }
    }

    #[test]
    fn each_kind_tells_what_matters() {
        let gap =
            Event { until: Some(200), detail: "stopped".to_owned(), ..event(EventKind::Gap, 80) };
        assert_eq!(facts(&gap, false), ["for 2m", "stopped"]);
        let modified = Event {
            old_sha256: "a".repeat(64),
            sha256: "b".repeat(64),
            state: "modified".to_owned(),
            written_by: "vim".to_owned(),
            ..event(EventKind::Modified, 0)
        };
        assert_eq!(
            facts(&modified, true),
            ["aaaaaaaaaaaa > bbbbbbbbbbbb", "modified", "written by vim"]
        );
        assert_eq!(facts(&event(EventKind::Gap, 0), true), ["until now"]);
    }
}
