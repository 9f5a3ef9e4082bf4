//! Actors and peers of a damaged history, in the new one.

use rusqlite::OptionalExtension;
use rusqlite::params_from_iter;

use super::names::Between;
use super::names::Names;
use super::names::Table;
use crate::classify::Sql;

impl Names {
    /// Who moved bytes; nobody known if that cannot be read.
    pub(super) fn actor(&mut self, it: Between<'_>, id: i64) -> Sql<i64> {
        const COLUMNS: [&str; 11] = [
            "exe_id",
            "pexe_id",
            "gpexe_id",
            "script_id",
            "container_id",
            "place_id",
            "laddr_id",
            "uid",
            "netns",
            "login_uid",
            "placed",
        ];
        // Login and user -1: nobody, as 0 would be root.
        const UNKNOWN: [i64; 11] = [0, 0, 0, 0, 0, 0, 0, -1, 0, -1, 0];
        self.party((Table::Actor, id), |names| {
            let Some((values, last)) = party(it, "actors", COLUMNS, id) else {
                return same(it, "actors", COLUMNS, UNKNOWN.into_iter(), it.now);
            };
            let [exe, pexe, gpexe, script, container, place, laddr, rest @ ..] = values;
            let refers = [
                names.executable(it, exe)?,
                names.executable(it, pexe)?,
                names.executable(it, gpexe)?,
                names.executable(it, script)?,
                names.container(it, container)?,
                names.place(it, place)?,
                names.address(it, laddr)?,
            ];
            same(it, "actors", COLUMNS, refers.into_iter().chain(rest), last)
        })
    }

    /// To whom; likewise.
    pub(super) fn peer(&mut self, it: Between<'_>, id: i64) -> Sql<i64> {
        const COLUMNS: [&str; 9] = [
            "raddr_id",
            "domain_id",
            "family",
            "protocol",
            "direction",
            "rport",
            "lport",
            "name_source",
            "loose",
        ];
        self.party((Table::Peer, id), |names| {
            let Some((values, last)) = party(it, "peers", COLUMNS, id) else {
                return same(it, "peers", COLUMNS, [0; 9].into_iter(), it.now);
            };
            let [raddr, domain, rest @ ..] = values;
            let refers = [names.address(it, raddr)?, names.domain(it, domain)?];
            same(it, "peers", COLUMNS, refers.into_iter().chain(rest), last)
        })
    }
}

/// Reads an actor or a peer.
fn party<const N: usize>(
    it: Between<'_>,
    table: &str,
    columns: [&str; N],
    id: i64,
) -> Option<([i64; N], i64)> {
    let sql = format!("SELECT {}, last_seen FROM {table} WHERE id = ?1", columns.join(", "));
    it.read(&sql, id, |row| {
        let mut values = [0; N];
        for (at, value) in values.iter_mut().enumerate() {
            *value = row.get(at)?;
        }
        Ok((values, row.get(N)?))
    })
}

/// Finds the same actor or peer in the new history, or inserts it.
fn same<const N: usize>(
    it: Between<'_>,
    table: &str,
    columns: [&str; N],
    values: impl Iterator<Item = i64> + Clone,
    last: i64,
) -> Sql<i64> {
    let equal: Vec<String> = columns.iter().map(|column| format!("{column} = ?")).collect();
    let find = format!("SELECT id FROM {table} WHERE {} ORDER BY id LIMIT 1", equal.join(" AND "));
    let mut stmt = it.tx.prepare_cached(&find)?;
    let found: Option<i64> =
        stmt.query_row(params_from_iter(values.clone()), |row| row.get(0)).optional()?;
    if let Some(found) = found {
        it.tx
            .prepare_cached(&format!(
                "UPDATE {table} SET last_seen = max(last_seen, ?2) WHERE id = ?1"
            ))?
            .execute([found, last])?;
        return Ok(found);
    }
    let insert = format!(
        "INSERT INTO {table}({}, last_seen) VALUES ({}?) RETURNING id",
        columns.join(", "),
        "?, ".repeat(N)
    );
    it.tx
        .prepare_cached(&insert)?
        .query_row(params_from_iter(values.chain([last])), |row| row.get(0))
}
