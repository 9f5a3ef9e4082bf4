//! Which programs are new, or changed, of late.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use femtosnitch_store::{EventKind, Reader};

use crate::params::now;

/// How often the history is asked.
const EVERY: Duration = Duration::from_secs(30);
/// So long a program is new, or changed.
const OF_LATE: i64 = 86_400;

/// Paths of programs.
#[derive(Debug, Default)]
pub(super) struct News {
    asked: Option<Instant>,
    new: HashSet<String>,
    modified: HashSet<String>,
}

impl News {
    /// Asks again if it is time for it. A history that cannot be read has no news.
    pub(super) fn refresh(&mut self, database: &Path) {
        if self.asked.is_some_and(|asked| asked.elapsed() < EVERY) {
            return;
        }
        self.asked = Some(Instant::now());
        let kinds = [EventKind::FirstSeen, EventKind::Modified];
        let events = Reader::open(database)
            .and_then(|reader| reader.events(Some(now().saturating_sub(OF_LATE)), None, &kinds));
        let Ok(events) = events else { return };
        self.new.clear();
        self.modified.clear();
        for event in events {
            match event.kind {
                EventKind::FirstSeen => self.new.insert(event.exe),
                _ => self.modified.insert(event.exe),
            };
        }
    }

    pub(super) fn is_new(&self, exe: &str) -> bool {
        self.new.contains(exe)
    }

    pub(super) fn is_modified(&self, exe: &str) -> bool {
        self.modified.contains(exe)
    }
}
