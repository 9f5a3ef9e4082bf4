//! Compares history with what the generators counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use femtosnitch_testkit::Report;
use serde_json::Value;

use crate::root::Root;

/// Bytes sent and received.
type Bytes = (u64, u64);

/// One answer of `query` with typed access.
#[derive(Debug)]
pub(crate) struct Row<'a>(pub(crate) &'a Value);

impl<'a> Row<'a> {
    /// A key as text.
    pub(crate) fn text(&self, key: &str) -> &'a str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A key as a number, 0 if it is none.
    pub(crate) fn number(&self, key: &str) -> u64 {
        self.0.get(key).and_then(Value::as_u64).unwrap_or_default()
    }

    /// Application bytes.
    pub(crate) fn bytes(&self) -> Bytes {
        (self.number("send"), self.number("recv"))
    }
}

/// The sum of some answers.
pub(crate) fn total<'a>(rows: impl IntoIterator<Item = &'a Value>) -> Bytes {
    rows.into_iter().map(|row| Row(row).bytes()).fold((0, 0), plus)
}

fn plus(one: Bytes, other: Bytes) -> Bytes {
    (one.0 + other.0, one.1 + other.1)
}

/// Answers whose command line contains `mark`.
pub(crate) fn marked<'a>(rows: &'a [Value], mark: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| carries(Row(row).text("cmdline"), mark)).collect()
}

/// True if an argument ends in `mark`: `…-1` must not pass for `…-12`.
fn carries(cmdline: &str, mark: &str) -> bool {
    cmdline.split([' ', '/', ';']).any(|word| word == mark)
}

/// History holds exactly what `report` says for the processes marked with `mark`: every byte,
/// every process, executable, digest and conversation, and nothing else.
pub(crate) fn exactly(root: &Root<'_>, mark: &str, report: &Report) -> Result<()> {
    let rows = root.query("pid,cmdline,exe,sha256,family,protocol")?;
    let rows = marked(&rows, mark);
    identities(&rows, &root.world.testkit, &root.world.testkit_sha256)?;
    processes(&rows, report)?;
    let rows = root.query("pid,cmdline,laddr,lport,raddr,rport")?;
    conversations(&marked(&rows, mark), report)?;
    if report.ends.iter().any(|end| end.connections() > 0) {
        let rows = root.query("pid,cmdline,raddr,rport,direction")?;
        connections(&marked(&rows, mark), report)?;
    }
    Ok(())
}

/// Compares begun and failed connections, outgoing and incoming, of every end that counted them.
fn connections(all: &[&Value], report: &Report) -> Result<()> {
    for end in &report.ends {
        let failed = end.refused + end.timed_out;
        let outgoing = ("outgoing", end.connected + failed, failed);
        for (direction, begun, failed) in [outgoing, ("incoming", end.accepted, 0)] {
            let rows = all.iter().map(|row| Row(row)).filter(|row| {
                row.number("pid") == u64::from(end.pid) && row.text("direction") == direction
            });
            let got = rows.fold((0, 0), |sum, row| {
                plus(sum, (row.number("connections"), row.number("failed")))
            });
            let role = &end.role;
            ensure!(
                got == (begun, failed),
                "{role} began {begun} {direction} connections, {failed} in vain, not {got:?}: {all:#?}"
            );
        }
        let to = |row: &Row<'_>| {
            let there = end.remote.map(|there| (there.ip().to_string(), u64::from(there.port())));
            there.is_none_or(|(ip, port)| row.text("raddr") == ip && row.number("rport") == port)
        };
        let strays = all.iter().map(|row| Row(row)).find(|row| {
            row.number("pid") == u64::from(end.pid) && row.number("connections") > 0 && !to(row)
        });
        ensure!(strays.is_none(), "{} began a connection elsewhere: {all:#?}", end.role);
    }
    Ok(())
}

/// Compares every process: pid, command line, family and protocol.
fn processes(rows: &[&Value], report: &Report) -> Result<()> {
    // An end with pid 0 stands for many processes with the same command line.
    let many: Vec<_> = report.ends.iter().filter(|end| end.pid == 0).collect();
    let mut got: BTreeMap<_, Bytes> = BTreeMap::new();
    for row in rows.iter().map(|row| Row(row)) {
        let cmdline = row.text("cmdline").to_owned();
        let pid = if many.iter().any(|end| end.cmdline == cmdline) { 0 } else { row.number("pid") };
        let key = (pid, cmdline, row.number("family"), row.number("protocol"));
        let sum = got.entry(key).or_default();
        *sum = plus(*sum, row.bytes());
    }
    let mut wanted: BTreeMap<_, Bytes> = BTreeMap::new();
    for end in &report.ends {
        let (family, protocol) = (u64::from(end.family), u64::from(end.protocol));
        let key = (u64::from(end.pid), end.cmdline.clone(), family, protocol);
        let sum = wanted.entry(key).or_default();
        *sum = plus(*sum, (end.sent, end.recv));
    }
    for bytes in [&mut got, &mut wanted] {
        bytes.retain(|_who, moved| *moved != (0, 0));
    }
    if report.sent() + report.recv() == 0 {
        ensure!(got.is_empty(), "not one byte moved, but history says {got:?}");
        return Ok(());
    }
    same(&wanted, &got)
}

/// Every row names the right file.
pub(crate) fn identities(rows: &[&Value], exe: &Path, sha256: &str) -> Result<()> {
    for row in rows.iter().map(|row| Row(row)) {
        let right = Path::new(row.text("exe")) == exe && row.text("sha256") == sha256;
        ensure!(right, "not {} with {sha256}: {}", exe.display(), row.0);
    }
    Ok(())
}

/// Compares the ends whose both addresses are known.
fn conversations(all: &[&Value], report: &Report) -> Result<()> {
    let has = |row: &Row<'_>, [addr, port]: [&str; 2], address: SocketAddr| {
        row.text(addr) == address.ip().to_string() && row.number(port) == u64::from(address.port())
    };
    for end in report.ends.iter().filter(|end| end.pid != 0 && end.sent + end.recv > 0) {
        let (Some(local), Some(remote)) = (end.local, end.remote) else { continue };
        let rows = all.iter().filter(|row| {
            let row = Row(row);
            row.number("pid") == u64::from(end.pid)
                && row.text("cmdline") == end.cmdline
                && has(&row, ["laddr", "lport"], local)
                && has(&row, ["raddr", "rport"], remote)
        });
        let got = total(rows.copied());
        if got != (end.sent, end.recv) {
            let (role, sent, recv) = (&end.role, end.sent, end.recv);
            bail!("{role} {local} to {remote} moved {sent} and {recv}, not {got:?}: {all:#?}");
        }
    }
    Ok(())
}

/// Two tallies are equal; the error shows only where they are not.
fn same<K: Ord + std::fmt::Debug>(
    wanted: &BTreeMap<K, Bytes>,
    got: &BTreeMap<K, Bytes>,
) -> Result<()> {
    let mut wrong = Vec::new();
    for (key, bytes) in wanted {
        match got.get(key) {
            Some(found) if found == bytes => {}
            found => wrong.push(format!("{key:?} moved {bytes:?}, history says {found:?}")),
        }
    }
    let strangers = got.iter().filter(|(key, _bytes)| !wanted.contains_key(key));
    wrong.extend(strangers.map(|(key, bytes)| format!("{key:?} {bytes:?} never happened")));
    ensure!(wrong.is_empty(), "(sent, received) {}", wrong.join("; "));
    ensure!(!wanted.is_empty(), "there was nothing to compare");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_testkit::End;
    use serde_json::json;

    fn report() -> Report {
        let end = |pid, sent, recv| End {
            pid,
            cmdline: "x --tag m".to_owned(),
            family: 2,
            protocol: 6,
            local: "127.0.0.1:1".parse().ok(),
            remote: "127.0.0.1:2".parse().ok(),
            sent,
            recv,
            ..End::default()
        };
        Report::new("x", vec![end(7, 10, 3), end(8, 3, 10)])
    }

    fn row(pid: u32, send: u64, recv: u64) -> Value {
        json!({"pid": pid, "cmdline": "x --tag m", "family": 2, "protocol": 6,
            "laddr": "127.0.0.1", "lport": 1, "raddr": "127.0.0.1", "rport": 2,
            "send": send, "recv": recv})
    }

    #[test]
    fn rows_of_one_process_add_up() {
        let rows = [row(7, 4, 3), row(7, 6, 0), row(8, 3, 10)];
        let rows: Vec<_> = rows.iter().collect();
        processes(&rows, &report()).unwrap();
        conversations(&rows, &report()).unwrap();
    }

    #[test]
    fn bytes_swapped_missing_or_of_a_stranger_are_found() {
        let swapped = [row(8, 10, 3), row(7, 3, 10)];
        let missing = [row(7, 10, 3)];
        let stranger = [row(7, 10, 3), row(8, 3, 10), row(9, 1, 0)];
        for rows in [&swapped[..], &missing, &stranger] {
            let rows: Vec<_> = rows.iter().collect();
            assert!(processes(&rows, &report()).is_err(), "{rows:?}");
        }
    }

    #[test]
    fn a_wrong_address_is_found() {
        let mut rows = [row(7, 10, 3), row(8, 3, 10)];
        rows[1]["rport"] = json!(3);
        let rows: Vec<_> = rows.iter().collect();
        processes(&rows, &report()).unwrap();
        assert!(conversations(&rows, &report()).is_err());
    }

    #[test]
    fn connections_are_compared_by_direction() {
        let there: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let end = End { pid: 7, refused: 3, remote: Some(there), ..End::default() };
        let report = Report::new("x", vec![end]);
        let row = |direction, begun, failed, rport| {
            json!({"pid": 7, "direction": direction, "connections": begun, "failed": failed,
                "raddr": "127.0.0.1", "rport": rport})
        };
        let right = [row("outgoing", 2, 2, 9), row("outgoing", 1, 1, 9)];
        connections(&right.iter().collect::<Vec<_>>(), &report).unwrap();
        let wrong = [
            row("outgoing", 2, 2, 9),
            row("outgoing", 3, 2, 9),
            row("incoming", 3, 3, 9),
            row("outgoing", 3, 3, 8),
        ];
        for row in &wrong {
            assert!(connections(&[row], &report).is_err(), "{row}");
        }
        assert!(connections(&[], &report).is_err());
    }

    #[test]
    fn marks_are_whole_words() {
        assert!(carries("testkit --tag e2e-a-1", "e2e-a-1"));
        assert!(carries("curl http://127.0.0.1:1/e2e-a-1; true", "e2e-a-1"));
        assert!(!carries("testkit --tag e2e-a-12", "e2e-a-1"));
    }

    #[test]
    fn differences_are_found_in_both_directions() {
        let one = BTreeMap::from([("a", (1, 2))]);
        let more = BTreeMap::from([("a", (1, 2)), ("b", (1, 0))]);
        let other = BTreeMap::from([("a", (2, 1))]);
        assert!(same(&one, &one).is_ok());
        assert!(same(&one, &more).is_err());
        assert!(same(&more, &one).is_err());
        assert!(same(&one, &other).is_err());
        assert!(same::<&str>(&BTreeMap::new(), &BTreeMap::new()).is_err());
    }

    #[test]
    fn a_wrong_digest_is_found() {
        let row = json!({"exe": "/x", "sha256": "(gone)", "send": 1, "recv": 0});
        assert!(identities(&[&row], Path::new("/x"), "ab").is_err());
        let row = json!({"exe": "/x", "sha256": "ab", "send": 1, "recv": 0});
        assert!(identities(&[&row], Path::new("/x"), "ab").is_ok());
        assert_eq!(total([&row, &row]), (2, 0));
    }
}
