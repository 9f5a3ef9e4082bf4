//! A link, its hash, and where it lies.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;
use sha2::Digest as _;
use sha2::Sha256;

use crate::classify::Sql;

pub(super) type Hash = [u8; 32];

/// The table, made when tamper evidence is switched on first. It is no part of the schema's
/// version: nobody misses it who does not look for it.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS chain(
    id INTEGER PRIMARY KEY,
    -- Unix second at which it was written.
    time INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    -- Unix second of the oldest row that it vouches for, if any, and of the newest so far.
    since INTEGER,
    until INTEGER,
    -- Of a lasting link: the hash of the last batch before it, if there was one.
    tip BLOB,
    -- Of one that takes over what older links say: the last of these, and its hash.
    origin INTEGER,
    before BLOB,
    hash BLOB NOT NULL,
    covers BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS chain_batches ON chain(id) WHERE kind = 0;
CREATE INDEX IF NOT EXISTS chain_switches ON chain(id) WHERE kind IN (3, 4)";

/// Why there is a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A batch, until its rows are sealed.
    Batch = 0,
    /// Rows were sealed.
    Seal = 1,
    /// Something was let go of.
    Expire = 2,
    /// Switched on: vouches for all that there is, as it is then.
    On = 3,
    /// Switched off.
    Off = 4,
    /// More of what there was when it was switched on.
    Stock = 5,
    /// A batch, or nothing at all, from time to time: so that there is a hash to note down.
    Mark = 6,
    /// Takes over what the oldest links say, which go.
    Carry = 7,
    /// The history was opened.
    Open = 8,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Batch,
        Self::Seal,
        Self::Expire,
        Self::On,
        Self::Off,
        Self::Stock,
        Self::Mark,
        Self::Carry,
        Self::Open,
    ];

    pub(super) fn of(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i64 == code)
    }

    pub(super) fn is_lasting(self) -> bool {
        self != Self::Batch
    }
}

#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) id: i64,
    pub(super) time: i64,
    /// As it is stored; [`Kind::of`].
    pub(super) kind: i64,
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) tip: Option<Vec<u8>>,
    pub(super) origin: Option<i64>,
    pub(super) before: Option<Vec<u8>>,
    pub(super) hash: Vec<u8>,
    pub(super) covers: Vec<u8>,
}

impl Link {
    const COLUMNS: &'static str = "id, time, kind, since, until, tip, origin, before, hash, covers";

    fn read(row: &Row<'_>) -> Sql<Self> {
        Ok(Self {
            id: row.get(0)?,
            time: row.get(1)?,
            kind: row.get(2)?,
            since: row.get(3)?,
            until: row.get(4)?,
            tip: row.get(5)?,
            origin: row.get(6)?,
            before: row.get(7)?,
            hash: row.get(8)?,
            covers: row.get(9)?,
        })
    }

    /// What its hash has to be after `previous`.
    pub(super) fn hashed(&self, previous: &[u8]) -> Hash {
        let mut hash = Sha256::new();
        let mut bytes = |bytes: Option<&[u8]>| {
            let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
            hash.update(length.to_le_bytes());
            hash.update(bytes.unwrap_or_default());
        };
        bytes(Some(b"femtosnitch chain 1"));
        bytes(Some(previous));
        for number in
            [Some(self.id), Some(self.time), Some(self.kind), self.since, self.until, self.origin]
        {
            bytes(number.map(i64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice));
        }
        bytes(self.tip.as_deref());
        bytes(self.before.as_deref());
        bytes(Some(&self.covers));
        hash.finalize().into()
    }

    pub(super) fn write(&self, tx: &Transaction<'_>) -> Sql<()> {
        let sql = format!(
            "INSERT INTO chain({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            Self::COLUMNS
        );
        tx.prepare_cached(&sql)?.execute(params![
            self.id,
            self.time,
            self.kind,
            self.since,
            self.until,
            self.tip,
            self.origin,
            self.before,
            self.hash,
            self.covers
        ])?;
        Ok(())
    }

    /// Shows `each` link, from the oldest on, until it says false.
    pub(super) fn each<E: From<rusqlite::Error>>(
        conn: &Connection,
        mut each: impl FnMut(Self) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut stmt = conn.prepare(&format!("SELECT {} FROM chain ORDER BY id", Self::COLUMNS))?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            if !each(Self::read(row)?)? {
                break;
            }
        }
        Ok(())
    }
}

/// True if there is a chain, on or off.
pub(super) fn exists(conn: &Connection) -> Sql<bool> {
    let sql = "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'chain'";
    Ok(conn.query_row(sql, [], |_| Ok(())).optional()?.is_some())
}

/// True if it was switched on last, or what switched it on is long gone.
pub(super) fn is_on(conn: &Connection) -> Sql<bool> {
    let sql = "SELECT kind FROM chain WHERE kind IN (3, 4) ORDER BY id DESC LIMIT 1";
    let last: Option<i64> = conn.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(last != Some(Kind::Off as i64))
}

/// As people note it down.
pub(super) fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
