//! Who and to whom, as far as that is the same for many rows: stored once, referred to by number.

use std::collections::HashMap;
use std::hash::Hash;

use femtosnitch_model::Direction;
use femtosnitch_model::Row;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params_from_iter;

use crate::blocks::Stored;
use crate::classify::Sql;
use crate::intern::Interner;
use crate::intern::MAX_CACHED;
use crate::intern::PEER_STEP;
use crate::intern::SEEN_STEP;
use crate::intern::Seen;
use crate::intern::remember;
use crate::intern::round_up_to;
use crate::rollups::Level;
use crate::rollups::Summand;

/// Ports below this are not given to clients by chance (behind address translation all others may
/// be).
pub(crate) const LOOSE_FROM: u16 = 1024;
/// Whose port it is, if nobody knows who began: Linux and IANA give clients such ports
/// (`net.ipv4.ip_local_port_range`).
const CLIENTS_FROM: u16 = 32_768;

/// Which port is a client's, another one for each connection, and so the row's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Loose {
    Neither = 0,
    /// This machine's.
    Local = 1,
    /// The other end's.
    Remote = 2,
}

impl Loose {
    /// Whose port a row keeps itself.
    pub(crate) fn of(direction: Direction, lport: u16, rport: u16) -> Self {
        let remote = match direction {
            Direction::Incoming | Direction::Listening => true,
            Direction::Outgoing => false,
            Direction::Unknown => rport >= CLIENTS_FROM && lport < CLIENTS_FROM,
        };
        match remote {
            true if rport >= LOOSE_FROM => Self::Remote,
            false if lport >= LOOSE_FROM => Self::Local,
            _ => Self::Neither,
        }
    }
}

/// The ports of a peer: this machine's, the other end's, and which is the row's own (a [`Loose`]).
pub(crate) type Ports = (u16, u16, u8);

/// Address and name of a peer.
pub(crate) type Host = (i64, i64);

/// What sums need to know of a peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) ports: Ports,
    pub(crate) host: Host,
}

/// What a row of `actors` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Actor {
    /// Executable, parent, grandparent.
    pub(crate) exes: [i64; 3],
    pub(crate) uid: u32,
    pub(crate) netns: u32,
    pub(crate) container: i64,
    pub(crate) place: i64,
    pub(crate) script: i64,
    pub(crate) login: Option<u32>,
    /// The address of this machine that was used.
    pub(crate) laddr: i64,
    /// The run is known.
    pub(crate) placed: bool,
}

/// What a row of `peers` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Peer {
    family: u16,
    protocol: u16,
    direction: u8,
    raddr: i64,
    rport: u16,
    lport: u16,
    domain: i64,
    name_source: u8,
    loose: Loose,
}

impl Peer {
    /// That of a row, and the port that it keeps itself.
    pub(crate) fn of(row: &Row, raddr: i64, domain: i64) -> (Self, u16) {
        let loose = Loose::of(row.direction, row.lport, row.rport);
        let (lport, rport, own) = match loose {
            Loose::Neither => (row.lport, row.rport, 0),
            Loose::Local => (0, row.rport, row.lport),
            Loose::Remote => (row.lport, 0, row.rport),
        };
        let peer = Self {
            family: row.family,
            protocol: row.protocol,
            direction: row.direction.code(),
            raddr,
            rport,
            lport,
            domain,
            name_source: row.name_source.code(),
            loose,
        };
        (peer, own)
    }
}

/// The statements for one table; `last_seen` is their last value.
struct Table {
    /// Of `last_seen`.
    step: i64,
    find: &'static str,
    touch: &'static str,
    insert: &'static str,
}

const ACTORS: Table = Table {
    find: "SELECT id, last_seen FROM actors WHERE exe_id = ?1 AND pexe_id = ?2 AND gpexe_id = ?3
           AND uid = ?4 AND netns = ?5 AND container_id = ?6 AND place_id = ?7 AND script_id = ?8
           AND login_uid = ?9 AND laddr_id = ?10 AND placed = ?11
         ORDER BY id LIMIT 1",
    touch: "UPDATE actors SET last_seen = max(last_seen, ?2) WHERE id = ?1",
    step: SEEN_STEP,
    insert: "INSERT INTO actors(exe_id, pexe_id, gpexe_id, uid, netns, container_id, place_id,
           script_id, login_uid, laddr_id, placed, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
};
const PEERS: Table = Table {
    find: "SELECT id, last_seen FROM peers WHERE raddr_id = ?1 AND domain_id = ?2 AND rport = ?3
           AND lport = ?4 AND family = ?5 AND protocol = ?6 AND direction = ?7 AND name_source = ?8
           AND loose = ?9
         ORDER BY id LIMIT 1",
    touch: "UPDATE peers SET last_seen = max(last_seen, ?2) WHERE id = ?1",
    step: PEER_STEP,
    insert: "INSERT INTO peers(raddr_id, domain_id, rport, lport, family, protocol, direction,
           name_source, loose, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
};

/// Id of what is stored once, seen at `contime`.
fn interned<K: Copy + Eq + Hash, const N: usize>(
    tx: &Transaction<'_>,
    table: &Table,
    cache: &mut HashMap<K, Seen>,
    (key, values): (K, [i64; N]),
    contime: i64,
) -> Sql<i64> {
    if let Some(seen) = cache.get(&key)
        && contime <= seen.last
    {
        return Ok(seen.id);
    }
    let last = round_up_to(table.step, contime);
    let found: Option<(i64, i64)> = tx
        .prepare_cached(table.find)?
        .query_row(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (id, last) = match found {
        Some((id, stored)) if stored >= contime => (id, stored),
        Some((id, _)) => {
            tx.prepare_cached(table.touch)?.execute([id, last])?;
            (id, last)
        }
        None => {
            let values = values.into_iter().chain([last]);
            tx.prepare_cached(table.insert)?.execute(params_from_iter(values))?;
            (tx.last_insert_rowid(), last)
        }
    };
    remember(cache, key, Seen { id, first: 0, last });
    Ok(id)
}

impl Interner {
    /// Id of an actor.
    pub(crate) fn actor(&mut self, tx: &Transaction<'_>, actor: Actor, contime: i64) -> Sql<i64> {
        let [exe, pexe, gpexe] = actor.exes;
        let values = [
            exe,
            pexe,
            gpexe,
            actor.uid.into(),
            actor.netns.into(),
            actor.container,
            actor.place,
            actor.script,
            actor.login.map_or(-1, i64::from),
            actor.laddr,
            actor.placed.into(),
        ];
        interned(tx, &ACTORS, &mut self.actors, (actor, values), contime)
    }

    /// Id of a peer.
    pub(crate) fn peer(&mut self, tx: &Transaction<'_>, peer: Peer, contime: i64) -> Sql<i64> {
        let values = [
            peer.raddr,
            peer.domain,
            peer.rport.into(),
            peer.lport.into(),
            peer.family.into(),
            peer.protocol.into(),
            peer.direction.into(),
            peer.name_source.into(),
            peer.loose as i64,
        ];
        interned(tx, &PEERS, &mut self.peers, (peer, values), contime)
    }

    /// What sums make of a row.
    pub(crate) fn summand(&mut self, tx: &Transaction<'_>, row: &Stored) -> Sql<Summand> {
        let Ends { ports, host } = self.ends(tx, row.peer)?;
        Ok(Summand::new(row, ports, self.host(host, row)))
    }

    /// A peer that stands for all with this address and name, and was seen on the row's day: so it
    /// is kept as long as the sums of that day. That of the row may always be it; the fewer there
    /// are, the better.
    fn host(&mut self, host: Host, row: &Stored) -> i64 {
        let day = row.contime.div_euclid(Level::Day.span());
        if day > self.hosts_day {
            self.hosts.clear();
            self.hosts_day = day;
        }
        if day < self.hosts_day || self.hosts.len() >= MAX_CACHED {
            return row.peer;
        }
        *self.hosts.entry(host).or_insert(row.peer)
    }

    fn ends(&mut self, tx: &Transaction<'_>, peer: i64) -> Sql<Ends> {
        if let Some(ends) = self.ends.get(&peer) {
            return Ok(*ends);
        }
        let ends = tx
            .prepare_cached(
                "SELECT lport, rport, loose, raddr_id, domain_id FROM peers WHERE id = ?1",
            )?
            .query_row([peer], |row| {
                let ports = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Ends { ports, host: (row.get(3)?, row.get(4)?) })
            })?;
        remember(&mut self.ends, peer, ends);
        Ok(ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::Writer;
    use rusqlite::Connection;

    /// What can differ a hundred thousand times while all else is the same.
    #[test]
    fn finding_one_looks_at_none_that_differ_in_ports_or_addresses() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        drop(Writer::open(&path, &Options::default()).unwrap());
        let conn = Connection::open(&path).unwrap();
        let expected = [
            (&PEERS, 9, "raddr_id=? AND domain_id=? AND rport=? AND lport=?"),
            (&ACTORS, 11, "exe_id=? AND pexe_id=? AND place_id=? AND laddr_id=? AND netns=?"),
        ];
        for (table, values, by) in expected {
            let plan: String = conn
                .query_row(
                    &format!("EXPLAIN QUERY PLAN {}", table.find),
                    rusqlite::params_from_iter(std::iter::repeat_n(1, values)),
                    |row| row.get("detail"),
                )
                .unwrap();
            assert!(plan.contains(by), "{plan}");
        }
    }
}
