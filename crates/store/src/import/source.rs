//! Reading a picosnitch database, whatever state it is in.

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use femtosnitch_model::Executable;
use femtosnitch_model::Row;
use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;

use super::ImportError;
use super::error::of_source;
use super::find::print;
use super::layout;
use super::layout::DOMAIN;
use super::layout::LADDR;
use super::layout::RADDR;
use super::layout::WHO;
use super::translate::Blank;
use super::translate::Key;
use super::translate::Raw;
use super::translate::Texts;
use super::translate::Translator;
use crate::classify::Sql;
use crate::place;

/// picosnitch writes for milliseconds, every ten seconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// No text or row that picosnitch writes is longer (a command line may have 2 MiB).
const LONGEST_VALUE: i32 = 16 << 20;
/// A picosnitch database, opened read-only.
#[derive(Debug)]
pub struct Picosnitch {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    version: i64,
    /// What is selected of `connections`.
    pub(super) columns: String,
    /// Executables are numbers that refer to a table of their own.
    interned: bool,
    tells_family: bool,
    /// Times are texts of the local time zone.
    pub(super) local_time: bool,
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
        let version = layout::version(&conn, path)?;
        let names = layout::columns(&conn, path)?;
        let foreign = |reason: &str| ImportError::Foreign {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let has = |name: &str| names.iter().any(|(column, _)| column == name);
        let interned = has("exe_id");
        let columns = layout::select(&names, interned).map_err(|missing| {
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
        let time = layout::time(self.local_time);
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
        let key = Key::Texts(texts.key());
        match translator.known(&key) {
            Some(known) => Ok(known),
            None => Ok(translator.executable(key, Some(texts))),
        }
    }
}

const EXECUTABLE: &str = "SELECT exe, name, cmdline, sha256 FROM executables WHERE id = ?1";

pub(super) fn number(value: ValueRef<'_>) -> Option<i64> {
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
