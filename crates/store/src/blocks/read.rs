//! Reading blocks, each column only if it is asked for.

use std::ops::Range;

use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::types::Type;
use rusqlite::types::ValueRef;

use super::BLOCK_SPAN;
use super::Stored;
use super::digits;
use super::digits::BadColumn;
use super::digits::HIGH;
use super::digits::LOW;
use crate::classify::Sql;
use crate::group::wire;

/// What can be read of the rows of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Contime,
    Actor,
    Process,
    /// 0: the process' own, else one more than it is.
    Pid,
    Peer,
    Port,
    Send,
    Recv,
    /// 0: not measured, else how much more than [`Field::Send`] (zigzag), and one more.
    WireSend,
    WireRecv,
    Events,
    Begun,
    Ended,
    Failed,
    Error,
    /// 0: not measured, else one more than it is.
    Rtt,
    Retrans,
}

/// How a field is stored: in digits of its own, or in those of a dictionary.
enum Kept {
    Digits(usize),
    Number(usize),
    Bytes(usize),
    WhoNumber(usize),
    FateDigit(usize),
}

/// Columns of `blocks`, as [`Block`] knows them.
const COLUMNS: &str =
    "rows, first, last, time, who, fate, fate_begun, fate_ended, fate_failed, fate_error,
    who_actor0, who_actor1, who_actor2, who_process0, who_process1, who_process2,
    who_pid0, who_pid1, who_pid2,
    peer0, peer1, peer2, port0, port1, port2, events0, events1, events2, rtt0, rtt1, rtt2,
    retrans0, retrans1, retrans2,
    send0, send1, send2, send3, recv0, recv1, recv2, recv3,
    wire_send0, wire_send1, wire_send2, wire_send3, wire_recv0, wire_recv1, wire_recv2, wire_recv3";
const TIME: usize = 3;
const WHO: usize = 4;
const FATE: usize = 5;
const FATES: usize = 6;
const WHOS: usize = 10;
const NUMBERS: usize = 19;
const BYTES: usize = 34;

impl Field {
    fn kept(self) -> Kept {
        match self {
            Self::Contime => Kept::Digits(TIME),
            Self::Actor => Kept::WhoNumber(WHOS),
            Self::Process => Kept::WhoNumber(WHOS + 3),
            Self::Pid => Kept::WhoNumber(WHOS + 6),
            Self::Begun => Kept::FateDigit(FATES),
            Self::Ended => Kept::FateDigit(FATES + 1),
            Self::Failed => Kept::FateDigit(FATES + 2),
            Self::Error => Kept::FateDigit(FATES + 3),
            Self::Peer => Kept::Number(NUMBERS),
            Self::Port => Kept::Number(NUMBERS + 3),
            Self::Send => Kept::Bytes(BYTES),
            Self::Recv => Kept::Bytes(BYTES + 4),
            Self::WireSend => Kept::Bytes(BYTES + 8),
            Self::WireRecv => Kept::Bytes(BYTES + 12),
            Self::Events => Kept::Number(NUMBERS + 6),
            Self::Rtt => Kept::Number(NUMBERS + 9),
            Self::Retrans => Kept::Number(NUMBERS + 12),
        }
    }
}

/// A block under the reader's finger.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    row: &'a Row<'a>,
    /// How many rows it has.
    pub(crate) rows: usize,
    first: i64,
    last: i64,
}

impl<'a> Block<'a> {
    fn of(row: &'a Row<'a>) -> Sql<Self> {
        let rows = usize::try_from(row.get::<_, i64>(0)?).unwrap_or(0).min(super::BLOCK_ROWS);
        Ok(Self { row, rows, first: row.get(1)?, last: row.get(2)? })
    }

    /// True if all its rows are of this time.
    pub(crate) fn is_within(&self, time: &Range<i64>) -> bool {
        time.contains(&self.first) && time.contains(&self.last)
    }

    /// When it begins, and the second after its last row.
    pub(crate) fn time(&self) -> (i64, i64) {
        (self.first, self.last.saturating_add(1))
    }

    /// True if its first row is of this time.
    pub(crate) fn begins_in(&self, time: &Range<i64>) -> bool {
        time.contains(&self.first)
    }

    /// True if it may have rows of this second.
    pub(crate) fn has(&self, contime: i64) -> bool {
        (self.first..=self.last).contains(&contime)
    }

    /// Fills `into` with one number a row.
    pub(crate) fn read(&self, field: Field, into: &mut Vec<u64>) -> Sql<()> {
        into.clear();
        match field.kept() {
            Kept::Digits(at) => {
                into.resize(self.rows, self.first.cast_unsigned());
                self.add(at, 1, into)
            }
            Kept::Number(at) => {
                into.resize(self.rows, 0);
                self.number(at, into)
            }
            Kept::Bytes(at) => {
                into.resize(self.rows, 0);
                self.number(at, into)?;
                self.add(at + 3, LOW * HIGH * HIGH, into)
            }
            Kept::WhoNumber(at) => self.looked_up(WHO, into, |entries| self.number(at, entries)),
            Kept::FateDigit(at) => self.looked_up(FATE, into, |entries| self.add(at, 1, entries)),
        }
    }

    fn looked_up(
        &self,
        index: usize,
        into: &mut Vec<u64>,
        fill: impl FnOnce(&mut [u64]) -> Sql<()>,
    ) -> Sql<()> {
        into.resize(self.rows, 0);
        self.add(index, 1, into)?;
        let entries = into.iter().max().map_or(0, |most| most + 1);
        let mut dictionary = vec![0; usize::try_from(entries).unwrap_or(0)];
        fill(&mut dictionary)?;
        for number in into {
            let place = usize::try_from(*number).unwrap_or(usize::MAX);
            *number = dictionary.get(place).copied().unwrap_or(0);
        }
        Ok(())
    }

    fn number(&self, at: usize, into: &mut [u64]) -> Sql<()> {
        self.add(at, 1, into)?;
        self.add(at + 1, LOW, into)?;
        self.add(at + 2, LOW * HIGH, into)
    }

    fn add(&self, at: usize, times: u64, into: &mut [u64]) -> Sql<()> {
        let text = match self.row.get_ref(at)? {
            ValueRef::Text(text) => Ok(text),
            _ => Err(BadColumn),
        };
        text.and_then(|text| digits::add(text, times, into))
            .map_err(|bad| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(bad)))
    }
}

impl Block<'_> {
    /// Shows `each` row.
    pub(crate) fn each(&self, mut each: impl FnMut(&Stored)) -> Sql<()> {
        const FIELDS: [Field; 17] = [
            Field::Contime,
            Field::Actor,
            Field::Process,
            Field::Pid,
            Field::Peer,
            Field::Port,
            Field::Send,
            Field::Recv,
            Field::WireSend,
            Field::WireRecv,
            Field::Events,
            Field::Begun,
            Field::Ended,
            Field::Failed,
            Field::Error,
            Field::Rtt,
            Field::Retrans,
        ];
        let mut columns: [Vec<u64>; FIELDS.len()] = Default::default();
        for (field, column) in FIELDS.into_iter().zip(&mut columns) {
            self.read(field, column)?;
        }
        for row in 0..self.rows {
            let [
                contime,
                actor,
                process,
                pid,
                peer,
                port,
                send,
                recv,
                wire_send,
                wire_recv,
                rest @ ..,
            ] = columns
                .each_ref()
                .map(|column| column.get(row).copied().unwrap_or(0).cast_signed());
            let [events, begun, ended, failed, error, rtt, retrans] = rest;
            let or_none = |code: i64| (code > 0).then(|| code - 1);
            let on_wire = |code: i64, bytes: i64| {
                wire(code.cast_unsigned(), bytes.cast_unsigned()).map(u64::cast_signed)
            };
            each(&Stored {
                contime,
                actor,
                process,
                pid: or_none(pid),
                peer,
                port,
                send,
                recv,
                wire_send: on_wire(wire_send, send),
                wire_recv: on_wire(wire_recv, recv),
                events,
                begun,
                ended,
                failed,
                error,
                rtt_us: or_none(rtt),
                retrans,
            });
        }
        Ok(())
    }
}

/// Shows `each` the block with this id.
pub(crate) fn one(
    conn: &Connection,
    id: i64,
    mut each: impl FnMut(&Block<'_>) -> Sql<()>,
) -> Sql<()> {
    let sql = format!("SELECT {COLUMNS} FROM blocks WHERE id = ?1");
    let mut stmt = conn.prepare_cached(&sql)?;
    let mut found = stmt.query([id])?;
    while let Some(row) = found.next()? {
        each(&Block::of(row)?)?;
    }
    Ok(())
}

/// Blocks whose rows are in sums, or are not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Sealed,
    Waiting,
}

/// Shows `each` block that may have rows of `time` (unix seconds).
pub(crate) fn scan<E: From<rusqlite::Error>>(
    conn: &Connection,
    (time, which): (Range<i64>, Which),
    mut each: impl FnMut(&Block<'_>) -> Result<(), E>,
) -> Result<(), E> {
    // No block reaches further than that.
    let begins = time.start.saturating_sub(BLOCK_SPAN);
    // Few wait, and an index has them alone.
    let which = match which {
        Which::Sealed => "INDEXED BY blocks_by_time WHERE sealed = 1",
        Which::Waiting => "INDEXED BY blocks_waiting WHERE sealed = 0",
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM blocks {which} AND first > ?1 AND first < ?2 AND last >= ?3"
    );
    let mut stmt = conn.prepare_cached(&sql)?;
    let mut found = stmt.query([begins, time.end, time.start])?;
    while let Some(row) = found.next()? {
        each(&Block::of(row)?)?;
    }
    Ok(())
}
