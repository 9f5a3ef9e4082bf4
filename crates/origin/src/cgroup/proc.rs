//! `/proc/PID/cgroup`: which of a process' cgroups tells most.

use crate::origin::{Claim, Origin};

/// What the kernel appends to the path of a version 2 cgroup that was removed.
const DELETED: &[u8] = b" (deleted)";

/// More lines than there are hierarchies.
const LINES: usize = 64;

/// The path that tells most in the text of `/proc/PID/cgroup` (cgroups(7)), and what it tells: of
/// those with a container, else of those with a unit, systemd's own hierarchy, then pids, memory,
/// devices, version 2, any other. No name holds a newline, the kernel refuses to make one.
#[must_use]
pub fn parse_proc_cgroup(text: &[u8]) -> Option<(&[u8], Origin)> {
    let lines = text.split(|byte| *byte == b'\n').take(LINES);
    let candidates = lines.filter_map(parse_line).map(|(rank, path)| {
        let origin = Origin::of_cgroup(path);
        (weight(&origin), rank, path, origin)
    });
    let best = candidates.min_by_key(|(weight, rank, ..)| (*weight, *rank))?;
    Some((best.2, best.3))
}

/// `ID:CONTROLLERS:PATH` → rank of the hierarchy (lowest first) and path.
fn parse_line(line: &[u8]) -> Option<(u8, &[u8])> {
    let mut fields = line.splitn(3, |byte| *byte == b':');
    let id = fields.next()?;
    let controllers = fields.next()?;
    let path = fields.next()?;
    if !id.iter().all(u8::is_ascii_digit) || !path.starts_with(b"/") {
        return None;
    }
    if controllers.is_empty() {
        return (id == b"0").then(|| (4, path.strip_suffix(DELETED).unwrap_or(path)));
    }
    let rank = |name: &[u8]| match name {
        b"name=systemd" => 0,
        b"pids" => 1,
        b"memory" => 2,
        b"devices" => 3,
        _ => 5,
    };
    let rank = controllers.split(|byte| *byte == b',').map(rank).min()?;
    Some((rank, path))
}

/// Lowest for what tells most. What root says comes before what anybody else says: on version 1 a
/// user may have been given one hierarchy and not the others.
fn weight(origin: &Origin) -> u8 {
    match origin.container() {
        Some(_) if origin.containers.first().is_some_and(|outer| outer.claim == Claim::ByRoot) => 0,
        Some(_) => 1,
        None if origin.unit.is_some() || origin.app.is_some() => 2,
        None => 3,
    }
}
