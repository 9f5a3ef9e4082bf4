//! Compares history with what the generators and the counters say.

mod connections;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use femtosnitch_testkit::End;
use femtosnitch_testkit::Report;
use serde_json::Value;

use crate::ground;
use crate::ground::Counts;
use crate::ground::Towards;
use crate::ground::Truth;
use crate::table;
use crate::table::Scenario;
use crate::verdict::Amounts;
use crate::verdict::Aspect;
use crate::verdict::Finding;
use crate::verdict::Judged;

/// What history is summed up by.
pub(crate) const BY: &str =
    "exe,sha256,pid,cmdline,laddr,lport,raddr,rport,protocol,family,direction";

/// Wire bytes may differ by this.
const WIRE: f64 = 0.01;
/// The same in the direction of lost payload.
const WIRE_LOSSY: f64 = 0.03;

const AF_PACKET: u16 = 17;
/// An Ethernet header.
const ETHERNET: u64 = 14;

/// The program that has to be named.
pub(crate) struct Program<'a> {
    pub(crate) path: &'a Path,
    pub(crate) sha256: &'a str,
    /// What the daemon had attached.
    pub(crate) hooks: &'a [String],
}

/// One row of history.
#[derive(Clone, Copy)]
struct Row<'a>(&'a Value);

impl Row<'_> {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, key: &str) -> u64 {
        self.0.get(key).and_then(Value::as_u64).unwrap_or_default()
    }

    fn measured(&self, key: &str) -> Option<u64> {
        self.0.get(key).and_then(Value::as_u64)
    }

    fn is(&self, [addr, port]: [&str; 2], address: std::net::SocketAddr) -> bool {
        self.text(addr) == address.ip().to_string()
            && self.number(port) == u64::from(address.port())
    }
}

/// Rows whose command line has `mark` as one of its words.
fn marked<'a>(rows: &'a [Value], mark: &str) -> Vec<Row<'a>> {
    let carries = |row: &Row<'_>| row.text("cmdline").split(' ').any(|word| word == mark);
    rows.iter().map(Row).filter(carries).collect()
}

fn amounts<'a>(rows: impl IntoIterator<Item = &'a Row<'a>>) -> Amounts {
    let plus = |sum: Option<u64>, more: Option<u64>| match (sum, more) {
        (Some(sum), Some(more)) => Some(sum + more),
        (sum, more) => sum.or(more),
    };
    rows.into_iter().fold(Amounts::default(), |sum, row| Amounts {
        send: sum.send + row.number("send"),
        recv: sum.recv + row.number("recv"),
        wire_send: plus(sum.wire_send, row.measured("wire_send")),
        wire_recv: plus(sum.wire_recv, row.measured("wire_recv")),
    })
}

/// Judges one scenario: history against `report` and `truth`.
pub(crate) fn judge(
    scenario: &Scenario,
    program: &Program<'_>,
    (rows, mark): (&[Value], &str),
    report: &Report,
    truth: Truth,
) -> Judged {
    let rows = marked(rows, mark);
    let (far, near): (Vec<&End>, Vec<&End>) =
        report.ends.iter().partition(|end| scenario.cable && end.role == "server");
    let far_pids: BTreeSet<u64> = far.iter().map(|end| u64::from(end.pid)).collect();
    let (far_rows, near_rows): (Vec<Row<'_>>, Vec<Row<'_>>) =
        rows.iter().partition(|row| far_pids.contains(&row.number("pid")));
    let all = amounts(&rows);
    let (near_sum, far_sum) = (amounts(&near_rows), amounts(&far_rows));

    let mut findings = BTreeMap::from([
        (Aspect::Attribution, attribution(&rows, program, report)),
        (Aspect::AppSend, Finding::ratio(Some(all.send), report.sent(), 0.0)),
        (Aspect::AppRecv, Finding::ratio(Some(all.recv), report.recv(), 0.0)),
    ]);
    if let Some(finding) = addresses(&rows, report) {
        findings.insert(Aspect::Peer, finding);
    }
    if let Some(finding) = connections::begun(&rows, report) {
        findings.insert(Aspect::Connections, finding);
    }
    if scenario.cable
        && let Some(finding) = connections::repeated(&near_rows, &truth.near_tcp)
    {
        findings.insert(Aspect::Repeated, finding);
    }
    let names: BTreeSet<&str> = near.iter().chain(&far).map(|end| counter(end)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let on_wire = |counts: &Counts| ground::sum(counts, &names).bytes;
    let arrived =
        |counts: &Counts| on_wire(counts).saturating_sub(ground::sum(counts, &["l_lost"]).bytes);
    let lossy = scenario.loss.map(|loss| loss.towards);
    let tolerance = |towards| if lossy == Some(towards) { WIRE_LOSSY } else { WIRE };
    let mut wire = |aspect, got, truth, towards| {
        findings.insert(aspect, Finding::ratio(got, truth, tolerance(towards)));
    };
    if scenario.cable {
        let (up, down) = (&truth.to_peer, &truth.to_near);
        wire(Aspect::WireSend, near_sum.wire_send, on_wire(up), Towards::Peer);
        wire(Aspect::WireRecv, near_sum.wire_recv, arrived(down), Towards::Near);
        if !far.is_empty() {
            wire(Aspect::PeerWireSend, far_sum.wire_send, on_wire(down), Towards::Near);
            let delivered = arrived(up) * scenario.receivers;
            wire(Aspect::PeerWireRecv, far_sum.wire_recv, delivered, Towards::Peer);
        }
    } else if !scenario.own_network {
        let both = on_wire(&truth.loopback);
        // What came to a port where nobody listens came to no process.
        let taken = if report.recv() > 0 { both } else { 0 };
        wire(Aspect::WireSend, near_sum.wire_send, both, Towards::Peer);
        wire(Aspect::WireRecv, near_sum.wire_recv, taken, Towards::Near);
    }
    for (aspect, finding) in &mut findings {
        finding.limit = table::limit(scenario.name, *aspect, program.hooks);
    }
    let near_pids = near.iter().map(|end| end.pid.into()).collect();
    // What a packet capture sees, behind the cable's counters as well as before.
    let frames = |counts: &Counts| {
        let sum = ground::sum(counts, &names);
        sum.bytes + sum.packets * ETHERNET
    };
    let sum = |count: fn(&End) -> u64| near.iter().map(|end| count(end)).sum();
    Judged {
        findings,
        near: near_sum,
        peer: far_sum,
        near_pids: if scenario.cable { near_pids } else { BTreeSet::new() },
        near_app: [sum(|end| end.sent), sum(|end| end.recv)],
        near_frames: [frames(&truth.to_peer), frames(&truth.to_near)],
        truth,
    }
}

/// The counter of a conversation's packets.
fn counter(end: &End) -> &'static str {
    if end.family == AF_PACKET {
        return "p_frames";
    }
    match end.protocol {
        1 => "p_icmp",
        // MPTCP is TCP on the wire.
        6 | 262 => "p_tcp",
        17 => "p_udp",
        58 => "p_icmpv6",
        132 => "p_sctp",
        136 => "p_udplite",
        254 => "p_254",
        _ => "p_253",
    }
}

/// Application bytes.
type Bytes = (u64, u64);

/// Each process with its bytes, and every row with the right file.
fn attribution(rows: &[Row<'_>], program: &Program<'_>, report: &Report) -> Finding {
    let mut wrong = Vec::new();
    for row in rows {
        if Path::new(row.text("exe")) != program.path || row.text("sha256") != program.sha256 {
            wrong.push(format!("exe {} sha256 {}", row.text("exe"), row.text("sha256")));
        }
    }
    // An end with pid 0 stands for many processes with the same command line.
    let many = |cmdline: &str| report.ends.iter().any(|end| end.pid == 0 && end.cmdline == cmdline);
    let mut got: BTreeMap<(u64, &str), Bytes> = BTreeMap::new();
    for row in rows {
        let cmdline = row.text("cmdline");
        let pid = if many(cmdline) { 0 } else { row.number("pid") };
        let sum = got.entry((pid, cmdline)).or_default();
        *sum = (sum.0 + row.number("send"), sum.1 + row.number("recv"));
    }
    let mut wanted: BTreeMap<(u64, &str), Bytes> = BTreeMap::new();
    for end in &report.ends {
        let sum = wanted.entry((end.pid.into(), &end.cmdline)).or_default();
        *sum = (sum.0 + end.sent, sum.1 + end.recv);
    }
    for ((pid, cmdline), bytes) in &wanted {
        let found = got.remove(&(*pid, *cmdline)).unwrap_or_default();
        if found != *bytes {
            wrong.push(format!("pid {pid} moved {bytes:?}, history says {found:?} ({cmdline})"));
        }
    }
    got.retain(|_who, bytes| *bytes != (0, 0));
    wrong.extend(
        got.iter()
            .map(|((pid, cmdline), bytes)| format!("pid {pid} never moved {bytes:?} ({cmdline})")),
    );
    if rows.is_empty() {
        wrong.push("nothing in history".to_owned());
    }
    Finding::of(&wrong)
}

/// Every conversation whose peer is known, with its bytes; `None` if there is none.
fn addresses(rows: &[Row<'_>], report: &Report) -> Option<Finding> {
    let mut wanted: BTreeMap<_, Bytes> = BTreeMap::new();
    for end in report.ends.iter().filter(|end| end.pid != 0) {
        let Some(remote) = end.remote else { continue };
        let key = (u64::from(end.pid), end.cmdline.as_str(), end.local, remote);
        let sum = wanted.entry(key).or_default();
        *sum = (sum.0 + end.sent, sum.1 + end.recv);
    }
    if wanted.is_empty() {
        return None;
    }
    let mut wrong = Vec::new();
    for ((pid, cmdline, local, remote), bytes) in wanted {
        let there: Vec<_> = rows
            .iter()
            .filter(|row| {
                row.number("pid") == pid
                    && row.text("cmdline") == cmdline
                    && row.is(["raddr", "rport"], remote)
                    && local.is_none_or(|local| row.is(["laddr", "lport"], local))
            })
            .copied()
            .collect();
        let sum = amounts(&there);
        // Also an attempt at a connection has to be in history, with whom it was for.
        if there.is_empty() || (sum.send, sum.recv) != bytes {
            let local = local.map_or_else(|| "?".to_owned(), |local| local.to_string());
            wrong.push(format!(
                "pid {pid} {local} → {remote} moved {bytes:?}, history says {:?} in {} rows",
                (sum.send, sum.recv),
                there.len()
            ));
        }
    }
    if !wrong.is_empty() {
        wrong.extend(rows.iter().take(8).map(|row| {
            let [laddr, raddr] = ["laddr", "raddr"].map(|key| row.text(key));
            let [lport, rport, send, recv] =
                ["lport", "rport", "send", "recv"].map(|key| row.number(key));
            format!("row {laddr}:{lport} → {raddr}:{rport} {send} {recv}")
        }));
    }
    Some(Finding::of(&wrong))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::Count;
    use serde_json::json;

    const CABLE: Scenario = Scenario {
        name: "x",
        about: "",
        kind: "tcp4",
        args: &[],
        cable: true,
        own_network: false,
        receivers: 1,
        loss: None,
    };

    fn end(role: &str, pid: u32, sent: u64, recv: u64, ports: [u16; 2]) -> End {
        let [local, remote] = ports.map(|port| format!("10.0.0.1:{port}").parse().ok());
        let cmdline = "kit --tag m".to_owned();
        let role = role.to_owned();
        End {
            role,
            pid,
            cmdline,
            family: 2,
            protocol: 6,
            local,
            remote,
            sent,
            recv,
            ..End::default()
        }
    }

    fn row(pid: u32, send: u64, recv: u64, ports: [u16; 2]) -> Value {
        let [lport, rport] = ports;
        json!({"exe": "/kit", "sha256": "ab", "pid": pid, "cmdline": "kit --tag m", "family": 2,
            "protocol": 6, "laddr": "10.0.0.1", "lport": lport, "raddr": "10.0.0.1",
            "rport": rport, "retrans": 0, "send": send, "recv": recv, "wire_send": send + 40,
            "wire_recv": recv + 40})
    }

    fn judged(rows: &[Value]) -> Judged {
        let ends = vec![end("client", 7, 100, 30, [1, 2]), end("server", 8, 30, 100, [2, 1])];
        let packets = |bytes| Counts::from([("p_tcp".to_owned(), Count { packets: 1, bytes })]);
        let truth = Truth { to_peer: packets(140), to_near: packets(70), ..Truth::default() };
        let program = Program { path: Path::new("/kit"), sha256: "ab", hooks: &[] };
        judge(&CABLE, &program, (rows, "m"), &Report::new("x", ends), truth)
    }

    fn wrong(judged: &Judged) -> Vec<Aspect> {
        let wrong = judged.findings.iter().filter(|(_, finding)| !finding.ok);
        wrong.map(|(aspect, _)| *aspect).collect()
    }

    #[test]
    fn the_truth_passes_in_everything() {
        let judged = judged(&[row(7, 100, 30, [1, 2]), row(8, 30, 100, [2, 1])]);
        assert_eq!(wrong(&judged), []);
        assert_eq!(judged.findings.len(), 9);
    }

    #[test]
    fn every_mistake_is_found_where_it_is() {
        let swapped = judged(&[row(8, 100, 30, [1, 2]), row(7, 30, 100, [2, 1])]);
        assert!(wrong(&swapped).contains(&Aspect::Attribution));
        let missing = judged(&[row(7, 100, 30, [1, 2])]);
        assert!(wrong(&missing).contains(&Aspect::AppSend));
        assert!(wrong(&missing).contains(&Aspect::PeerWireRecv));
        let port = judged(&[row(7, 100, 30, [1, 3]), row(8, 30, 100, [2, 1])]);
        assert_eq!(wrong(&port), [Aspect::Peer]);
        let mut other = row(8, 30, 100, [2, 1]);
        other["sha256"] = json!("(gone)");
        assert_eq!(wrong(&judged(&[row(7, 100, 30, [1, 2]), other])), [Aspect::Attribution]);
    }

    #[test]
    fn wire_bytes_that_are_not_measured_are_found() {
        let mut first = row(7, 100, 30, [1, 2]);
        first["wire_send"] = Value::Null;
        assert_eq!(wrong(&judged(&[first, row(8, 30, 100, [2, 1])])), [Aspect::WireSend]);
    }
}
