//! Connections begun and failed, outgoing and incoming, and segments sent again.

use femtosnitch_testkit::Report;

use super::Row;
use crate::netstat::Netstat;
use crate::verdict::Finding;

/// What the generators counted; `None` for kinds that are not about connections.
pub(super) fn begun(rows: &[Row<'_>], report: &Report) -> Option<Finding> {
    if report.ends.iter().all(|end| end.connections() == 0) {
        return None;
    }
    let mut wrong = Vec::new();
    for end in &report.ends {
        let in_vain = end.refused + end.timed_out;
        let wanted =
            [("outgoing", end.connected + in_vain, in_vain), ("incoming", end.accepted, 0)];
        for (direction, begun, failed) in wanted {
            let there = rows.iter().filter(|row| {
                row.number("pid") == u64::from(end.pid) && row.text("direction") == direction
            });
            let got = there.fold((0, 0), |(begun, failed), row| {
                (begun + row.number("connections"), failed + row.number("failed"))
            });
            if got != (begun, failed) {
                wrong.push(format!(
                    "{} began {begun} {direction} connections, {failed} in vain, history says {got:?}",
                    end.role
                ));
            }
        }
    }
    Some(Finding::of(&wrong))
}

/// Segments that the near side's TCP repeated; `None` without TCP.
pub(super) fn repeated(near: &[Row<'_>], tcp: &Netstat) -> Option<Finding> {
    let of_tcp = near.iter().filter(|row| matches!(row.number("protocol"), 6 | 262));
    let got = of_tcp.map(|row| row.number("retrans")).reduce(|sum, more| sum + more)?;
    Some(Finding::ratio(Some(got), tcp.get("RetransSegs").copied().unwrap_or(0), 0.0))
}
