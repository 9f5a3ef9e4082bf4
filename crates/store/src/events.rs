//! What happened: programs first seen, changed and upgraded, gaps and losses.

use std::fmt;
use std::str::FromStr;

use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;
use rusqlite::types::Type;
use rusqlite::types::Value;
use serde::Serialize;
use serde::Serializer;

use crate::Reader;
use crate::StoreError;
use crate::classify::At;
use crate::classify::Sql;

/// As `event_log` has it; the view says whether it was an upgrade.
pub(crate) const CHANGED: &str = "changed";
pub(crate) const FIRST_SEEN: &str = "first-seen";

/// What kind of event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A program moved bytes for the first time that is kept.
    FirstSeen,
    /// A program was launched with other contents than before.
    Modified,
    /// Likewise, and the new contents are what a package ships.
    Upgraded,
    /// Nobody looked.
    Gap,
    /// Something was lost.
    Lost,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::FirstSeen, Self::Modified, Self::Upgraded, Self::Gap, Self::Lost];

    /// As it is stored and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstSeen => FIRST_SEEN,
            Self::Modified => "modified",
            Self::Upgraded => "upgraded",
            Self::Gap => "gap",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A name that is no kind of event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of event; choose from {list}", list = EventKind::ALL.map(EventKind::name).join(", "))]
pub struct UnknownEventKind(String);

impl FromStr for EventKind {
    type Err = UnknownEventKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| UnknownEventKind(name.to_owned()))
    }
}

/// What a [`Note`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// Something that should have been recorded was not.
    Lost,
}

/// Something that the history tells as an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Unix second.
    pub at: i64,
    /// What it is about.
    pub kind: NoteKind,
    /// What, and how many.
    pub detail: String,
}

/// One event. Texts are '' where unknown or none, and come from the outside: show them through
/// [`femtosnitch_model::printable`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Unix second; of a change, of the first traffic that the changed program had a part in.
    pub at: i64,
    /// Unix second in which a gap was over; `None` for everything else.
    pub until: Option<i64>,
    /// What happened.
    pub kind: EventKind,
    /// Path of the program or script.
    pub exe: String,
    /// Name of the process.
    pub name: String,
    /// Its command line.
    pub cmdline: String,
    /// Its contents, or a bracketed reason why they are not known.
    pub sha256: String,
    /// The contents before a change.
    pub old_sha256: String,
    /// The package that it belongs to, with the manager.
    pub package: String,
    /// Version of the package.
    pub version: String,
    /// Whether it is what the package shipped: [`femtosnitch_model::Facts::state`].
    pub state: String,
    /// Version of the package that the contents before a change belonged to.
    pub old_version: String,
    /// Who wrote the file.
    pub written_by: String,
    /// The container in which it ran.
    pub container: String,
    /// Whose path it is ([`femtosnitch_model::Place::realm`]).
    pub realm: String,
    /// Why nobody looked; what was lost.
    pub detail: String,
    /// The run, in the table `processes`; 0 if unknown.
    pub process_id: i64,
}

/// A program's event on its way to `event_log`.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) kind: &'static str,
    pub(crate) at: i64,
    pub(crate) program: i64,
    pub(crate) exe: i64,
    pub(crate) process: i64,
    pub(crate) old: &'a str,
}

/// Writes a program's event.
pub(crate) fn tell(tx: &Transaction<'_>, told: &Told<'_>) -> Sql<()> {
    tx.prepare_cached(
        "INSERT INTO event_log(at, kind, program_id, exe_id, process_id, old_sha256, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, '')",
    )?
    .execute(params![told.at, told.kind, told.program, told.exe, told.process, told.old])?;
    Ok(())
}

/// Writes what a batch says besides.
pub(crate) fn note(tx: &Transaction<'_>, notes: &[Note]) -> Sql<u64> {
    for Note { at, kind: NoteKind::Lost, detail } in notes {
        tx.prepare_cached(
            "INSERT INTO event_log(at, kind, program_id, exe_id, process_id, old_sha256, detail)
             VALUES (?1, 'lost', 0, 0, 0, '', ?2)",
        )?
        .execute(params![at, detail])?;
    }
    Ok(notes.len() as u64)
}

/// Forgets the oldest events, `max_rows` of them at most. Returns how many.
pub(crate) fn expire(tx: &Transaction<'_>, before: i64, max_rows: i64) -> Sql<usize> {
    tx.prepare_cached(
        "DELETE FROM event_log WHERE id IN
           (SELECT id FROM event_log WHERE at < ?1 ORDER BY at LIMIT ?2)",
    )?
    .execute([before, max_rows])
}

impl Reader {
    /// Events from `since` until `until` (unix seconds, the end not included; `None` for no bound),
    /// in the order of time; gaps also if they only reach into it. No `kinds` means all.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn events(
        &self,
        since: Option<i64>,
        until: Option<i64>,
        kinds: &[EventKind],
    ) -> Result<Vec<Event>, StoreError> {
        self.select_events((since, until), kinds, None)
    }

    /// Events of the program at this path, as [`Reader::events`] has them.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn events_of(
        &self,
        exe: &str,
        since: Option<i64>,
        until: Option<i64>,
        kinds: &[EventKind],
    ) -> Result<Vec<Event>, StoreError> {
        self.select_events((since, until), kinds, Some(exe))
    }

    fn select_events(
        &self,
        (since, until): (Option<i64>, Option<i64>),
        kinds: &[EventKind],
        exe: Option<&str>,
    ) -> Result<Vec<Event>, StoreError> {
        let mut values: Vec<Value> =
            vec![since.unwrap_or(i64::MIN).into(), until.unwrap_or(i64::MAX).into()];
        let kinds = if kinds.is_empty() { &EventKind::ALL } else { kinds };
        values.extend(kinds.iter().map(|kind| Value::from(kind.name().to_owned())));
        let places: Vec<String> = (3..values.len() + 1).map(|at| format!("?{at}")).collect();
        let places = places.join(", ");
        let of_exe = exe.map_or_else(String::new, |exe| {
            values.push(exe.to_owned().into());
            format!("AND exe = ?{}", values.len())
        });
        let sql = format!(
            "SELECT at, until, kind, exe, name, cmdline, sha256, old_sha256, package, version,
               state, old_version, written_by, container, realm, detail, process_id
             FROM events
             WHERE coalesce(until > ?1, at >= ?1) AND at < ?2 AND kind IN ({places}) {of_exe}
             ORDER BY at"
        );
        self.consistently(|conn| {
            let mut stmt = conn.prepare(&sql)?;
            stmt.query_map(rusqlite::params_from_iter(values), event)?.collect()
        })
        .at(self.path())
    }
}

fn event(row: &Row<'_>) -> Sql<Event> {
    let kind: String = row.get(2)?;
    let kind = kind.parse().map_err(|error: UnknownEventKind| {
        rusqlite::Error::FromSqlConversionFailure(2, Type::Text, Box::new(error))
    })?;
    Ok(Event {
        at: row.get(0)?,
        until: row.get(1)?,
        kind,
        exe: row.get(3)?,
        name: row.get(4)?,
        cmdline: row.get(5)?,
        sha256: row.get(6)?,
        old_sha256: row.get(7)?,
        package: row.get(8)?,
        version: row.get(9)?,
        state: row.get(10)?,
        old_version: row.get(11)?,
        written_by: row.get(12)?,
        container: row.get(13)?,
        realm: row.get(14)?,
        detail: row.get(15)?,
        process_id: row.get(16)?,
    })
}
