//! The same history as picosnitch would have it, and its way of asking.
//!
//! Its schema (`user_version` 4): every row refers to three lookup tables by seven columns, and has
//! four indexes. Its views join all of these, and group what is joined.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::Result;
use femtosnitch_model::Digest;
use femtosnitch_model::Executable;
use femtosnitch_model::ImageId;
use femtosnitch_model::Row;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::params;
use rusqlite::types::Value;

use crate::questions::Kind;
use crate::questions::Question;

const SCHEMA: &str = "
CREATE TABLE executables(id INTEGER PRIMARY KEY, exe TEXT NOT NULL, name TEXT NOT NULL,
    cmdline TEXT NOT NULL, sha256 TEXT NOT NULL, UNIQUE(exe, name, cmdline, sha256)) STRICT;
CREATE TABLE domains(id INTEGER PRIMARY KEY, domain TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE addresses(id INTEGER PRIMARY KEY, addr TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE connections(contime INTEGER NOT NULL, send INTEGER NOT NULL, recv INTEGER NOT NULL,
    events INTEGER NOT NULL, exe_id INTEGER NOT NULL REFERENCES executables(id),
    pexe_id INTEGER NOT NULL REFERENCES executables(id),
    gpexe_id INTEGER NOT NULL REFERENCES executables(id), uid INTEGER NOT NULL,
    family INTEGER NOT NULL, protocol INTEGER NOT NULL, lport INTEGER NOT NULL,
    rport INTEGER NOT NULL, laddr_id INTEGER NOT NULL REFERENCES addresses(id),
    raddr_id INTEGER NOT NULL REFERENCES addresses(id),
    domain_id INTEGER NOT NULL REFERENCES domains(id), netns INTEGER NOT NULL) STRICT;
CREATE INDEX connections_contime ON connections(contime);
CREATE INDEX connections_exe ON connections(exe_id, contime);
CREATE INDEX connections_pexe ON connections(pexe_id, contime);
CREATE INDEX connections_gpexe ON connections(gpexe_id, contime);
INSERT INTO executables VALUES (0, '', '', '', '');
INSERT INTO domains VALUES (0, '');
INSERT INTO addresses VALUES (0, '');
PRAGMA user_version = 4;
";
/// Rows in one transaction: many more than it would write at once, so that it does not take hours.
const ROWS_AT_ONCE: usize = 200_000;
/// Points of a line in a chart of its dashboard.
const BUCKETS: i64 = 300;
const JOINED: &str = "FROM connections c
    JOIN executables e ON e.id = c.exe_id JOIN executables p ON p.id = c.pexe_id
    JOIN executables g ON g.id = c.gpexe_id JOIN domains d ON d.id = c.domain_id
    JOIN addresses l ON l.id = c.laddr_id JOIN addresses r ON r.id = c.raddr_id";

/// Writes such a database.
#[derive(Debug)]
pub(crate) struct Reference {
    conn: Connection,
    executables: HashMap<(ImageId, Digest), i64>,
    domains: HashMap<Arc<str>, i64>,
    addresses: HashMap<IpAddr, i64>,
    /// Rows in the transaction.
    open: usize,
}

impl Reference {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let conn = Connection::open(path)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "synchronous", "OFF")?;
        conn.pragma_update(None, "cache_size", -400_000)?;
        conn.execute_batch(SCHEMA)?;
        Ok(Self {
            conn,
            executables: HashMap::new(),
            domains: HashMap::from([("".into(), 0)]),
            addresses: HashMap::new(),
            open: 0,
        })
    }

    pub(crate) fn write(&mut self, rows: &[Row]) -> Result<()> {
        if self.open == 0 {
            self.conn.execute_batch("BEGIN")?;
        }
        for row in rows {
            self.insert(row)?;
        }
        self.open += rows.len();
        if self.open >= ROWS_AT_ONCE {
            self.conn.execute_batch("COMMIT")?;
            self.open = 0;
        }
        Ok(())
    }

    /// The last rows, out of the journal.
    pub(crate) fn finish(&mut self) -> Result<()> {
        if std::mem::take(&mut self.open) > 0 {
            self.conn.execute_batch("COMMIT")?;
        }
        self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    fn insert(&mut self, row: &Row) -> Result<()> {
        let exe = self.executable(Some(&row.exe))?;
        let parent = self.executable(row.parent.as_ref())?;
        let grandparent = self.executable(row.grandparent.as_ref())?;
        let (laddr, raddr) = (self.address(row.laddr)?, self.address(row.raddr)?);
        let domain = id(&self.conn, &mut self.domains, Arc::clone(&row.domain), |conn| {
            conn.prepare_cached("INSERT INTO domains(domain) VALUES (?1)")?.insert([&*row.domain])
        })?;
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.conn
            .prepare_cached(
                "INSERT INTO connections VALUES
                 (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?
            .execute(params![
                row.contime,
                number(row.send),
                number(row.recv),
                number(row.events),
                exe,
                parent,
                grandparent,
                row.uid,
                row.family,
                row.protocol,
                row.lport,
                row.rport,
                laddr,
                raddr,
                domain,
                row.netns,
            ])?;
        Ok(())
    }

    fn executable(&mut self, executable: Option<&Executable>) -> Result<i64> {
        let Some(Executable { image, digest }) = executable else { return Ok(0) };
        id(&self.conn, &mut self.executables, (image.id, *digest), |conn| {
            let insert =
                "INSERT INTO executables(exe, name, cmdline, sha256) VALUES (?1, ?2, ?3, ?4)";
            let text = (&image.path, &image.name, &image.cmdline, digest.to_string());
            conn.prepare_cached(insert)?.insert(text)
        })
    }

    fn address(&mut self, addr: Option<IpAddr>) -> Result<i64> {
        let Some(addr) = addr else { return Ok(0) };
        id(&self.conn, &mut self.addresses, addr, |conn| {
            let insert = "INSERT INTO addresses(addr) VALUES (?1)";
            conn.prepare_cached(insert)?.insert([addr.to_string()])
        })
    }
}

fn id<K: Hash + Eq>(
    conn: &Connection,
    known: &mut HashMap<K, i64>,
    key: K,
    insert: impl FnOnce(&Connection) -> rusqlite::Result<i64>,
) -> Result<i64> {
    if let Some(id) = known.get(&key) {
        return Ok(*id);
    }
    let id = insert(conn)?;
    known.insert(key, id);
    Ok(id)
}

fn column(dimension: &str) -> Result<&'static str> {
    Ok(match dimension {
        "exe" => "e.exe",
        "domain" => "d.domain",
        "raddr" => "r.addr",
        other => anyhow::bail!("the reference is not asked by {other}"),
    })
}

fn sql(question: &Question) -> Result<(String, Vec<Value>)> {
    let by = column(question.by.first().context("the reference is asked by something")?)?;
    if question.kind == Kind::ReferencePicker {
        return Ok((format!("SELECT DISTINCT {by}, 0 {JOINED} ORDER BY 1 LIMIT 200"), Vec::new()));
    }
    let mut values: Vec<Value> = vec![question.since.into(), question.until.into()];
    let mut condition = "c.contime >= ?1 AND c.contime < ?2".to_owned();
    for filter in &question.filters {
        let (dimension, value) = filter.split_once('=').context("a filter has a value")?;
        values.push(value.to_owned().into());
        condition = format!("{condition} AND {} = ?{}", column(dimension)?, values.len());
    }
    let bucket = match question.kind {
        Kind::ReferenceSeries => {
            let length = ((question.until - question.since) / BUCKETS).max(1);
            format!(", c.contime / {length} * {length}")
        }
        _ => String::new(),
    };
    let sql = format!(
        "SELECT {by}, sum(c.send), sum(c.recv), sum(c.events){bucket} {JOINED}
         WHERE {condition} GROUP BY {by}{bucket}"
    );
    Ok((sql, values))
}

/// Asks as often as the result is called, which tells how many lines came.
pub(crate) fn asker(path: &Path, question: &Question) -> Result<Box<dyn FnMut() -> Result<usize>>> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let (sql, values) = sql(question)?;
    Ok(Box::new(move || {
        let mut stmt = conn.prepare(&sql)?;
        let mut rows = stmt.query(rusqlite::params_from_iter(&values))?;
        let mut kept: Vec<(String, i64)> = Vec::new();
        while let Some(row) = rows.next()? {
            // Python keeps all of it, too.
            kept.push((row.get(0)?, row.get(1)?));
        }
        Ok(kept.len())
    }))
}

/// Rows, and bytes sent and received, in all.
///
/// # Errors
/// If it cannot be read.
pub fn totals(path: &Path) -> Result<(u64, u64, u64)> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sums = "SELECT count(*), coalesce(sum(send), 0), coalesce(sum(recv), 0) FROM connections";
    Ok(conn.query_row(sums, [], |row| {
        let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        Ok((number(0)?, number(1)?, number(2)?))
    })?)
}
