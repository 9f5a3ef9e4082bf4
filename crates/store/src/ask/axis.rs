//! What groups are called: from the numbers of rows and sums to the values of dimensions.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::Connection;

use crate::Dimension;
use crate::Key;
use crate::Users;
use crate::classify::Sql;
use crate::dimension::Party;
use crate::dimension::Source;
use crate::texts::Texts;

use super::mix::ByNumber;
use super::plan::Need;
use super::seen::Lookups;

const PORTS: usize = 1 << 16;

/// How to find the value of a dimension, as a number of 32 bits.
#[derive(Debug)]
pub(crate) enum Axis {
    /// By actor.
    Actor(Rc<Values>),
    /// By peer.
    Peer(Rc<Values>),
    /// By peer, of which no more matters than its address and name.
    Host(Rc<Values>),
    Lport,
    Rport,
    Pid,
    Outcome,
    /// The step of so many seconds that it is in, counted from some unix second.
    Time {
        width: i64,
        offset: i64,
    },
    /// The process.
    Process,
    /// The actor, where the process is not known.
    Stray,
}

/// The value of each actor or peer.
#[derive(Debug, Default, Clone)]
pub(crate) struct Values {
    /// By id, the place in `keys`.
    places: Vec<u32>,
    keys: Vec<Key>,
    /// The last id that was read.
    last: i64,
}

/// Values of parties that were asked for, and ports of peers. What a row of `peers` says never changes, and
/// its id is never given to another: only what is new has to be read the next time. Of actors more is
/// learned later: they are read again once anything was written.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    peers: RefCell<HashMap<Source, Rc<Values>>>,
    actors: RefCell<HashMap<Source, Rc<Values>>>,
    /// State of the history (`PRAGMA data_version`) that `actors` are of.
    version: Cell<i64>,
    lookups: RefCell<Lookups>,
}

/// So many sources are kept (a megabyte or two each).
const MOST_CACHED: usize = 8;

impl Cache {
    /// What is known of ports, to be given back by [`Cache::keep`].
    pub(super) fn lookups(&self) -> Lookups {
        self.lookups.take()
    }

    pub(super) fn keep(&self, lookups: Lookups) {
        self.lookups.replace(lookups);
    }

    /// Values of all peers.
    fn peers(&self, conn: &Connection, source: Source, users: &dyn Users) -> Sql<Rc<Values>> {
        let known = self.peers.borrow_mut().remove(&source).unwrap_or_default();
        let values = Rc::new(values(conn, "peers", (source, users), Rc::unwrap_or_clone(known))?);
        remember(&mut self.peers.borrow_mut(), source, &values);
        Ok(values)
    }

    /// Values of all actors.
    fn actors(&self, conn: &Connection, source: Source, users: &dyn Users) -> Sql<Rc<Values>> {
        let version = conn.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if self.version.replace(version) != version {
            self.actors.borrow_mut().clear();
        }
        if let Some(known) = self.actors.borrow().get(&source) {
            return Ok(Rc::clone(known));
        }
        let values = Rc::new(values(conn, "actors", (source, users), Values::default())?);
        // What users are called is no matter of the history.
        if !matches!(source, Source::User | Source::Login) {
            remember(&mut self.actors.borrow_mut(), source, &values);
        }
        Ok(values)
    }
}

fn remember(cached: &mut HashMap<Source, Rc<Values>>, source: Source, values: &Rc<Values>) {
    if cached.len() >= MOST_CACHED {
        cached.clear();
    }
    cached.insert(source, Rc::clone(values));
}

impl Values {
    pub(super) fn place(&self, id: u64) -> u32 {
        let id = usize::try_from(id).unwrap_or(usize::MAX);
        self.places.get(id).copied().unwrap_or(0)
    }

    fn key(&self, place: usize) -> Key {
        let none = || Key::Text(format!("(lost {place})"));
        self.keys.get(place).cloned().unwrap_or_else(none)
    }
}

impl Axis {
    /// The axis of a dimension.
    pub(crate) fn new(
        conn: &Connection,
        dimension: Dimension,
        (users, cache): (&dyn Users, &Cache),
    ) -> Sql<Self> {
        let source = dimension.source();
        Ok(match source.party() {
            Party::Actor => Self::Actor(cache.actors(conn, source, users)?),
            Party::Peer => {
                let values = cache.peers(conn, source, users)?;
                if source.is_of_host() { Self::Host(values) } else { Self::Peer(values) }
            }
            Party::Row => match dimension {
                Dimension::Lport => Self::Lport,
                Dimension::Rport => Self::Rport,
                Dimension::Pid => Self::Pid,
                Dimension::Minute => Self::Time { width: 60, offset: 0 },
                Dimension::Hour => Self::Time { width: 3_600, offset: 0 },
                Dimension::Day => Self::Time { width: 86_400, offset: 0 },
                // The only other one.
                _ => Self::Outcome,
            },
        })
    }

    /// What it wants to know of a row.
    pub(crate) fn need(&self, need: &mut Need) {
        match self {
            Self::Actor(_) => need.actor = true,
            Self::Peer(_) => (need.peer, need.ends) = (true, true),
            Self::Host(_) => need.peer = true,
            Self::Lport => need.lport = true,
            Self::Rport => need.rport = true,
            Self::Pid | Self::Process => need.run = true,
            Self::Outcome => need.outcome = true,
            Self::Time { width, offset } => {
                need.grain = finer(need.grain, finer(*width, offset.rem_euclid(*width)));
            }
            Self::Stray => (need.run, need.actor) = (true, true),
        }
    }

    /// How many values there can be, the largest of which is one less.
    pub(super) fn bound(&self) -> Option<usize> {
        match self {
            Self::Actor(values) | Self::Peer(values) | Self::Host(values) => {
                Some(values.keys.len().max(1))
            }
            Self::Lport | Self::Rport => Some(PORTS),
            Self::Outcome => Some(crate::dimension::OUTCOMES.len()),
            Self::Pid | Self::Time { .. } | Self::Process | Self::Stray => None,
        }
    }

    /// Sides that differ in this are best asked for apart: no sums tell both, but some tell each.
    pub(crate) fn apart(&self) -> u8 {
        match self {
            Self::Actor(_) | Self::Peer(_) | Self::Host(_) | Self::Rport => 0,
            Self::Outcome => 1,
            Self::Lport => 2,
            Self::Pid | Self::Process | Self::Stray => 3,
            Self::Time { .. } => 4,
        }
    }

    /// What a value is called.
    pub(crate) fn key(&self, value: u32) -> Key {
        let place = usize::try_from(value).unwrap_or(usize::MAX);
        match self {
            Self::Actor(values) => values.key(place),
            Self::Peer(values) | Self::Host(values) => values.key(place),
            Self::Outcome => {
                let word = crate::dimension::OUTCOMES.get(place).copied().unwrap_or_default();
                Key::Text(word.to_owned())
            }
            Self::Time { width, offset } => Key::Number(i64::from(value) * width + offset),
            Self::Lport | Self::Rport | Self::Pid | Self::Process | Self::Stray => {
                Key::Number(value.into())
            }
        }
    }
}

/// The largest number of seconds that both are multiples of; 0 is a multiple of everything.
pub(super) fn finer(one: i64, other: i64) -> i64 {
    let (mut one, mut other) = (one, other);
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// The values of all actors, or peers, beyond those that are `known`. What reads the same is one
/// value.
fn values(
    conn: &Connection,
    table: &str,
    (source, users): (Source, &dyn Users),
    known: Values,
) -> Sql<Values> {
    let newest: Option<i64> =
        conn.query_row(&format!("SELECT max(id) FROM {table}"), [], |row| row.get(0))?;
    if newest.is_none_or(|newest| newest <= known.last) {
        return Ok(known);
    }
    let (first, second) = source.columns();
    let second = second.unwrap_or("0");
    let sql = format!("SELECT id, {first}, {second} FROM {table} WHERE id > ?1");
    let mut texts = Texts::new(conn, users);
    if known.last == 0 {
        texts.preload(source)?;
    }
    // Where addresses are: there are few places.
    let locations = match source {
        Source::Location(_) | Source::System => Some(locations(conn)?),
        _ => None,
    };
    let mut values = known;
    let mut by_key: HashMap<Key, u32> = values.keys.iter().cloned().zip(0..).collect();
    let mut by_numbers: ByNumber<(i64, i64)> = ByNumber::default();
    let mut stmt = conn.prepare(&sql)?;
    let mut rows = stmt.query([values.last])?;
    while let Some(row) = rows.next()? {
        let mut numbers: (i64, i64) = (row.get(1)?, row.get(2)?);
        if let Some(locations) = &locations {
            numbers.0 = locations.get(&numbers.0).copied().unwrap_or(0);
        }
        let place = match by_numbers.get(&numbers) {
            Some(place) => *place,
            None => {
                let key = texts.key(source, numbers.0, numbers.1)?;
                let next = u32::try_from(values.keys.len()).unwrap_or(u32::MAX);
                let place = *by_key.entry(key.clone()).or_insert(next);
                if place == next {
                    values.keys.push(key);
                }
                by_numbers.insert(numbers, place);
                place
            }
        };
        let id: i64 = row.get(0)?;
        values.last = values.last.max(id);
        let at = usize::try_from(id).unwrap_or(0);
        if at >= values.places.len() {
            values.places.resize(at + 1, 0);
        }
        if let Some(slot) = values.places.get_mut(at) {
            *slot = place;
        }
    }
    Ok(values)
}

/// The location of each address.
fn locations(conn: &Connection) -> Sql<HashMap<i64, i64>> {
    let mut stmt = conn.prepare("SELECT id, location_id FROM addresses")?;
    let pairs = stmt.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    pairs.collect()
}
