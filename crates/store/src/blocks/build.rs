//! Making blocks.

use std::collections::HashMap;

use rusqlite::ToSql;
use rusqlite::Transaction;

use super::BLOCK_ROWS;
use super::BLOCK_SPAN;
use super::Stored;
use super::digits::Digits;
use super::digits::HIGH;
use super::digits::MOST;
use super::digits::MOST_BYTES;
use super::digits::Numbers;
use crate::classify::Sql;

/// Numbers of a row of a block, in the order of [`COLUMNS`].
const NUMBERS: usize = 5;
/// Likewise, those that count bytes.
const BYTES: usize = 4;
/// Numbers of a dictionary's entry.
const WHO: usize = 3;
/// Likewise, each of one digit.
const FATE: usize = 4;

/// What a block has besides its number.
pub(crate) const COLUMNS: &str = "sealed, rows, first, last, time, who, fate,
    fate_begun, fate_ended, fate_failed, fate_error,
    who_actor0, who_actor1, who_actor2, who_process0, who_process1, who_process2,
    who_pid0, who_pid1, who_pid2,
    peer0, peer1, peer2, port0, port1, port2, events0, events1, events2, rtt0, rtt1, rtt2,
    retrans0, retrans1, retrans2,
    send0, send1, send2, send3, recv0, recv1, recv2, recv3,
    wire_send0, wire_send1, wire_send2, wire_send3, wire_recv0, wire_recv1, wire_recv2, wire_recv3";

/// A row in the numbers that a block stores.
#[derive(Debug, Clone, Copy)]
struct Coded {
    contime: i64,
    who: [u64; WHO],
    fate: [u64; FATE],
    numbers: [u64; NUMBERS],
    bytes: [u64; BYTES],
}

impl From<&Stored> for Coded {
    /// What has no room becomes the largest that has.
    fn from(row: &Stored) -> Self {
        let number = |number: i64| u64::try_from(number).unwrap_or(0).min(MOST);
        let or_none = |value: Option<i64>| value.map_or(0, |value| number(value.saturating_add(1)));
        let bytes = |bytes: i64| u64::try_from(bytes).unwrap_or(0).min(MOST_BYTES);
        let beyond = |wire: Option<i64>, sent: i64| {
            // Small in both directions: bytes may be on the wire before or after they are counted.
            let more = wire
                .map(|wire| bytes(wire).cast_signed().saturating_sub(bytes(sent).cast_signed()));
            more.map_or(0, |more| {
                (((more << 1) ^ (more >> 63)).cast_unsigned().saturating_add(1)).min(MOST_BYTES)
            })
        };
        let small = |value: i64| u64::try_from(value).unwrap_or(0).min(HIGH - 1);
        Self {
            contime: row.contime,
            who: [number(row.actor), number(row.process), or_none(row.pid)],
            fate: [small(row.begun), small(row.ended), small(row.failed), small(row.error)],
            numbers: [
                number(row.peer),
                number(row.port),
                number(row.events),
                or_none(row.rtt_us),
                number(row.retrans),
            ],
            bytes: [
                bytes(row.send),
                bytes(row.recv),
                beyond(row.wire_send, row.send),
                beyond(row.wire_recv, row.recv),
            ],
        }
    }
}

/// What a block holds of what a row says: numbers that have no room become the largest that have.
pub(crate) fn fitted(row: &Stored) -> Stored {
    let number = |number: i64| number.clamp(0, MOST.cast_signed());
    let less = |number: i64| number.clamp(0, MOST.cast_signed() - 1);
    // Half of it, so that any bytes on the wire fit besides.
    let bytes = |bytes: i64| bytes.clamp(0, MOST_BYTES.cast_signed() / 4);
    let small = |number: i64| number.clamp(0, HIGH.cast_signed() - 1);
    Stored {
        contime: row.contime,
        actor: number(row.actor),
        process: number(row.process),
        pid: row.pid.map(less),
        peer: number(row.peer),
        port: number(row.port),
        send: bytes(row.send),
        recv: bytes(row.recv),
        wire_send: row.wire_send.map(bytes),
        wire_recv: row.wire_recv.map(bytes),
        events: number(row.events),
        begun: small(row.begun),
        ended: small(row.ended),
        failed: small(row.failed),
        error: small(row.error),
        rtt_us: row.rtt_us.map(less),
        retrans: number(row.retrans),
    }
}

/// Gathers rows, in the order of their time, and writes a block whenever there is one.
#[derive(Debug)]
pub(crate) struct Builder {
    sealed: bool,
    rows: Vec<Coded>,
    /// Blocks written.
    pub(crate) blocks: i64,
}

impl Builder {
    /// For blocks whose rows are in sums, or are not yet.
    pub(crate) fn new(sealed: bool) -> Self {
        Self { sealed, rows: Vec::new(), blocks: 0 }
    }

    /// Adds a row that is [`fitted`], not older than the one before.
    pub(crate) fn push(&mut self, tx: &Transaction<'_>, row: &Stored) -> Sql<()> {
        let row = Coded::from(row);
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
        let mut who_texts: [Numbers<3>; WHO] = Default::default();
        for who in whos {
            who_texts.iter_mut().zip(who).for_each(|(texts, number)| texts.push(number));
        }
        let mut texts: [Numbers<3>; NUMBERS] = Default::default();
        let mut byte_texts: [Numbers<4>; BYTES] = Default::default();
        for row in &self.rows {
            texts.iter_mut().zip(row.numbers).for_each(|(texts, number)| texts.push(number));
            byte_texts.iter_mut().zip(row.bytes).for_each(|(texts, bytes)| texts.push(bytes));
        }
        let single = [&time, &who_text, &fate_text].into_iter().chain(&fate_texts);
        let numbers = who_texts.iter().chain(&texts).flat_map(|numbers| &numbers.0);
        let bytes = byte_texts.iter().flat_map(|bytes| &bytes.0);
        let texts: Vec<&str> = single.chain(numbers).chain(bytes).map(Digits::text).collect();
        let rows = i64::try_from(self.rows.len()).unwrap_or(0);
        let sealed = i64::from(self.sealed);
        let values = [&sealed as &dyn ToSql, &rows, &first, &last].into_iter();
        let values: Vec<&dyn ToSql> =
            values.chain(texts.iter().map(|text| text as &dyn ToSql)).collect();
        let places = vec!["?"; values.len()].join(", ");
        tx.prepare_cached(&format!("INSERT INTO blocks({COLUMNS}) VALUES ({places})"))?
            .execute(values.as_slice())?;
        self.rows.clear();
        self.blocks += 1;
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
