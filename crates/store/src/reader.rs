//! Read-only access, at any time, for anybody who may read the file.

use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;

use crate::StoreError;
use crate::ask::Cache;
use crate::chain;
use crate::classify::At;
use crate::classify::Sql;
use crate::migrate;
use crate::place;
use crate::schema::SCHEMA_VERSION;

/// A reader only ever waits for the moment in which a journal is recovered or reset.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages kept for the next question: 8 MB (negative: in KiB).
const CACHE: i64 = -8_192;

/// What the history amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections kept.
    pub rows: u64,
    /// Unix second of the oldest, `None` if there are none.
    pub oldest: Option<i64>,
    /// Unix second of the newest.
    pub newest: Option<i64>,
    /// Bytes on disk, the journal included.
    pub bytes: u64,
}

/// One read-only connection. Each query sees one consistent state of the history.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
    path: PathBuf,
    cache: Cache,
}

impl Reader {
    /// Opens the history at `path`. Works while the daemon writes, and for members of its group
    /// who may not write.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Permission`], [`StoreError::Newer`],
    /// [`StoreError::Older`], [`StoreError::Corrupt`] …, each saying what to do.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags).at(path)?;
        // Never tidy up behind the writer.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).at(path)?;
        conn.busy_timeout(BUSY_TIMEOUT).at(path)?;
        conn.pragma_update(None, "query_only", true).at(path)?;
        conn.pragma_update(None, "cache_size", CACHE).at(path)?;
        conn.pragma_update(None, "trusted_schema", false).at(path)?;
        let found = migrate::version(&conn, path, SCHEMA_VERSION)?;
        if found == 0 {
            // The daemon has made the file and not yet its tables.
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        if found < SCHEMA_VERSION {
            let known = SCHEMA_VERSION;
            return Err(StoreError::Older { path: path.to_owned(), found, known });
        }
        add_functions(&conn).at(path)?;
        Ok(Self { conn, path: path.to_owned(), cache: Cache::default() })
    }

    /// Who runs an autonomous system, as it was known last; '' if it is not.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn operator(&self, asn: u32) -> Result<String, StoreError> {
        let latest = "SELECT org FROM locations WHERE asn = ?1 AND org <> ''
                      ORDER BY last_seen DESC, id DESC LIMIT 1";
        let found = self
            .conn
            .prepare_cached(latest)
            .and_then(|mut stmt| stmt.query_row([asn], |row| row.get(0)).optional())
            .at(&self.path)?;
        Ok(found.unwrap_or_default())
    }

    /// Size and span of the history. Takes no time whatever its size.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let (rows, oldest, newest) = self
            .consistently(|conn| {
                let number = |sql: &str| {
                    conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).optional()
                };
                let rows = number("SELECT value FROM totals WHERE name = 'rows'")?;
                let mut ends = (None, None);
                // By the index of each; no block has rows of two days.
                for sealed in [0, 1] {
                    let oldest =
                        number(&format!("SELECT min(first) FROM blocks WHERE sealed = {sealed}"))?;
                    let newest = number(&format!(
                        "SELECT max(last) FROM blocks WHERE sealed = {sealed} AND first >
                           (SELECT max(first) FROM blocks WHERE sealed = {sealed}) - 86400"
                    ))?;
                    let oldest = oldest.flatten();
                    ends.0 = ends.0.into_iter().chain(oldest).min();
                    ends.1 = ends.1.max(newest.flatten());
                }
                Ok((rows.flatten(), ends.0, ends.1))
            })
            .at(&self.path)?;
        let rows = rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0);
        let bytes = place::size(&self.path) + place::size(&place::beside(&self.path, "-wal"));
        Ok(Stats { rows, oldest, newest, bytes })
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// One state of the history.
    pub(crate) fn begin(&self) -> Result<Transaction<'_>, StoreError> {
        self.conn.unchecked_transaction().at(&self.path)
    }

    /// Runs `read` on one snapshot.
    pub(crate) fn consistently<T>(&self, read: impl FnOnce(&Connection) -> Sql<T>) -> Sql<T> {
        let tx = self.conn.unchecked_transaction()?;
        read(&tx)
    }
}

/// `plain_name(domain)`: a name as people read it; `in_network(addr, network)`: 1 if the address is one and lies in the network.
fn add_functions(conn: &Connection) -> Sql<()> {
    migrate::add_functions(conn)?;
    chain::add_function(conn)?;
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    conn.create_scalar_function("plain_name", 1, flags, |context| {
        Ok(crate::filter::reversed(context.get_raw(0).as_str().unwrap_or_default()))
    })?;
    conn.create_scalar_function("in_network", 2, flags, |context| {
        let text = |at| context.get_raw(at).as_str().unwrap_or_default();
        let inside = match (text(0).parse::<IpAddr>(), text(1).parse::<IpNet>()) {
            (Ok(addr), Ok(network)) => network.contains(&addr),
            _ => false,
        };
        Ok(inside)
    })
}
