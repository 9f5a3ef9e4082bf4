//! Whether what numbers refer to is there.

use std::collections::HashMap;
use std::collections::HashSet;

use rusqlite::Connection;

use crate::blocks::Stored;
use crate::classify::Sql;
use crate::parties::Host;
use crate::parties::Ports;
use crate::rollups::Cube;
use crate::rollups::Summand;

use super::Verdict;

/// Ids below this are bits of a table; others, which only damage makes, are listed.
const USUAL: u64 = 1 << 27;

/// Some ids.
#[derive(Debug, Default)]
pub(super) struct Ids {
    bits: Vec<u64>,
    others: HashSet<u64>,
}

impl Ids {
    fn read(conn: &Connection, table: &str) -> Sql<Self> {
        let mut ids = Self::default();
        let mut stmt = conn.prepare(&format!("SELECT id FROM {table}"))?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            ids.insert(row.get::<_, i64>(0)?.cast_unsigned());
        }
        Ok(ids)
    }

    fn insert(&mut self, id: u64) {
        if id >= USUAL {
            self.others.insert(id);
            return;
        }
        let at = usize::try_from(id / 64).unwrap_or(0);
        if at >= self.bits.len() {
            self.bits.resize(at + 1, 0);
        }
        if let Some(word) = self.bits.get_mut(at) {
            *word |= 1 << (id % 64);
        }
    }

    fn has(&self, id: u64) -> bool {
        let word = usize::try_from(id / 64).ok().and_then(|at| self.bits.get(at));
        word.is_some_and(|word| word >> (id % 64) & 1 == 1) || self.others.contains(&id)
    }
}

/// Everything that rows and sums may refer to.
#[derive(Debug)]
pub(super) struct Known {
    actors: Ids,
    peers: Ids,
    processes: Ids,
    /// By peer: local port, remote port, which of them is the row's own.
    ports: Vec<Ports>,
    /// By peer: the first with its address and name.
    hosts: Vec<i64>,
}

impl Known {
    pub(super) fn read(conn: &Connection) -> Sql<Self> {
        let mut known = Self {
            actors: Ids::read(conn, "actors")?,
            peers: Ids::read(conn, "peers")?,
            processes: Ids::read(conn, "processes")?,
            ports: Vec::new(),
            hosts: Vec::new(),
        };
        let mut first: HashMap<Host, i64> = HashMap::new();
        let mut stmt = conn.prepare(
            "SELECT id, lport, rport, loose, raddr_id, domain_id FROM peers ORDER BY id",
        )?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let Some(at) = usize::try_from(id).ok().filter(|_| id.cast_unsigned() < USUAL) else {
                continue;
            };
            if at >= known.ports.len() {
                known.ports.resize(at + 1, (0, 0, 0));
                known.hosts.resize(at + 1, 0);
            }
            let host = *first.entry((row.get(4)?, row.get(5)?)).or_insert(id);
            if let Some(slot) = known.hosts.get_mut(at) {
                *slot = host;
            }
            if let Some(slot) = known.ports.get_mut(at) {
                *slot = (row.get(1)?, row.get(2)?, row.get(3)?);
            }
        }
        Ok(known)
    }

    /// What a row refers to that is not there.
    pub(super) fn lacks(&self, actor: i64, peer: i64, process: i64) -> bool {
        !self.actors.has(actor.cast_unsigned())
            || !self.peers.has(peer.cast_unsigned())
            || !self.processes.has(process.cast_unsigned())
    }

    /// Likewise a cell of a cube.
    pub(super) fn lacks_cell(&self, cube: Cube, [first, second]: [u64; 2]) -> bool {
        match cube {
            Cube::Actor => !self.actors.has(first),
            Cube::Peer | Cube::Host => !self.peers.has(first),
            Cube::Pair => !self.actors.has(first) || !self.peers.has(second),
            Cube::Loose => !self.actors.has(first) || !self.peers.has(Cube::ends(second).0),
            Cube::Run => !self.processes.has(first) || !self.actors.has(Cube::moved_by(second).1),
            Cube::Lport | Cube::Rport | Cube::Clock => false,
        }
    }

    /// A row as sums have it, but for the peer that stands for its host: always the first.
    pub(super) fn summand(&self, row: &Stored) -> Summand {
        let at = usize::try_from(row.peer).unwrap_or(usize::MAX);
        let host = self.hosts.get(at).copied().unwrap_or(row.peer);
        Summand::new(row, self.ports.get(at).copied().unwrap_or((0, 0, 0)), host)
    }

    /// A cell as [`Known::summand`] would have it.
    pub(super) fn cell(&self, cube: Cube, [first, second]: [u64; 2]) -> [u64; 2] {
        if cube != Cube::Host {
            return [first, second];
        }
        [self.host(first), second]
    }

    /// The peer that stands for the host of this one.
    pub(super) fn host(&self, peer: u64) -> u64 {
        let host = usize::try_from(peer).ok().and_then(|at| self.hosts.get(at));
        host.map_or(peer, |host| host.cast_unsigned())
    }
}

/// Tables, columns, and whose ids those are.
const REFERENCES: &[(&str, &str, &str)] = &[
    ("actors", "exe_id", "executables"),
    ("actors", "pexe_id", "executables"),
    ("actors", "gpexe_id", "executables"),
    ("actors", "script_id", "executables"),
    ("actors", "container_id", "containers"),
    ("peers", "raddr_id", "addresses"),
    ("actors", "laddr_id", "addresses"),
    ("peers", "domain_id", "domains"),
    ("addresses", "location_id", "locations"),
    ("processes", "boot", "boots"),
    ("processes", "exe_id", "executables"),
    ("processes", "script_id", "executables"),
    ("processes", "parent_id", "processes"),
    ("processes", "place_id", "places"),
    ("places", "container_id", "containers"),
    ("event_log", "exe_id", "executables"),
    ("event_log", "process_id", "processes"),
];

/// Looks at tables that refer to others.
pub(super) fn tables(conn: &Connection, verdict: &mut Verdict) -> Sql<()> {
    for (table, column, other) in REFERENCES {
        let sql =
            format!("SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT id FROM {other})");
        let lost: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
        if lost > 0 {
            let what = format!("{lost} rows of `{table}` refer to {other} that are not there");
            verdict.find(None, what);
        }
    }
    // -1: rows of version 4 whose process was gone.
    let lost: i64 = conn.query_row(
        "SELECT count(*) FROM actors WHERE place_id <> -1
           AND place_id NOT IN (SELECT id FROM places)",
        [],
        |row| row.get(0),
    )?;
    if lost > 0 {
        verdict.find(None, format!("{lost} rows of `actors` refer to places that are not there"));
    }
    Ok(())
}
