//! What to know of a program, in the dashboard's words and order.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{io, thread};

use femtosnitch_store::{EventKind, Reader};

use crate::feed::Who;
use crate::input::Input;

/// How often the history is asked.
const EVERY: Duration = Duration::from_secs(30);
/// So long a program is new, or changed: seconds.
const OF_LATE: i64 = 86_400;

/// Something to know of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Badge {
    /// It was first seen in the last day.
    New,
    /// Its file is not what its package shipped, or another than before.
    Modified,
    /// No package owns its file.
    NotPackaged,
    /// It runs in a container.
    Container,
    /// An interpreter that runs a script.
    Script,
}

impl Badge {
    /// As the dashboard calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Modified => "modified",
            Self::NotPackaged => "not packaged",
            Self::Container => "container",
            Self::Script => "script",
        }
    }
}

/// Programs that are new, or changed, of late, as far as the history can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Paths of new ones.
    pub new: HashSet<String>,
    /// Of changed ones.
    pub modified: HashSet<String>,
}

impl News {
    /// All that holds of a program.
    #[must_use]
    pub fn badges(&self, who: &Who) -> Vec<Badge> {
        let state = &*who.package_state;
        let modified = state == "modified" || self.modified.contains(&*who.exe);
        let all = [
            (self.new.contains(&*who.exe), Badge::New),
            (modified, Badge::Modified),
            (state == "not packaged", Badge::NotPackaged),
            (!who.container.is_empty(), Badge::Container),
            (!who.script.is_empty(), Badge::Script),
        ];
        all.into_iter().filter(|(holds, _)| *holds).map(|(_, badge)| badge).collect()
    }
}

/// Asks the history now and then, in a thread that ends with the view. Nothing is told while it
/// cannot be read: whoever may read the live socket only sees the other badges.
///
/// # Errors
/// If there can be no thread.
pub fn listen(database: PathBuf, tell: SyncSender<Input<News>>) -> io::Result<()> {
    let ask = move || {
        let mut told = News::default();
        loop {
            if let Some(news) = ask(&database)
                && news != told
            {
                told = news.clone();
                if tell.send(Input::Answer(news)).is_err() {
                    return;
                }
            }
            thread::sleep(EVERY);
        }
    };
    thread::Builder::new().name("news".to_owned()).spawn(ask).map(drop)
}

fn ask(database: &std::path::Path) -> Option<News> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let since = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(OF_LATE);
    let kinds = [EventKind::FirstSeen, EventKind::Modified];
    let reader = Reader::open(database).ok()?;
    let events = reader.events(Some(since), None, &kinds).ok()?;
    let mut news = News::default();
    for event in events {
        match event.kind {
            EventKind::FirstSeen => news.new.insert(event.exe),
            _ => news.modified.insert(event.exe),
        };
    }
    Some(news)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn badges_are_in_the_dashboards_order() {
        let who = Who {
            exe: "/bin/x".into(),
            container: "c".into(),
            script: "/s".into(),
            package_state: "not packaged".into(),
            ..Who::default()
        };
        let both = HashSet::from(["/bin/x".to_owned()]);
        let news = News { new: both.clone(), modified: both };
        let names: Vec<&str> = news.badges(&who).into_iter().map(Badge::name).collect();
        assert_eq!(names, ["new", "modified", "not packaged", "container", "script"]);
        assert!(News::default().badges(&Who::default()).is_empty());
        let changed = Who { package_state: "modified".into(), ..Who::default() };
        assert_eq!(News::default().badges(&changed), [Badge::Modified]);
    }
}
