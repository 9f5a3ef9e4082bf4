//! Reading sums.

use crate::dimension::UNKNOWN_OUTCOME;
use crate::rollups::Cells;
use crate::rollups::Chunk;
use crate::rollups::Cube;
use crate::rollups::Level;
use crate::rollups::damaged;

use super::plan::Of;
use super::rows::Column;
use super::rows::Rows;
use super::rows::SumColumns;
use super::rows::at;
use super::run::Run;
use super::run::Stop;
use super::seen::Columns;

impl SumColumns for Chunk<'_> {
    fn read(&self, column: Column, into: &mut Vec<u64>) -> Result<(), Stop> {
        Ok(self.read_column(column as usize, into).map_err(damaged)?)
    }
}

impl Run<'_> {
    /// Adds the cells of a cube that are meant.
    pub(super) fn cells(
        &mut self,
        (cube, of): (Cube, Of),
        time: i64,
        mut cells: Cells<'_>,
        batch: &mut Rows,
    ) -> Result<(), Stop> {
        self.check()?;
        let mut chunk = Chunk::default();
        while cells.next(&mut chunk).map_err(damaged)? {
            batch.renew();
            batch.rows.clear();
            batch.rows.extend(0..u32::try_from(chunk.len()).unwrap_or(0));
            show(&mut batch.seen, cube, time, &chunk);
            if self.need.outcome && batch.seen.outcome.is_empty() {
                batch.seen.outcome.resize(chunk.len(), UNKNOWN_OUTCOME);
            }
            self.pick(cube, of, batch);
            if self.need.outcome && cube == Cube::Peer {
                self.note_unknown(time, batch);
            }
            if self.sets.ask_rows() {
                let (seen, lookups) = (&batch.seen, &self.lookups);
                batch.rows.retain(|row| lookups.holds(self.sets, &seen.row(*row)));
            }
            if !batch.rows.is_empty() {
                self.take(batch, &chunk)?;
            }
        }
        Ok(())
    }

    fn pick(&self, cube: Cube, of: Of, batch: &mut Rows) {
        let has_actor = matches!(cube, Cube::Actor | Cube::Pair | Cube::Loose | Cube::Run);
        let has_peer = matches!(cube, Cube::Peer | Cube::Pair | Cube::Loose | Cube::Host);
        let (seen, sets, lookups) = (&batch.seen, self.sets, &self.lookups);
        // A cube that lacks a party is only read where no filter asks for it.
        if let (true, Some(actors)) = (has_actor, &sets.actors) {
            batch.rows.retain(|row| actors.has(at(&seen.actor, *row)));
        }
        if has_peer && (of != Of::All || sets.peers.is_some()) {
            batch.rows.retain(|row| !lookups.leaves_out(sets, of, at(&seen.peer, *row)));
        }
    }

    /// Days that schema 5 summed tell no outcomes.
    fn note_unknown(&mut self, day: i64, batch: &Rows) {
        let outcomes = &batch.seen.outcome;
        if batch.rows.iter().any(|row| at(outcomes, *row) == UNKNOWN_OUTCOME) {
            let end = day.saturating_add(Level::Day.span());
            self.coarse_before = self.coarse_before.max(Some(end));
        }
    }
}

/// What the two numbers of each cell say.
fn show(seen: &mut Columns, cube: Cube, time: i64, chunk: &Chunk<'_>) {
    let (first, second) = chunk.columns();
    seen.clear();
    seen.begin = time;
    match cube {
        Cube::Actor => {
            seen.actor.extend(first);
            seen.outcome.extend(second);
        }
        Cube::Peer => {
            seen.peer.extend(first);
            seen.outcome.extend(second);
        }
        Cube::Pair => {
            seen.actor.extend(first);
            seen.peer.extend(second);
        }
        Cube::Host => seen.peer.extend(first),
        Cube::Lport => seen.lport.extend(first),
        Cube::Rport => seen.rport.extend(first),
        Cube::Run => {
            seen.process.extend(first);
            for mover in second {
                let (pid, actor) = Cube::moved_by(*mover);
                seen.pid.push(pid);
                seen.actor.push(actor);
            }
        }
        Cube::Loose => {
            seen.actor.extend(first);
            for end in second {
                let (peer, port) = Cube::ends(*end);
                seen.peer.push(peer);
                seen.port.push(port);
            }
        }
        Cube::Clock => seen.time.extend(first.iter().map(|minute| minute.saturating_mul(60))),
    }
}
