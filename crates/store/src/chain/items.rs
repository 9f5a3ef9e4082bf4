//! What is vouched for: which columns of which tables, and the digest of a row of them.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ToSqlOutput;
use rusqlite::types::Value;
use rusqlite::types::ValueRef;
use sha2::Digest as _;
use sha2::Sha256;

use crate::blocks;
use crate::classify::Sql;

/// Digest of a row: the first half of a SHA-256, as there is one for each row.
pub(super) type Digest = [u8; 16];

/// A table, or part of it.
#[derive(Debug)]
pub(super) struct Item {
    /// As links have it. Never changed.
    pub(super) code: u8,
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    /// Those that say something; not what says when it was seen last.
    pub(super) columns: &'static str,
    /// Which rows: a condition with `{}` for the row; '' for all.
    pub(super) only: &'static str,
    /// What one is called, and what of it tells a reader which one it is.
    pub(super) name: &'static str,
    pub(super) tell: &'static str,
}

pub(super) const BLOCKS: u8 = 1;
pub(super) const SUMS: u8 = 2;
pub(super) const GAPS: u8 = 13;
/// The tables and views themselves, with key 0.
pub(super) const SCHEMA: u8 = 30;
/// No row: its key is the schema's version.
pub(super) const VERSION: u8 = 31;

const fn item(
    code: u8,
    table: &'static str,
    columns: &'static str,
    name: &'static str,
    tell: &'static str,
) -> Item {
    Item { code, table, key: "id", columns, only: "", name, tell }
}

/// All of them, by code.
pub(super) const ITEMS: &[Item] = &[
    item(BLOCKS, "blocks", blocks::COLUMNS, "block of rows", ""),
    Item {
        key: "key",
        // Others go with the rows, from which they can be made again.
        only: "({}key >> 40 & 7) < 3",
        ..item(SUMS, "rollups", "sums", "sum", "")
    },
    item(
        3,
        "actors",
        "exe_id, pexe_id, gpexe_id, uid, netns, container_id, place_id, script_id, login_uid, \
         laddr_id, placed",
        "who",
        "(SELECT exe FROM executables WHERE id = exe_id)",
    ),
    item(
        4,
        "peers",
        "family, protocol, direction, raddr_id, rport, lport, domain_id, name_source, loose",
        "other end",
        "(SELECT addr FROM addresses WHERE id = raddr_id)",
    ),
    item(
        5,
        "processes",
        "boot, pid, exec_id, start_ns, launched, exe_id, script_id, parent_id, place_id, uid, \
         login_uid, session",
        "process",
        "(SELECT exe FROM executables WHERE id = exe_id)",
    ),
    item(6, "executables", "exe, name, cmdline, sha256", "executable", "exe"),
    item(7, "domains", "domain", "name", "domain"),
    item(8, "addresses", "addr, location_id", "address", "addr"),
    item(9, "locations", "country, asn, org", "location", "country || ' AS' || asn"),
    item(10, "places", "container_id, unit, app, realm", "place", "unit"),
    item(11, "containers", "container", "container", "container"),
    item(
        12,
        "event_log",
        "at, kind, program_id, exe_id, process_id, old_sha256, detail",
        "event",
        "kind || ' ' || detail",
    ),
    Item { key: "began", ..item(GAPS, "gaps", "began, ended, reason", "gap", "reason") },
    item(14, "programs", "realm, path, first_networked", "program", "path"),
    item(15, "boots", "boot_id", "boot", "boot_id"),
    item(16, "heartbeat", "at, clean", "last sign of life", "at"),
    Item { key: "level", ..item(17, "levels", "name, since", "beginning of what is kept", "name") },
    item(18, "name_sources", "name", "word for how a name is known", "name"),
];

impl Item {
    pub(super) fn of(code: u8) -> Option<&'static Self> {
        ITEMS.iter().find(|item| item.code == code)
    }

    /// Several rows have one key.
    pub(super) fn is_shared(&self) -> bool {
        self.code == GAPS
    }

    /// The digest of the row of `row` (`NEW.`, `OLD.` or nothing), as SQL.
    pub(super) fn digest(&self, row: &str) -> String {
        let columns: Vec<String> =
            self.columns.split(',').map(|column| format!("{row}{}", column.trim())).collect();
        format!("chain_digest({}, {row}{}, {})", self.code, self.key, columns.join(", "))
    }

    /// Which rows, as SQL.
    pub(super) fn only(&self, row: &str) -> Option<String> {
        (!self.only.is_empty()).then(|| self.only.replace("{}", row))
    }

    /// Keys and digests of all rows, in the order of keys.
    pub(super) fn all(&self) -> String {
        let only = self.only("").map_or_else(String::new, |only| format!("WHERE {only}"));
        let (key, table, digest) = (self.key, self.table, self.digest(""));
        let order = if self.is_shared() { self.columns } else { key };
        format!("SELECT {key}, {digest} FROM {table} {only} ORDER BY {order}")
    }

    /// The digest of what has this key now; `None` if there is nothing.
    pub(super) fn now(&self, conn: &Connection, key: i64) -> Sql<Option<Digest>> {
        let Self { key: column, table, columns, .. } = self;
        let sql = format!(
            "SELECT {} FROM {table} WHERE {column} = ?1 ORDER BY {columns}",
            self.digest("")
        );
        let mut stmt = conn.prepare_cached(&sql)?;
        let mut rows = stmt.query([key])?;
        let mut together = Together::default();
        while let Some(row) = rows.next()? {
            together.add(row.get(0)?);
        }
        Ok(together.0)
    }
}

/// The digest of all rows with one key.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Together(pub(super) Option<Digest>);

impl Together {
    pub(super) fn add(&mut self, digest: Digest) {
        self.0 = Some(match self.0 {
            None => digest,
            Some(before) => half(Sha256::new().chain_update(before).chain_update(digest)),
        });
    }
}

fn half(hash: Sha256) -> Digest {
    let mut digest = Digest::default();
    digest.iter_mut().zip(hash.finalize()).for_each(|(to, byte)| *to = byte);
    digest
}

/// The digest of tables, views, indexes and triggers as they are declared.
pub(super) fn schema(conn: &Connection) -> Sql<Digest> {
    let mut hash = Sha256::new();
    let mut stmt = conn.prepare(
        "SELECT type, name, sql FROM main.sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'
         ORDER BY type, name",
    )?;
    let mut rows = stmt.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..3 {
            value(&mut hash, row.get_ref(column)?);
        }
    }
    Ok(half(hash))
}

fn value(hash: &mut Sha256, value: ValueRef<'_>) {
    let mut bytes = |tag: u8, bytes: &[u8]| {
        hash.update([tag]);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    match value {
        ValueRef::Null => hash.update([0]),
        ValueRef::Integer(number) => {
            hash.update([1]);
            hash.update(number.to_le_bytes());
        }
        ValueRef::Real(number) => {
            hash.update([2]);
            hash.update(number.to_le_bytes());
        }
        ValueRef::Text(text) => bytes(3, text),
        ValueRef::Blob(blob) => bytes(4, blob),
    }
}

/// `chain_digest(code, key, column, …)`: the [`Digest`] of a row.
pub(crate) fn add_function(conn: &Connection) -> Sql<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    conn.create_scalar_function("chain_digest", -1, flags, |context| {
        let mut hash = Sha256::new();
        for at in 0..context.len() {
            value(&mut hash, context.get_raw(at));
        }
        Ok(ToSqlOutput::Owned(Value::Blob(half(hash).to_vec())))
    })
}
