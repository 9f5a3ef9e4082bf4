//! Making blocks.

use std::collections::HashMap;

use rusqlite::ToSql;
use rusqlite::Transaction;

use super::BLOCK_ROWS;
use super::BLOCK_SPAN;
use super::Stored;
use super::digits::Digits;
use super::digits::HIGH;
use super::digits::LIMIT;
use super::digits::Numbers;
use crate::classify::Sql;

/// Numbers of a row of a block, in the order of [`INSERT`].
const NUMBERS: usize = 9;
/// Numbers of a dictionary's entry.
const WHO: usize = 3;
/// Likewise, each of one digit.
const FATE: usize = 4;

const INSERT: &str = "INSERT INTO blocks(rows, first, last, time, who, fate,
    fate_begun, fate_ended, fate_failed, fate_error,
    who_actor0, who_actor1, who_actor2, who_process0, who_process1, who_process2,
    who_pid0, who_pid1, who_pid2,
    peer0, peer1, peer2, port0, port1, port2, send0, send1, send2, recv0, recv1, recv2,
    wire_send0, wire_send1, wire_send2, wire_recv0, wire_recv1, wire_recv2,
    events0, events1, events2, rtt0, rtt1, rtt2, retrans0, retrans1, retrans2)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
    ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39,
    ?40, ?41, ?42, ?43, ?44, ?45, ?46)";

/// A row in the numbers that a block stores.
#[derive(Debug, Clone, Copy)]
struct Coded {
    contime: i64,
    who: [u64; WHO],
    fate: [u64; FATE],
    numbers: [u64; NUMBERS],
}

/// `None` for a row whose numbers have no room in a block; it stays a row.
fn coded(row: &Stored) -> Option<Coded> {
    let fits = |number: u64| (number < LIMIT).then_some(number);
    let number = |number: i64| u64::try_from(number).ok().and_then(fits);
    let or_none = |value: Option<i64>| match value {
        Some(value) => number(value.checked_add(1)?),
        None => Some(0),
    };
    let beyond = |wire: Option<i64>, bytes: i64| match wire {
        // Small in both directions: bytes may be on the wire before or after they are counted.
        Some(wire) => {
            let more = wire.checked_sub(bytes)?;
            fits(((more << 1) ^ (more >> 63)).cast_unsigned().checked_add(1)?)
        }
        None => Some(0),
    };
    let small = |value: i64| u64::try_from(value).ok().filter(|value| *value < HIGH);
    let in_time = (0..1 << 40).contains(&row.contime);
    in_time.then_some(())?;
    Some(Coded {
        contime: row.contime,
        who: [number(row.actor)?, number(row.process)?, or_none(row.pid)?],
        fate: [small(row.begun)?, small(row.ended)?, small(row.failed)?, small(row.error)?],
        numbers: [
            number(row.peer)?,
            number(row.port)?,
            number(row.send)?,
            number(row.recv)?,
            beyond(row.wire_send, row.send)?,
            beyond(row.wire_recv, row.recv)?,
            number(row.events)?,
            or_none(row.rtt_us)?,
            number(row.retrans)?,
        ],
    })
}

/// Gathers rows, in the order of their time, and writes a block whenever there is one.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    rows: Vec<Coded>,
}

impl Builder {
    /// True if a block can hold it.
    pub(crate) fn takes(row: &Stored) -> bool {
        coded(row).is_some()
    }

    /// Adds a row that [`Builder::takes`], not older than the one before.
    pub(crate) fn push(&mut self, tx: &Transaction<'_>, row: &Stored) -> Sql<()> {
        let Some(row) = coded(row) else { return Ok(()) };
        let is_apart = self.rows.first().is_some_and(|first| {
            first.contime.div_euclid(BLOCK_SPAN) != row.contime.div_euclid(BLOCK_SPAN)
                || row.contime.abs_diff(first.contime) >= HIGH
        });
        if is_apart || self.rows.len() >= BLOCK_ROWS {
            self.finish(tx)?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Writes what was gathered.
    pub(crate) fn finish(&mut self, tx: &Transaction<'_>) -> Sql<()> {
        let (Some(first), Some(last)) = (self.rows.first(), self.rows.last()) else {
            return Ok(());
        };
        let (first, last) = (first.contime, last.contime);
        let (who, whos) = dictionary(self.rows.iter().map(|row| row.who));
        let (fate, fates) = dictionary(self.rows.iter().map(|row| row.fate));
        let (mut time, mut who_text, mut fate_text) =
            (Digits::default(), Digits::default(), Digits::default());
        for ((row, who), fate) in self.rows.iter().zip(who).zip(fate) {
            time.push(row.contime.abs_diff(first));
            who_text.push(who);
            fate_text.push(fate);
        }
        let mut fate_texts: [Digits; FATE] = Default::default();
        for fate in fates {
            fate_texts.iter_mut().zip(fate).for_each(|(text, digit)| text.push(digit));
        }
        let mut who_texts: [Numbers; WHO] = Default::default();
        for who in whos {
            who_texts.iter_mut().zip(who).for_each(|(texts, number)| texts.push(number));
        }
        let mut texts: [Numbers; NUMBERS] = Default::default();
        for row in &self.rows {
            texts.iter_mut().zip(row.numbers).for_each(|(texts, number)| texts.push(number));
        }
        let rows = i64::try_from(self.rows.len()).unwrap_or(0);
        let single = [&time, &who_text, &fate_text].into_iter().chain(&fate_texts);
        let numbers = who_texts.iter().chain(&texts).flat_map(|numbers| &numbers.0);
        let texts: Vec<&str> = single.chain(numbers).map(Digits::text).collect();
        let values = [&rows as &dyn ToSql, &first, &last].into_iter();
        let values: Vec<&dyn ToSql> =
            values.chain(texts.iter().map(|text| text as &dyn ToSql)).collect();
        tx.prepare_cached(INSERT)?.execute(values.as_slice())?;
        self.rows.clear();
        Ok(())
    }
}

/// Each different value once, the most frequent first, as those have the shortest numbers; and the
/// place of each in it.
fn dictionary<const N: usize>(
    values: impl Iterator<Item = [u64; N]> + Clone,
) -> (Vec<u64>, Vec<[u64; N]>) {
    let mut counts: HashMap<[u64; N], u64> = HashMap::new();
    for value in values.clone() {
        *counts.entry(value).or_default() += 1;
    }
    let mut ranked: Vec<([u64; N], u64)> = counts.into_iter().collect();
    ranked.sort_unstable_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    let places: HashMap<[u64; N], u64> = ranked.iter().map(|(value, _)| *value).zip(0..).collect();
    let indexes = values.map(|value| places.get(&value).copied().unwrap_or(0)).collect();
    (indexes, ranked.into_iter().map(|(value, _)| value).collect())
}
