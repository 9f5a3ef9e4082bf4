//! What groups are called: from the numbers of rows and sums to the values of dimensions.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::Dimension;
use crate::Key;
use crate::Users;
use crate::classify::Sql;
use crate::dimension::Party;
use crate::dimension::Source;
use crate::texts::Texts;

use super::plan::Need;

/// How to find the value of a dimension, as a number of 32 bits.
#[derive(Debug)]
pub(crate) enum Axis {
    /// By actor.
    Actor(Values),
    /// By peer.
    Peer(Values),
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
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// By id, the place in `keys`.
    places: Vec<u32>,
    keys: Vec<Key>,
}

impl Values {
    pub(super) fn place(&self, id: u64) -> u32 {
        let id = usize::try_from(id).unwrap_or(usize::MAX);
        self.places.get(id).copied().unwrap_or(0)
    }
}

impl Axis {
    /// The axis of a dimension.
    pub(crate) fn new(conn: &Connection, dimension: Dimension, users: &dyn Users) -> Sql<Self> {
        let source = dimension.source();
        Ok(match source.party() {
            Party::Actor => Self::Actor(values(conn, "actors", source, users)?),
            Party::Peer => Self::Peer(values(conn, "peers", source, users)?),
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
            Self::Peer(_) => need.peer = true,
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

    /// What a value is called.
    pub(crate) fn key(&self, value: u32) -> Key {
        let place = usize::try_from(value).unwrap_or(usize::MAX);
        match self {
            Self::Actor(values) | Self::Peer(values) => {
                let none = || Key::Text(format!("(lost {value})"));
                values.keys.get(place).cloned().unwrap_or_else(none)
            }
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

/// The values of all actors, or peers. What reads the same is one value.
fn values(conn: &Connection, table: &str, source: Source, users: &dyn Users) -> Sql<Values> {
    let (first, second) = source.columns();
    let second = second.unwrap_or("0");
    let sql = format!("SELECT id, {first}, {second} FROM {table}");
    let mut texts = Texts::new(conn, users);
    let mut values = Values::default();
    let mut by_key: HashMap<Key, u32> = HashMap::new();
    let mut by_numbers: HashMap<(i64, i64), u32> = HashMap::new();
    let mut stmt = conn.prepare(&sql)?;
    let mut rows = stmt.query([])?;
    while let Some(row) = rows.next()? {
        let numbers: (i64, i64) = (row.get(1)?, row.get(2)?);
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
