//! Reading rows, in blocks.

use std::ops::Range;

use crate::blocks::Block;
use crate::blocks::Field;
use crate::blocks::outcome;
use crate::group::Sums;

use super::plan::Need;
use super::plan::Of;
use super::run::Run;
use super::run::Stop;
use super::seen::Seen;

/// The columns of a block that were read, and which of its rows are meant.
#[derive(Debug, Default)]
pub(super) struct Read {
    contime: Vec<u64>,
    actor: Vec<u64>,
    process: Vec<u64>,
    pid: Vec<u64>,
    peer: Vec<u64>,
    port: Vec<u64>,
    ended: Vec<u64>,
    failed: Vec<u64>,
    error: Vec<u64>,
    sums: [Vec<u64>; 8],
    picked: Vec<u32>,
}

/// Columns of sums, but `failed`.
const SUMS: [Field; 8] = [
    Field::Send,
    Field::Recv,
    Field::WireSend,
    Field::WireRecv,
    Field::Events,
    Field::Begun,
    Field::Retrans,
    Field::Rtt,
];

fn at(column: &[u64], row: u32) -> u64 {
    usize::try_from(row).ok().and_then(|row| column.get(row)).copied().unwrap_or(0)
}

impl Run<'_> {
    /// Adds the rows of a block that are meant.
    pub(super) fn block(
        &mut self,
        block: &Block<'_>,
        read: &mut Read,
        time: &Range<i64>,
        of: Of,
    ) -> Result<(), Stop> {
        self.check()?;
        let need = self.need;
        read.picked.clear();
        read.picked.extend(0..u32::try_from(block.rows).unwrap_or(0));
        if need.grain != 0 || !block.is_within(time) {
            block.read(Field::Contime, &mut read.contime)?;
            let (contime, picked) = (&read.contime, &mut read.picked);
            picked.retain(|row| time.contains(&at(contime, *row).cast_signed()));
        }
        if need.actor {
            block.read(Field::Actor, &mut read.actor)?;
            if let Some(actors) = &self.sets.actors {
                read.picked.retain(|row| actors.has(at(&read.actor, *row)));
            }
        }
        let ports = need.lport || need.rport;
        if (need.peer || ports || of != Of::All) && !read.picked.is_empty() {
            block.read(Field::Peer, &mut read.peer)?;
            let (lookups, sets) = (&self.lookups, self.sets);
            read.picked.retain(|row| !lookups.leaves_out(sets, of, at(&read.peer, *row)));
        }
        if read.picked.is_empty() {
            return Ok(());
        }
        if ports {
            block.read(Field::Port, &mut read.port)?;
        }
        if need.run {
            block.read(Field::Process, &mut read.process)?;
            block.read(Field::Pid, &mut read.pid)?;
        }
        block.read(Field::Failed, &mut read.failed)?;
        if need.outcome {
            block.read(Field::Ended, &mut read.ended)?;
            block.read(Field::Error, &mut read.error)?;
        }
        let (lookups, sets) = (&self.lookups, self.sets);
        let mut picked = std::mem::take(&mut read.picked);
        picked.retain(|row| lookups.holds(sets, &read.seen(&need, *row)));
        read.picked = picked;
        if read.picked.is_empty() {
            return Ok(());
        }
        for (field, column) in SUMS.into_iter().zip(&mut read.sums) {
            block.read(field, column)?;
        }
        for row in &read.picked {
            self.add(&read.seen(&need, *row), read.sums(*row))?;
        }
        Ok(())
    }
}

impl Read {
    fn seen(&self, need: &Need, row: u32) -> Seen {
        let mut seen = Seen::default();
        if need.grain != 0 {
            seen.time = at(&self.contime, row).cast_signed();
        }
        if need.actor {
            seen.actor = at(&self.actor, row);
        }
        if need.peer || need.lport || need.rport {
            seen.peer = at(&self.peer, row);
        }
        if need.lport || need.rport {
            seen.port = at(&self.port, row);
        }
        if need.run {
            (seen.process, seen.pid) = (at(&self.process, row), at(&self.pid, row));
        }
        if need.outcome {
            let number = |column: &[u64]| at(column, row).cast_signed();
            seen.outcome = outcome(number(&self.ended), number(&self.failed), number(&self.error));
        }
        seen
    }

    fn sums(&self, row: u32) -> Sums {
        let [send, recv, wire_send, wire_recv, events, connections, retrans, rtt] =
            self.sums.each_ref().map(|column| at(column, row));
        let wire = |code: u64, bytes: u64| {
            let zigzag = code.checked_sub(1)?;
            Some(bytes.wrapping_add((zigzag >> 1) ^ (zigzag & 1).wrapping_neg()))
        };
        Sums {
            send,
            recv,
            wire_send: wire(wire_send, send),
            wire_recv: wire(wire_recv, recv),
            events,
            connections,
            failed: at(&self.failed, row),
            retrans,
            rtt_us: rtt.checked_sub(1),
        }
    }
}
