//! Reading a picosnitch database, whatever state it is in.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use femtosnitch_model::Executable;
use femtosnitch_model::Row;
use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use sha2::Digest as _;
use sha2::Sha256;

use super::ImportError;
use super::error::of_source;
use super::translate::Blank;
use super::translate::Key;
use super::translate::Raw;
use super::translate::Texts;
use super::translate::Translator;
use super::words;
use crate::classify::Sql;
use crate::place;
use crate::schema::APPLICATION_ID;

/// picosnitch writes for milliseconds, every ten seconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// No text or row that picosnitch writes is longer (a command line may have 2 MiB).
const LONGEST_VALUE: i32 = 16 << 20;
/// Rows of one second that are compared to find the last one taken.
const SAME_SECOND: u32 = 20_000;

/// How a local time looks in version 3.
const LOCAL_TIME: &str =
    "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]";
/// Columns of a page, in order; those of executables follow.
const NUMBERS: [&str; 9] =
    ["send", "recv", "events", "uid", "family", "protocol", "lport", "rport", "netns"];
const WRITTEN: usize = 2;
const LADDR: usize = 12;
const RADDR: usize = 13;
const DOMAIN: usize = 14;
const WHO: usize = 15;

/// A picosnitch database, opened read-only.
#[derive(Debug)]
pub struct Picosnitch {
    conn: Connection,
    path: PathBuf,
    version: i64,
    /// What is selected of `connections`.
    columns: String,
    /// Executables are numbers that refer to a table of their own.
    interned: bool,
    tells_family: bool,
    /// Times are texts of the local time zone.
    local_time: bool,
}

/// What there is to take over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survey {
    /// Rows.
    pub rows: u64,
    /// Unix second of the oldest, `None` if that is not known.
    pub oldest: Option<i64>,
    /// Unix second of the newest.
    pub newest: Option<i64>,
    /// Rows older than was asked for.
    pub older: u64,
}

/// What was read at once.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// Rows looked at.
    pub(super) rows: usize,
    /// Number of the last of them.
    pub(super) last: i64,
    /// What that one says, as [`Picosnitch::fingerprint`] has it.
    pub(super) print: String,
    /// There are no more.
    pub(super) ended: bool,
}

impl Picosnitch {
    /// Opens the database at `path`, which picosnitch may be writing meanwhile.
    ///
    /// # Errors
    /// If it is not there, may not be read, is damaged, or is not a picosnitch database of version 3
    /// or 4.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_file() => {}
            Ok(_) => {
                let reason = "not a regular file".to_owned();
                return Err(ImportError::Foreign { path: path.to_owned(), reason });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ImportError::Missing { path: path.to_owned() });
            }
            Err(error) => {
                let (path, reason) = (path.to_owned(), error.to_string());
                return Err(ImportError::Unreadable { path, reason, advice: "run as root" });
            }
        }
        let conn = connect(path).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => {
                let reason = "no SQLite database at all".to_owned();
                ImportError::Foreign { path: path.to_owned(), reason }
            }
            _ => of_source(path, &error),
        })?;
        let version = version(&conn, path)?;
        let names = columns(&conn, path)?;
        let foreign = |reason: &str| ImportError::Foreign {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let has = |name: &str| names.iter().any(|(column, _)| column == name);
        let interned = has("exe_id");
        let columns = select(&names, interned).map_err(|missing| {
            foreign(&format!("its table connections has no column {missing}"))
        })?;
        let local_time = names.iter().any(|(name, kind)| name == "contime" && kind == "TEXT");
        let tells_family = has("family");
        let path = path.to_owned();
        let source = Self { conn, path, version, columns, interned, tells_family, local_time };
        // Finds out now whether all of it is there.
        source.conn.prepare(&source.page_sql()).map_err(|error| of_source(&source.path, &error))?;
        if source.interned {
            let prepared = source.conn.prepare(EXECUTABLE).map(drop);
            prepared.map_err(|error| of_source(&source.path, &error))?;
        }
        Ok(source)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of its schema.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Whether its times are in the local time of the machine that wrote it, without saying which.
    #[must_use]
    pub fn is_in_local_time(&self) -> bool {
        self.local_time
    }

    fn page_sql(&self) -> String {
        let columns = &self.columns;
        format!("SELECT {columns} FROM connections WHERE rowid > ?1 ORDER BY rowid LIMIT ?2")
    }

    /// What comes after the row `after`.
    pub(super) fn survey(&self, after: i64, than: Option<i64>) -> Result<Survey, ImportError> {
        let time = time(self.local_time);
        let span = |which: &str| {
            let sql =
                format!("SELECT {time} FROM (SELECT {which}(contime) AS contime FROM connections)");
            self.conn.query_row(&sql, [], |row| Ok(number(row.get_ref(0)?)))
        };
        let count = |sql: &str, than: i64| {
            self.conn
                .query_row(sql, [after, than], |row| row.get::<_, i64>(0))
                .map(|count| u64::try_from(count).unwrap_or(0))
        };
        let bound = if self.local_time { "datetime(?2, 'unixepoch', 'localtime')" } else { "?2" };
        let survey = || -> Sql<Survey> {
            let all = "SELECT count(*) FROM connections WHERE rowid > ?1 AND ?2 = 0";
            let older =
                format!("SELECT count(*) FROM connections WHERE contime < {bound} AND rowid > ?1");
            Ok(Survey {
                rows: count(all, 0)?,
                oldest: span("min")?,
                newest: span("max")?,
                older: than.map_or(Ok(0), |than| count(&older, than))?,
            })
        };
        survey().map_err(|error| of_source(&self.path, &error))
    }

    /// Reads and translates at most `limit` rows after the row `after`, in the order of their
    /// numbers.
    pub(super) fn page(
        &self,
        after: i64,
        limit: usize,
        translator: &mut Translator,
        out: &mut Vec<Row>,
    ) -> Result<Page, ImportError> {
        let mut page = Page { rows: 0, last: after, print: String::new(), ended: false };
        let mut read = || -> Sql<()> {
            let mut stmt = self.conn.prepare_cached(&self.page_sql())?;
            let mut rows = stmt.query([after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
            while let Some(row) = rows.next()? {
                let number: i64 = row.get(0)?;
                if number <= page.last && page.last != i64::MIN {
                    // A damaged tree may lead in circles.
                    return Err(rusqlite::Error::IntegralValueOutOfRange(0, number));
                }
                let (raw, print) = (self.raw(row, translator)?, print(row)?);
                out.extend(translator.row(raw));
                (page.last, page.print) = (number, print);
                page.rows += 1;
            }
            page.ended = page.rows < limit;
            Ok(())
        };
        match read() {
            // What came before the damage is taken; the next page begins with it.
            Err(error) if page.rows == 0 => Err(of_source(&self.path, &error)),
            Ok(()) | Err(_) => Ok(page),
        }
    }

    fn raw<'a>(&self, row: &'a rusqlite::Row<'_>, translator: &mut Translator) -> Sql<Raw<'a>> {
        let at = |index: usize| row.get_ref(index).map(number);
        let text = |index: usize| row.get_ref(index).map(text);
        let who = [
            self.who(row, 0, translator)?,
            self.who(row, 1, translator)?,
            self.who(row, 2, translator)?,
        ];
        for index in [LADDR, RADDR, DOMAIN] {
            if self.interned && row.get_ref(index)? == ValueRef::Null {
                translator.blank(Blank::Reference);
            }
        }
        Ok(Raw {
            contime: at(1)?,
            send: at(3)?,
            recv: at(4)?,
            events: at(5)?,
            uid: at(6)?,
            family: at(7)?,
            protocol: at(8)?,
            lport: at(9)?,
            rport: at(10)?,
            netns: at(11)?,
            laddr: text(LADDR)?,
            raddr: text(RADDR)?,
            domain: text(DOMAIN)?,
            who,
            tells_family: self.tells_family,
        })
    }

    /// The program (0), its parent (1) or grandparent (2) of a row.
    fn who(
        &self,
        row: &rusqlite::Row<'_>,
        which: usize,
        translator: &mut Translator,
    ) -> Sql<Option<Executable>> {
        if self.interned {
            let Some(id) = number(row.get_ref(WHO + which)?) else { return Ok(None) };
            let key = Key::Id(id);
            if let Some(known) = translator.known(&key) {
                return Ok(known);
            }
            let mut stmt = self.conn.prepare_cached(EXECUTABLE)?;
            let mut found = stmt.query([id])?;
            let texts = found.next()?.map(|row| texts(row, 0)).transpose()?;
            return Ok(translator.executable(key, texts));
        }
        let texts = texts(row, WHO + which * 4)?;
        let mut key = Vec::new();
        for text in [texts.exe, texts.name, texts.cmdline, texts.sha256] {
            key.extend_from_slice(text);
            key.push(0);
        }
        let key = Key::Texts(key);
        match translator.known(&key) {
            Some(known) => Ok(known),
            None => Ok(translator.executable(key, Some(texts))),
        }
    }

    /// What the row of this number says, in few characters; `None` if there is none.
    pub(super) fn fingerprint(&self, rowid: i64) -> Result<Option<String>, ImportError> {
        let columns = &self.columns;
        let sql = format!("SELECT {columns} FROM connections WHERE rowid = ?1");
        let made = || -> Sql<Option<String>> {
            self.conn.prepare_cached(&sql)?.query_row([rowid], print).optional()
        };
        made().map_err(|error| of_source(&self.path, &error))
    }

    /// Number of the last row that has this fingerprint, whatever number it had before.
    pub(super) fn search(&self, mark: &str) -> Result<Option<i64>, ImportError> {
        let Some(time) = mark.splitn(3, ' ').nth(2) else { return Ok(None) };
        let same = "SELECT rowid FROM connections WHERE contime = ?1 ORDER BY rowid DESC LIMIT ?2";
        let read = || -> Sql<Vec<i64>> {
            let mut stmt = self.conn.prepare_cached(same)?;
            // A number in version 4, which SQLite sees by the column.
            stmt.query_map(rusqlite::params![time, SAME_SECOND], |row| row.get(0))?.collect()
        };
        for rowid in read().map_err(|error| of_source(&self.path, &error))? {
            if self.fingerprint(rowid)?.as_deref() == Some(mark) {
                return Ok(Some(rowid));
            }
        }
        Ok(None)
    }
}

/// `picosnitch DIGEST CONTIME`, of all that the row says but its number.
fn print(row: &rusqlite::Row<'_>) -> Sql<String> {
    let mut hash = Sha256::new();
    // Not the unix second: local time is another one in another zone, but the row stays the same.
    for index in WRITTEN..row.as_ref().column_count() {
        feed(&mut hash, row.get_ref(index)?);
    }
    let mut out = "picosnitch ".to_owned();
    for byte in hash.finalize().iter().take(16) {
        // Writing to a String cannot fail.
        write!(out, "{byte:02x}").ok();
    }
    match row.get_ref(WRITTEN)? {
        ValueRef::Integer(time) => write!(out, " {time}").ok(),
        ValueRef::Text(time) => {
            write!(out, " {}", String::from_utf8_lossy(words::cut(time, 64).0)).ok()
        }
        _ => None,
    };
    Ok(out)
}

const EXECUTABLE: &str = "SELECT exe, name, cmdline, sha256 FROM executables WHERE id = ?1";

fn feed(hash: &mut Sha256, value: ValueRef<'_>) {
    let (kind, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(number) => {
            hash.update([1]);
            hash.update(number.to_le_bytes());
            return;
        }
        ValueRef::Real(number) => {
            hash.update([2]);
            hash.update(number.to_le_bytes());
            return;
        }
        ValueRef::Text(text) => (3, text),
        ValueRef::Blob(bytes) => (4, bytes),
    };
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn number(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Integer(number) => Some(number),
        _ => None,
    }
}

fn text(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Text(text) => Some(text),
        _ => None,
    }
}

fn texts<'a>(row: &'a rusqlite::Row<'_>, from: usize) -> Sql<Texts<'a>> {
    let at = |index: usize| row.get_ref(from + index).map(|value| text(value).unwrap_or_default());
    Ok(Texts { exe: at(0)?, name: at(1)?, cmdline: at(2)?, sha256: at(3)? })
}

/// Opens it without ever writing to it.
fn connect(path: &Path) -> Sql<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let readable = |conn: Connection| -> Sql<Connection> {
        conn.busy_timeout(BUSY_TIMEOUT)?;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
        conn.pragma_update(None, "query_only", true)?;
        conn.pragma_update(None, "trusted_schema", false)?;
        conn.pragma_update(None, "cell_size_check", true)?;
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(conn)
    };
    let opened = Connection::open_with_flags(path, flags).and_then(readable);
    match opened {
        // In a directory that may not be written, as of a backup: a journal cannot be shared there,
        // and there is none.
        Err(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
            ) && place::size(&place::beside(path, "-wal")) == 0 =>
        {
            let Some(uri) = immutable(path) else { return Err(error) };
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(uri, flags).and_then(readable)
        }
        opened => opened,
    }
}

/// The file as something that nobody changes.
fn immutable(path: &Path) -> Option<String> {
    let mut uri = "file:".to_owned();
    for byte in std::path::absolute(path).ok()?.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            write!(uri, "%{byte:02X}").ok()?;
        }
    }
    uri.push_str("?immutable=1");
    Some(uri)
}

fn version(conn: &Connection, path: &Path) -> Result<i64, ImportError> {
    let number = |sql: &str| {
        let found = conn.query_row(sql, [], |row| row.get::<_, i64>(0));
        found.map_err(|error| of_source(path, &error))
    };
    let foreign =
        |reason: &str| ImportError::Foreign { path: path.to_owned(), reason: reason.to_owned() };
    match number("PRAGMA application_id")? {
        0 => {}
        APPLICATION_ID => return Err(foreign("it is femtosnitch's own")),
        _ => return Err(foreign("it is some other program's")),
    }
    if number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Err(foreign("it is empty"));
    }
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'connections'";
    if number(table)? == 0 {
        return Err(foreign("it has no table connections"));
    }
    // Views and virtual tables may do anything.
    let others = "SELECT count(*) FROM sqlite_schema WHERE (type = 'view' OR rootpage = 0)
                  AND name IN ('connections', 'executables', 'domains', 'addresses')";
    if number(others)? > 0 {
        return Err(foreign("its tables are none"));
    }
    match number("PRAGMA user_version")? {
        version @ (3 | 4) => Ok(version),
        0 => Err(foreign("it tells no version")),
        found => Err(ImportError::Version { path: path.to_owned(), found }),
    }
}

/// Columns of `connections` and their types.
fn columns(conn: &Connection, path: &Path) -> Result<BTreeSet<(String, String)>, ImportError> {
    let read = || -> Sql<BTreeSet<(String, String)>> {
        let columns = "SELECT lower(name), upper(type) FROM pragma_table_info('connections')";
        let mut stmt = conn.prepare(columns)?;
        stmt.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    read().map_err(|error| of_source(path, &error))
}

/// When a row was written, as a unix second.
fn time(local: bool) -> String {
    if local {
        format!(
            "CASE WHEN contime GLOB '{LOCAL_TIME}' AND length(contime) = 19
               THEN unixepoch(contime, 'utc') END"
        )
    } else {
        "contime".to_owned()
    }
}

/// What to select of `connections`, or which column it lacks.
fn select(names: &BTreeSet<(String, String)>, interned: bool) -> Result<String, String> {
    let has = |name: &str| names.iter().any(|(column, _)| column == name);
    let local = names.iter().any(|(name, kind)| name == "contime" && kind == "TEXT");
    if !has("contime") {
        return Err("contime".to_owned());
    }
    let mut out = vec!["rowid".to_owned(), time(local), "contime".to_owned()];
    for name in NUMBERS {
        let may_lack = matches!(name, "events" | "family" | "protocol" | "netns");
        match (has(name), may_lack) {
            (true, _) => out.push(name.to_owned()),
            (false, true) => out.push("NULL".to_owned()),
            (false, false) => return Err(name.to_owned()),
        }
    }
    for (name, table, column) in [
        ("laddr", "addresses", "addr"),
        ("raddr", "addresses", "addr"),
        ("domain", "domains", "domain"),
    ] {
        if has(&format!("{name}_id")) {
            out.push(format!("(SELECT {column} FROM {table} WHERE id = {name}_id)"));
        } else if has(name) {
            out.push(name.to_owned());
        } else {
            return Err(name.to_owned());
        }
    }
    for (prefix, may_lack) in [("", false), ("p", false), ("gp", true)] {
        let ids = [format!("{prefix}exe_id")];
        let texts = ["exe", "name", "cmdline", "sha256"].map(|text| format!("{prefix}{text}"));
        for name in if interned { &ids[..] } else { &texts[..] } {
            match (has(name), may_lack) {
                (true, _) => out.push(name.clone()),
                (false, true) => out.push("NULL".to_owned()),
                (false, false) => return Err(name.clone()),
            }
        }
    }
    Ok(out.join(", "))
}
