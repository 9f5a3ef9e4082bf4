//! Filters, asked of one row after the other.

use std::path::Path;

use rusqlite::Connection;

use crate::Filter;
use crate::StoreError;
use crate::Users;
use crate::blocks::Stored;
use crate::classify::At;

use super::plan::Need;
use super::plan::Of;
use super::seen::Lookups;
use super::seen::Seen;
use super::sets::Sets;

/// Tells which rows are meant. What it knows is of one state of the history: rows that come later
/// are not meant to be asked about.
#[derive(Debug)]
pub(crate) struct Pick {
    sets: Sets,
    lookups: Lookups,
}

impl Pick {
    pub(crate) fn new(
        conn: &Connection,
        filters: &[Filter],
        users: &dyn Users,
        path: &Path,
    ) -> Result<Self, StoreError> {
        let sets = Sets::new(conn, filters, users, path)?;
        let (mut need, mut lookups) = (Need::default(), Lookups::default());
        sets.need(&mut need);
        if need.lport || need.rport {
            lookups.read_ports(conn).at(path)?;
        }
        if need.run {
            lookups.read_pids(conn).at(path)?;
        }
        Ok(Self { sets, lookups })
    }

    /// True if all filters hold.
    pub(crate) fn takes(&self, row: &Stored) -> bool {
        let seen = Seen {
            actor: row.actor.cast_unsigned(),
            peer: row.peer.cast_unsigned(),
            port: row.port.cast_unsigned(),
            ports: None,
            process: row.process.cast_unsigned(),
            pid: row.pid.map_or(0, |pid| pid.cast_unsigned().wrapping_add(1)),
            outcome: row.outcome(),
            time: row.contime,
        };
        self.sets.actors.as_ref().is_none_or(|actors| actors.has(seen.actor))
            && !self.lookups.leaves_out(&self.sets, Of::All, seen.peer)
            && self.lookups.holds(&self.sets, &seen)
    }
}
