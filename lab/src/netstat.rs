//! What TCP of a network namespace says of itself, to explain differences. Not part of the truth.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use femtosnitch_testkit::netns::Side;

use femtosnitch_harness::command;

/// Counters by name.
pub(crate) type Netstat = BTreeMap<String, u64>;

/// Those of `TcpExt` and `Tcp` that tell of packets that came to nothing, or came twice.
const KEPT: [&str; 14] = [
    "RetransSegs",
    "TCPBacklogDrop",
    "TCPRcvQDrop",
    "TCPZeroWindowDrop",
    "TCPOFODrop",
    "TCPOFOQueue",
    "TCPOFOMerge",
    "TCPDSACKOldSent",
    "TCPDSACKOfoSent",
    "TCPDSACKRecv",
    "TCPLossProbes",
    "TCPSpuriousRTOs",
    "TCPTimeouts",
    "PruneCalled",
];

/// Reads them.
pub(crate) fn read(side: &Side) -> Result<Netstat> {
    let mut cat = Command::new("cat");
    cat.args(["/proc/net/netstat", "/proc/net/snmp"]);
    side.enter(&mut cat)?;
    Ok(parse(&command::output(cat, Duration::from_secs(60))?))
}

/// A line of names, then one of values, both after the name of their group.
fn parse(text: &str) -> Netstat {
    let mut all = Netstat::new();
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.chunks(2) {
        let [names, values] = pair else { continue };
        for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
            if let (true, Ok(value)) = (KEPT.contains(&name), value.parse()) {
                all.insert(name.to_owned(), value);
            }
        }
    }
    all
}

/// What has grown.
pub(crate) fn since(now: &Netstat, before: &Netstat) -> Netstat {
    let grown = now.iter().filter_map(|(name, value)| {
        let more = value.saturating_sub(before.get(name).copied().unwrap_or(0));
        (more > 0).then(|| (name.clone(), more))
    });
    grown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_come_in_pairs_of_lines() {
        let before = parse("TcpExt: SyncookiesSent TCPRcvQDrop\nTcpExt: 5 1\n");
        let now =
            parse("TcpExt: SyncookiesSent TCPRcvQDrop\nTcpExt: 9 4\nTcp: RetransSegs\nTcp: 0\n");
        assert_eq!(since(&now, &before), Netstat::from([("TCPRcvQDrop".to_owned(), 3)]));
    }
}
