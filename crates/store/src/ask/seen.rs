//! A row, or the sum of some, as filters and groups look at it.

use rusqlite::Connection;

use crate::classify::Sql;
use crate::parties::Loose;

use super::axis::Axis;
use super::plan::Of;
use super::rows::Rows;
use super::rows::at;
use super::sets::Sets;

/// What is known of it; zeros for what is not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(super) actor: u64,
    pub(super) peer: u64,
    /// The port that the peer leaves open.
    pub(super) port: u64,
    /// Those of the cubes of ports.
    pub(super) ports: Option<(u64, u64)>,
    pub(super) process: u64,
    /// As blocks have it.
    pub(super) pid: u64,
    pub(super) outcome: u64,
    pub(super) time: i64,
}

/// What is known of some rows, by column; a column without numbers is all zeros.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(super) actor: Vec<u64>,
    pub(super) peer: Vec<u64>,
    pub(super) port: Vec<u64>,
    /// Of the cubes of ports.
    pub(super) lport: Vec<u64>,
    pub(super) rport: Vec<u64>,
    pub(super) process: Vec<u64>,
    pub(super) pid: Vec<u64>,
    pub(super) outcome: Vec<u64>,
    pub(super) time: Vec<u64>,
    /// What is to be added to each time.
    pub(super) begin: i64,
}

impl Columns {
    /// All columns, which are to be filled anew.
    pub(super) fn clear(&mut self) {
        let Self { actor, peer, port, lport, rport, process, pid, outcome, time, begin } = self;
        for column in [actor, peer, port, lport, rport, process, pid, outcome, time] {
            column.clear();
        }
        *begin = 0;
    }

    fn time(&self, row: u32) -> i64 {
        at(&self.time, row).cast_signed().saturating_add(self.begin)
    }

    /// One row.
    pub(super) fn row(&self, row: u32) -> Seen {
        let has_ports = !self.lport.is_empty() || !self.rport.is_empty();
        Seen {
            actor: at(&self.actor, row),
            peer: at(&self.peer, row),
            port: at(&self.port, row),
            ports: has_ports.then(|| (at(&self.lport, row), at(&self.rport, row))),
            process: at(&self.process, row),
            pid: at(&self.pid, row),
            outcome: at(&self.outcome, row),
            time: self.time(row),
        }
    }
}

/// What rows do not say themselves.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    /// By peer: local port, remote port, which of them is the row's own.
    ports: Vec<(u16, u16, u8)>,
    /// By process.
    pids: Vec<u32>,
    /// State of the history (`PRAGMA data_version`) that they are of.
    version: Option<i64>,
}

/// Puts `value` at `id` of a list that grows as it has to.
fn put_at<T: Copy + Default>(list: &mut Vec<T>, id: i64, value: T) {
    let at = usize::try_from(id).unwrap_or(0);
    if at >= list.len() {
        list.resize(at + 1, T::default());
    }
    if let Some(slot) = list.get_mut(at) {
        *slot = value;
    }
}

impl Lookups {
    /// Reads those of peers that are new.
    pub(super) fn read_ports(&mut self, conn: &Connection) -> Sql<()> {
        let sql = "SELECT id, lport, rport, loose FROM peers WHERE id >= ?1";
        let mut stmt = conn.prepare_cached(sql)?;
        let mut rows = stmt.query([i64::try_from(self.ports.len()).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            let port = |at: usize| {
                row.get::<_, i64>(at).map(|port| u16::try_from(port).unwrap_or(u16::MAX))
            };
            let loose = u8::try_from(row.get::<_, i64>(3)?).unwrap_or(0);
            put_at(&mut self.ports, row.get(0)?, (port(1)?, port(2)?, loose));
        }
        Ok(())
    }

    /// Reads those of processes, once anything was written: their ids may be given again.
    pub(super) fn read_pids(&mut self, conn: &Connection) -> Sql<()> {
        let version = conn.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if self.version == Some(version) {
            return Ok(());
        }
        self.version = None;
        self.pids.clear();
        let mut stmt = conn.prepare_cached("SELECT id, pid FROM processes")?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            let pid = u32::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
            put_at(&mut self.pids, row.get(0)?, pid);
        }
        self.version = Some(version);
        Ok(())
    }

    fn peer(&self, peer: u64) -> (u16, u16, u8) {
        let at = usize::try_from(peer).unwrap_or(usize::MAX);
        self.ports.get(at).copied().unwrap_or((0, 0, 0))
    }

    fn lport(&self, seen: &Seen) -> u32 {
        if let Some((lport, _)) = seen.ports {
            return port(lport);
        }
        let (lport, _, loose) = self.peer(seen.peer);
        if loose == Loose::Local as u8 { port(seen.port) } else { lport.into() }
    }

    fn rport(&self, seen: &Seen) -> u32 {
        if let Some((_, rport)) = seen.ports {
            return port(rport);
        }
        let (_, rport, loose) = self.peer(seen.peer);
        if loose == Loose::Remote as u8 { port(seen.port) } else { rport.into() }
    }

    fn pid(&self, seen: &Seen) -> u32 {
        match seen.pid.checked_sub(1) {
            Some(pid) => clamped(pid),
            None => {
                let at = usize::try_from(seen.process).unwrap_or(usize::MAX);
                self.pids.get(at).copied().unwrap_or(0)
            }
        }
    }

    /// True if the peer's rows say the remote port themselves.
    fn is_loose(&self, peer: u64) -> bool {
        self.peer(peer).2 == Loose::Remote as u8
    }

    /// True if a filter or the part of the plan leaves out all of this peer.
    pub(super) fn leaves_out(&self, sets: &Sets, of: Of, peer: u64) -> bool {
        let other = match of {
            Of::All => false,
            Of::Steady => self.is_loose(peer),
            Of::Loose => !self.is_loose(peer),
        };
        other || sets.peers.as_ref().is_some_and(|peers| !peers.has(peer))
    }

    /// True if what remains of the filters holds.
    pub(super) fn holds(&self, sets: &Sets, seen: &Seen) -> bool {
        let Sets { lport, rport, pid, outcome, time, .. } = sets;
        let is = |number: u32| i64::from(number);
        lport.as_ref().is_none_or(|test| test.holds(is(self.lport(seen))))
            && rport.as_ref().is_none_or(|test| test.holds(is(self.rport(seen))))
            && pid.as_ref().is_none_or(|test| test.holds(is(self.pid(seen))))
            && outcome.as_ref().is_none_or(|test| test.holds(seen.outcome.cast_signed()))
            && time.iter().all(|(width, test)| test.holds(seen.time.div_euclid(*width) * width))
    }

    /// The values of a batch on an axis, one for each row that is meant.
    pub(crate) fn values(&self, axis: &Axis, batch: &Rows, into: &mut Vec<u32>) {
        let (seen, rows) = (&batch.seen, &batch.rows);
        into.clear();
        match axis {
            Axis::Actor(values) => {
                into.extend(rows.iter().map(|row| values.place(at(&seen.actor, *row))));
            }
            Axis::Peer(values) | Axis::Host(values) => {
                into.extend(rows.iter().map(|row| values.place(at(&seen.peer, *row))));
            }
            Axis::Lport if !seen.lport.is_empty() => {
                into.extend(rows.iter().map(|row| port(at(&seen.lport, *row))));
            }
            Axis::Rport if !seen.rport.is_empty() => {
                into.extend(rows.iter().map(|row| port(at(&seen.rport, *row))));
            }
            Axis::Rport if seen.port.is_empty() => {
                into.extend(rows.iter().map(|row| u32::from(self.peer(at(&seen.peer, *row)).1)));
            }
            Axis::Outcome => {
                into.extend(rows.iter().map(|row| outcome(at(&seen.outcome, *row))));
            }
            Axis::Time { width, offset } => times(seen, (*width, *offset), rows, into),
            _ => into.extend(rows.iter().map(|row| self.value(axis, &seen.row(*row)))),
        }
    }

    /// The value on an axis.
    fn value(&self, axis: &Axis, seen: &Seen) -> u32 {
        match axis {
            Axis::Actor(values) => values.place(seen.actor),
            Axis::Peer(values) | Axis::Host(values) => values.place(seen.peer),
            Axis::Lport => self.lport(seen),
            Axis::Rport => self.rport(seen),
            Axis::Pid => self.pid(seen),
            Axis::Outcome => outcome(seen.outcome),
            Axis::Time { width, offset } => step(seen.time, *width, *offset),
            Axis::Process => clamped(seen.process),
            Axis::Stray if seen.process == 0 => clamped(seen.actor),
            Axis::Stray => 0,
        }
    }
}

/// The steps that some rows are in, each of `width` seconds counted from `offset`.
pub(super) fn times(
    seen: &Columns,
    (width, offset): (i64, i64),
    rows: &[u32],
    into: &mut Vec<u32>,
) {
    into.clear();
    if seen.time.is_empty() {
        into.resize(rows.len(), step(seen.begin, width, offset));
    } else {
        into.extend(rows.iter().map(|row| step(seen.time(*row), width, offset)));
    }
}

/// The step that a time is in.
fn step(time: i64, width: i64, offset: i64) -> u32 {
    u32::try_from(time.saturating_sub(offset).div_euclid(width)).unwrap_or(0)
}

fn port(value: u64) -> u32 {
    u16::try_from(value).unwrap_or(u16::MAX).into()
}

/// One of the list.
fn outcome(value: u64) -> u32 {
    let last = crate::dimension::OUTCOMES.len() as u64 - 1;
    clamped(value.min(last))
}

fn clamped(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
