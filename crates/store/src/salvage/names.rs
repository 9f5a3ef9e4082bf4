//! What the numbers of a damaged history stand for, in the new one.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Params;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use crate::classify::Sql;
use crate::processes::MAX_CLIMB;
use crate::processes::Refers;
use crate::processes::touch_above;
use crate::processes::touch_names;

/// Numbers that are kept; a miss costs some look-ups.
const MOST: usize = 200_000;

/// The damaged history, and the transaction in the new one.
#[derive(Clone, Copy)]
pub(super) struct Between<'a> {
    pub(super) source: &'a Connection,
    pub(super) tx: &'a Transaction<'a>,
    /// Unix seconds: what is not known to have been seen before was seen now.
    pub(super) now: i64,
}

impl Between<'_> {
    /// A row of the damaged history. Whatever is the reason that it cannot be read: `None`.
    pub(super) fn read<T>(
        &self,
        sql: &str,
        id: i64,
        read: impl FnOnce(&Row<'_>) -> Sql<T>,
    ) -> Option<T> {
        let mut stmt = self.source.prepare_cached(sql).ok()?;
        stmt.query_row([id], read).ok()
    }

    /// Inserts into the new one, or finds what is there; the statement returns the number.
    fn id(&self, sql: &str, values: impl Params) -> Sql<i64> {
        self.tx.prepare_cached(sql)?.query_row(values, |row| row.get(0))
    }
}

/// Tables whose rows have numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Table {
    Executable,
    Domain,
    Address,
    Location,
    Container,
    Place,
    Boot,
    Process,
    Actor,
    Peer,
}

/// New numbers by old ones; `None` where the old one says nothing any more.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<(Table, i64), Option<i64>>);

impl Names {
    /// Has to be called when a transaction failed and when names were deleted.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn known(
        &mut self,
        (table, id): (Table, i64),
        make: impl FnOnce(&mut Self) -> Sql<Option<i64>>,
    ) -> Sql<Option<i64>> {
        if let Some(known) = self.0.get(&(table, id)) {
            return Ok(*known);
        }
        let new = make(self)?;
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert((table, id), new);
        Ok(new)
    }

    /// Likewise where 0 is none, and stands for what cannot be read.
    fn or_none(
        &mut self,
        (table, id): (Table, i64),
        make: impl FnOnce(&mut Self) -> Sql<Option<i64>>,
    ) -> Sql<i64> {
        if id == 0 {
            return Ok(0);
        }
        Ok(self.known((table, id), make)?.unwrap_or(0))
    }

    /// Likewise of actors and peers, of which none has number 0.
    pub(super) fn party(
        &mut self,
        key: (Table, i64),
        make: impl FnOnce(&mut Self) -> Sql<i64>,
    ) -> Sql<i64> {
        Ok(self.known(key, |names| make(names).map(Some))?.unwrap_or(0))
    }

    pub(super) fn executable(&mut self, it: Between<'_>, id: i64) -> Sql<i64> {
        self.or_none((Table::Executable, id), |_| {
            let sql = "SELECT exe, name, cmdline,
                         CASE sha256 WHEN '(pending)' THEN '(interrupted)' ELSE sha256 END,
                         first_seen, last_seen FROM executables WHERE id = ?1";
            let text = |row: &Row<'_>, at| row.get::<_, String>(at);
            let read = it.read(sql, id, |row| {
                let texts = [text(row, 0)?, text(row, 1)?, text(row, 2)?, text(row, 3)?];
                Ok((texts, row.get::<_, i64>(4)?, row.get::<_, i64>(5)?))
            });
            let Some(([exe, name, cmdline, sha256], first, last)) = read else { return Ok(None) };
            it.id(
                "INSERT INTO executables(exe, name, cmdline, sha256, first_seen, last_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT(exe, name, cmdline, sha256) WHERE sha256 <> '(pending)'
                   DO UPDATE SET first_seen = min(first_seen, excluded.first_seen),
                     last_seen = max(last_seen, excluded.last_seen)
                 RETURNING id",
                params![exe, name, cmdline, sha256, first, last],
            )
            .map(Some)
        })
    }

    pub(super) fn domain(&mut self, it: Between<'_>, id: i64) -> Sql<i64> {
        self.or_none((Table::Domain, id), |_| {
            let sql = "SELECT domain, last_seen FROM domains WHERE id = ?1";
            let read = it.read(sql, id, |row| Ok((row.get(0)?, row.get(1)?)));
            let Some((domain, last)): Option<(String, i64)> = read else { return Ok(None) };
            it.id(
                "INSERT INTO domains(domain, last_seen) VALUES (?1, ?2) ON CONFLICT(domain)
                   DO UPDATE SET last_seen = max(last_seen, excluded.last_seen) RETURNING id",
                params![domain, last],
            )
            .map(Some)
        })
    }

    pub(super) fn address(&mut self, it: Between<'_>, id: i64) -> Sql<i64> {
        self.or_none((Table::Address, id), |names| {
            let sql = "SELECT addr, location_id, last_seen FROM addresses WHERE id = ?1";
            let read = it.read(sql, id, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            let Some((addr, location, last)): Option<(String, i64, i64)> = read else {
                return Ok(None);
            };
            let location = names.location(it, location)?;
            it.id(
                "INSERT INTO addresses(addr, location_id, last_seen) VALUES (?1, ?2, ?3)
                 ON CONFLICT(addr, location_id)
                   DO UPDATE SET last_seen = max(last_seen, excluded.last_seen) RETURNING id",
                params![addr, location, last],
            )
            .map(Some)
        })
    }

    fn location(&mut self, it: Between<'_>, id: i64) -> Sql<i64> {
        self.or_none((Table::Location, id), |_| {
            let sql = "SELECT country, asn, org, last_seen FROM locations WHERE id = ?1";
            let read =
                it.read(sql, id, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
            let Some((country, asn, org, last)): Option<(String, i64, String, i64)> = read else {
                return Ok(None);
            };
            it.id(
                "INSERT INTO locations(country, asn, org, last_seen) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT(asn, country, org)
                   DO UPDATE SET last_seen = max(last_seen, excluded.last_seen) RETURNING id",
                params![country, asn, org, last],
            )
            .map(Some)
        })
    }

    pub(super) fn container(&mut self, it: Between<'_>, id: i64) -> Sql<i64> {
        self.or_none((Table::Container, id), |_| {
            let sql = "SELECT container, name, image, pod, last_seen FROM containers WHERE id = ?1";
            let text = |row: &Row<'_>, at| row.get::<_, String>(at);
            let read = it.read(sql, id, |row| {
                let texts = [text(row, 0)?, text(row, 1)?, text(row, 2)?, text(row, 3)?];
                Ok((texts, row.get::<_, i64>(4)?))
            });
            let Some(([container, name, image, pod], last)) = read else { return Ok(None) };
            it.id(
                "INSERT INTO containers(container, name, image, pod, last_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT(container)
                   DO UPDATE SET last_seen = max(last_seen, excluded.last_seen),
                     name = iif(name = '', excluded.name, name),
                     image = iif(image = '', excluded.image, image),
                     pod = iif(pod = '', excluded.pod, pod)
                 RETURNING id",
                params![container, name, image, pod, last],
            )
            .map(Some)
        })
    }

    pub(super) fn place(&mut self, it: Between<'_>, id: i64) -> Sql<i64> {
        // -1: not known since version 4.
        if id < 0 {
            return Ok(id);
        }
        self.or_none((Table::Place, id), |names| {
            let sql = "SELECT container_id, unit, app, realm, last_seen FROM places WHERE id = ?1";
            let text = |row: &Row<'_>, at| row.get::<_, String>(at);
            let read = it.read(sql, id, |row| {
                let texts = [text(row, 1)?, text(row, 2)?, text(row, 3)?];
                Ok((row.get::<_, i64>(0)?, texts, row.get::<_, i64>(4)?))
            });
            let Some((container, [unit, app, realm], last)) = read else { return Ok(None) };
            let container = names.container(it, container)?;
            it.id(
                "INSERT INTO places(container_id, unit, app, realm, last_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT(unit, container_id, app, realm)
                   DO UPDATE SET last_seen = max(last_seen, excluded.last_seen) RETURNING id",
                params![container, unit, app, realm, last],
            )
            .map(Some)
        })
    }

    fn boot(&mut self, it: Between<'_>, id: i64) -> Sql<i64> {
        self.or_none((Table::Boot, id), |_| {
            let sql = "SELECT boot_id FROM boots WHERE id = ?1";
            let Some(boot) = it.read(sql, id, |row| row.get::<_, String>(0)) else {
                return Ok(None);
            };
            it.id(
                "INSERT INTO boots(boot_id) VALUES (?1)
                 ON CONFLICT(boot_id) DO UPDATE SET boot_id = boot_id RETURNING id",
                [boot],
            )
            .map(Some)
        })
    }

    /// With all it descends from.
    pub(super) fn process(&mut self, it: Between<'_>, id: i64) -> Sql<i64> {
        self.lineage(it, id, MAX_CLIMB)
    }

    fn lineage(&mut self, it: Between<'_>, id: i64, climb: usize) -> Sql<i64> {
        let Some(climb) = climb.checked_sub(1) else { return Ok(0) };
        self.or_none((Table::Process, id), |names| {
            let sql =
                "SELECT boot, exe_id, script_id, parent_id, place_id, last_seen, start_ns, pid,
                         exec_id, launched, uid, login_uid, session, depth
                       FROM processes WHERE id = ?1";
            let read = it.read(sql, id, |row| {
                let number = |at: usize| row.get::<_, i64>(at);
                let refers =
                    [number(0)?, number(1)?, number(2)?, number(3)?, number(4)?, number(5)?];
                let key = [number(6)?, number(7)?, number(8)?];
                let rest = (number(9)?, number(10)?, number(13)?);
                Ok((refers, key, rest, row.get::<_, Option<i64>>(11)?, row.get(12)?))
            });
            let Some((refers, [start, pid, exec], (launched, uid, depth), login, session)) = read
            else {
                return Ok(None);
            };
            let session: Option<i64> = session;
            let [boot, exe, script, parent, place, last] = refers;
            let boot = names.boot(it, boot)?;
            let found: Option<i64> = it
                .tx
                .prepare_cached(
                    "SELECT id FROM processes
                     WHERE boot = ?1 AND start_ns = ?2 AND pid = ?3 AND exec_id = ?4",
                )?
                .query_row([boot, start, pid, exec], |row| row.get(0))
                .optional()?;
            if let Some(found) = found {
                touch_above(it.tx, found, last)?;
                return Ok(Some(found));
            }
            let refers = Refers {
                exe: names.executable(it, exe)?,
                script: names.executable(it, script)?,
                parent: names.lineage(it, parent, climb)?,
                place: names.place(it, place)?.max(0),
            };
            // As what it refers to may have been read from elsewhere.
            touch_names(it.tx, refers, last)?;
            touch_above(it.tx, refers.parent, last)?;
            let depth = if refers.parent == 0 { 0 } else { depth };
            it.id(
                "INSERT INTO processes(boot, pid, exec_id, start_ns, launched, exe_id, script_id,
                   parent_id, place_id, uid, login_uid, session, last_seen, depth)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) RETURNING id",
                params![
                    boot,
                    pid,
                    exec,
                    start,
                    launched,
                    refers.exe,
                    refers.script,
                    refers.parent,
                    refers.place,
                    uid,
                    login,
                    session,
                    last,
                    depth
                ],
            )
            .map(Some)
        })
    }
}
