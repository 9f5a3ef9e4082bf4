//! Reading rows, in blocks.

use std::ops::Range;

use crate::blocks::Block;
use crate::blocks::Field;
use crate::blocks::outcome;

use super::plan::Of;
use super::rows::Column;
use super::rows::Rows;
use super::rows::SumColumns;
use super::rows::at;
use super::run::Run;
use super::run::Stop;

impl SumColumns for Block<'_> {
    fn read(&self, column: Column, into: &mut Vec<u64>) -> Result<(), Stop> {
        let field = match column {
            Column::Send => Field::Send,
            Column::Recv => Field::Recv,
            Column::WireSend => Field::WireSend,
            Column::WireRecv => Field::WireRecv,
            Column::Events => Field::Events,
            Column::Connections => Field::Begun,
            Column::Failed => Field::Failed,
            Column::Retrans => Field::Retrans,
            Column::Rtt => Field::Rtt,
        };
        Ok(self.read(field, into)?)
    }
}

impl Run<'_> {
    /// Adds the rows of a block that are meant.
    pub(super) fn block(
        &mut self,
        block: &Block<'_>,
        time: &Range<i64>,
        of: Of,
        batch: &mut Rows,
    ) -> Result<(), Stop> {
        self.check()?;
        let (need, sets) = (self.need, self.sets);
        batch.renew();
        let (rows, seen) = (&mut batch.rows, &mut batch.seen);
        seen.clear();
        rows.clear();
        rows.extend(0..u32::try_from(block.rows).unwrap_or(0));
        if need.grain != 0 || !block.is_within(time) {
            block.read(Field::Contime, &mut seen.time)?;
            rows.retain(|row| time.contains(&at(&seen.time, *row).cast_signed()));
        }
        if need.actor {
            block.read(Field::Actor, &mut seen.actor)?;
            if let Some(actors) = &sets.actors {
                rows.retain(|row| actors.has(at(&seen.actor, *row)));
            }
        }
        let ports = need.lport || need.rport;
        if (need.peer || ports || of != Of::All) && !rows.is_empty() {
            block.read(Field::Peer, &mut seen.peer)?;
            if of != Of::All || sets.peers.is_some() {
                let lookups = &self.lookups;
                rows.retain(|row| !lookups.leaves_out(sets, of, at(&seen.peer, *row)));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        if ports {
            block.read(Field::Port, &mut seen.port)?;
        }
        if need.run {
            block.read(Field::Process, &mut seen.process)?;
            block.read(Field::Pid, &mut seen.pid)?;
        }
        if need.outcome {
            let mut columns: [Vec<u64>; 3] = Default::default();
            for (field, column) in
                [Field::Ended, Field::Failed, Field::Error].into_iter().zip(&mut columns)
            {
                block.read(field, column)?;
            }
            let number = |column: &[u64], row: u32| at(column, row).cast_signed();
            let [ended, failed, error] = &columns;
            let all = 0..u32::try_from(block.rows).unwrap_or(0);
            seen.outcome.extend(
                all.map(|row| outcome(number(ended, row), number(failed, row), number(error, row))),
            );
        }
        if sets.ask_rows() {
            let (seen, lookups) = (&batch.seen, &self.lookups);
            batch.rows.retain(|row| lookups.holds(sets, &seen.row(*row)));
        }
        if batch.rows.is_empty() {
            return Ok(());
        }
        self.take(batch, block)
    }
}
