//! Reading sums.

use crate::rollups::Cells;
use crate::rollups::Chunk;
use crate::rollups::Cube;
use crate::rollups::damaged;

use super::plan::Of;
use super::run::Run;
use super::run::Stop;
use super::seen::Seen;

impl Run<'_> {
    /// Adds the cells of a cube that are meant.
    pub(super) fn cells(
        &mut self,
        (cube, of): (Cube, Of),
        time: i64,
        mut cells: Cells<'_>,
    ) -> Result<(), Stop> {
        self.check()?;
        let mut chunk = Chunk::default();
        let mut picked: Vec<(usize, Seen)> = Vec::new();
        while cells.next(&mut chunk).map_err(damaged)? {
            picked.clear();
            let (first, second) = chunk.columns();
            for (at, (first, second)) in first.iter().zip(second).enumerate() {
                let mut seen = seen(cube, *first, *second);
                seen.time = seen.time.saturating_add(time);
                if self.takes(cube, of, &seen) {
                    picked.push((at, seen));
                }
            }
            if picked.is_empty() {
                continue;
            }
            chunk.read_sums().map_err(damaged)?;
            for (at, seen) in &picked {
                self.add(seen, chunk.sums(*at))?;
            }
        }
        Ok(())
    }

    fn takes(&self, cube: Cube, of: Of, seen: &Seen) -> bool {
        let has_actor = matches!(cube, Cube::Actor | Cube::Pair);
        let has_peer = matches!(cube, Cube::Peer | Cube::Pair);
        // A cube that lacks a party is only read where no filter asks for it.
        if has_actor && self.sets.actors.as_ref().is_some_and(|actors| !actors.has(seen.actor)) {
            return false;
        }
        if has_peer && self.lookups.leaves_out(self.sets, of, seen.peer) {
            return false;
        }
        self.lookups.holds(self.sets, seen)
    }
}

fn seen(cube: Cube, first: u64, second: u64) -> Seen {
    let none = Seen::default();
    match cube {
        Cube::Actor => Seen { actor: first, outcome: second, ..none },
        Cube::Peer => Seen { peer: first, ..none },
        Cube::Pair => Seen { actor: first, peer: second, ..none },
        Cube::Lport => Seen { ports: Some((first, 0)), ..none },
        Cube::Rport => Seen { ports: Some((0, first)), ..none },
        Cube::Run => Seen { process: first, pid: second, ..none },
        Cube::Clock => Seen { time: first.cast_signed().saturating_mul(60), ..none },
    }
}
