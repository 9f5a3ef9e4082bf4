//! Ground truth: two network namespaces, a cable between them, and nftables that counts every
//! packet that arrives at either end (or on the near end's loopback).
//!
//! The counters hang at `ingress`, behind the cable: there each packet is what was on the wire,
//! cut into segments and fragments, and `nft` counts its IP packet length. No offloads: with
//! `gso_max_segs 1` the kernel cuts before the device, and nothing joins packets again.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::netns::Pair;
use femtosnitch_testkit::netns::Side;
use femtosnitch_testkit::netns::ip;
use femtosnitch_testkit::peer::datagram::ETHERTYPE;
use serde::Serialize;
use serde_json::Value;

use crate::netstat;
use crate::netstat::Netstat;
use femtosnitch_harness::command;

/// Bytes of IP packets, or of what follows the Ethernet header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// What arrived somewhere, by counter.
pub(crate) type Counts = BTreeMap<String, Count>;

/// What each end saw arrive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Truth {
    /// At the peer: what the near side sent.
    pub(crate) to_peer: Counts,
    /// At the near side: what the peer sent.
    pub(crate) to_near: Counts,
    /// On the near side's loopback.
    pub(crate) loopback: Counts,
    /// What TCP of either end says, to explain differences.
    pub(crate) near_tcp: Netstat,
    pub(crate) peer_tcp: Netstat,
}

/// Which device a table of counters belongs to.
#[derive(Clone, Copy)]
enum Device {
    Cable,
    Loopback,
}

impl Device {
    fn name(self) -> &'static str {
        match self {
            Self::Cable => "veth0",
            Self::Loopback => "lo",
        }
    }
}

/// Counter and what it counts. The first ones are the sums by protocol.
const COUNTERS: [(&str, &str); 18] = [
    ("p_tcp", "meta l4proto tcp"),
    ("p_udp", "meta l4proto udp"),
    ("p_udplite", "meta l4proto udplite"),
    ("p_sctp", "meta l4proto sctp"),
    ("p_icmp", "icmp type { echo-request, echo-reply }"),
    ("p_icmpv6", "icmpv6 type { echo-request, echo-reply }"),
    ("p_253", "meta l4proto 253"),
    ("p_254", "meta l4proto 254"),
    // To explain differences.
    ("e_icmp_errors", "icmp type { destination-unreachable, time-exceeded, parameter-problem }"),
    ("e_icmpv6_errors", "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded }"),
    ("e_fragments4", "ip frag-off & 0x3fff != 0"),
    ("e_fragments6", "exthdr frag exists"),
    ("e_longer_than_mtu", "meta length > 1500"),
    ("t_syn", "tcp flags & (syn | ack) == syn"),
    ("t_synack", "tcp flags & (syn | ack) == syn | ack"),
    ("t_fin", "tcp flags & (fin | rst) == fin"),
    ("t_rst", "tcp flags & rst == rst"),
    ("t_options", "tcp flags & (syn | rst) == 0 tcp option sack exists"),
];

/// How long one call of `nft` may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The two namespaces, removed when dropped.
pub(crate) struct Ground {
    pair: Pair,
}

impl Ground {
    /// Makes everything. Needs root, `ip` and `nft`.
    pub(crate) fn create() -> Result<Self> {
        let pair = Pair::create()?;
        for side in [&pair.left, &pair.right] {
            ip(&["-n", &side.name, "link", "set", "veth0", "mtu", "1500", "gso_max_segs", "1"])?;
            // Loopback keeps its MTU of 65,536: a packet is what it is everywhere.
            ip(&["-n", &side.name, "link", "set", "lo", "gso_max_segs", "1"])?;
        }
        let ground = Self { pair };
        let near = [Device::Cable, Device::Loopback];
        for (side, devices) in [(&ground.pair.left, &near[..]), (&ground.pair.right, &near[..1])] {
            let text: String = devices.iter().map(|device| ruleset(*device)).collect();
            load(side, &text)?;
        }
        // Every group may ping.
        let mut sysctl = Command::new("sh");
        sysctl.args(["-c", "echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range"]);
        ground.pair.left.enter(&mut sysctl)?;
        command::output(sysctl, PATIENCE)?;
        Ok(ground)
    }

    /// Where generators run.
    pub(crate) fn near(&self) -> &Side {
        &self.pair.left
    }

    /// Where their peers run.
    pub(crate) fn peer(&self) -> &Side {
        &self.pair.right
    }

    /// Has this share (in percent) of the TCP packets of one direction dropped at the end of the
    /// cable, behind the counters: what was sent stays exactly known.
    pub(crate) fn lose(&self, percent: u32, towards: Towards) -> Result<()> {
        let side = match towards {
            Towards::Peer => self.peer(),
            Towards::Near => self.near(),
        };
        // Not `numgen`, which would be a module of its own.
        let below = u64::from(percent) * u64::from(u32::MAX) / 100;
        let rule = format!(
            "add rule netdev fslab_veth0 loss meta l4proto tcp meta random < {below} \
             counter name l_lost drop\n"
        );
        load(side, &rule)
    }

    /// No loss any more.
    pub(crate) fn lose_nothing(&self) -> Result<()> {
        [self.near(), self.peer()]
            .into_iter()
            .try_for_each(|side| load(side, "flush chain netdev fslab_veth0 loss\n"))
    }

    /// All counters once nothing moves any more.
    pub(crate) fn settled(&self) -> Result<Truth> {
        let mut before = self.read()?;
        // The last acknowledgements of a lossy connection may take some time-outs.
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(250));
            let now = self.read()?;
            if now == before {
                break;
            }
            before = now;
        }
        Ok(before)
    }

    fn read(&self) -> Result<Truth> {
        Ok(Truth {
            to_peer: counters(self.peer(), Device::Cable)?,
            to_near: counters(self.near(), Device::Cable)?,
            loopback: counters(self.near(), Device::Loopback)?,
            near_tcp: netstat::read(self.near())?,
            peer_tcp: netstat::read(self.peer())?,
        })
    }
}

/// A direction on the cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Towards {
    Peer,
    Near,
}

fn ruleset(device: Device) -> String {
    let name = device.name();
    let frames = format!("ether type {ETHERTYPE:#x}");
    let all = || COUNTERS.into_iter().chain([("p_frames", frames.as_str())]);
    let mut text = format!("table netdev fslab_{name} {{\n counter l_lost {{ }}\n");
    for (counter, _what) in all() {
        text += &format!(" counter {counter} {{ }}\n");
    }
    text += &format!(
        " chain count {{ type filter hook ingress device \"{name}\" priority 0; policy accept;\n"
    );
    for (counter, what) in all() {
        text += &format!("  {what} counter name {counter}\n");
    }
    text += &format!(
        " }}\n chain loss {{ type filter hook ingress device \"{name}\" priority 10; policy accept; }}\n}}\n"
    );
    text
}

/// Hands rules to `nft` in that namespace.
fn load(side: &Side, text: &str) -> Result<()> {
    let file = tempfile::NamedTempFile::new().context("making a file")?;
    std::fs::write(file.path(), text).context("writing rules")?;
    let mut nft = Command::new("nft");
    nft.arg("-f").arg(file.path());
    side.enter(&mut nft)?;
    command::output(nft, PATIENCE).context("loading rules (install nftables)")?;
    Ok(())
}

fn counters(side: &Side, device: Device) -> Result<Counts> {
    let mut nft = Command::new("nft");
    let table = format!("fslab_{}", device.name());
    nft.args(["-j", "list", "counters", "table", "netdev", &table]);
    side.enter(&mut nft)?;
    parse(&command::output(nft, PATIENCE)?)
}

fn parse(text: &str) -> Result<Counts> {
    let all: Value = serde_json::from_str(text).with_context(|| format!("nft printed {text:?}"))?;
    let list = all.get("nftables").and_then(Value::as_array).context("no list from nft")?;
    let mut counts = Counts::new();
    for counter in list.iter().filter_map(|entry| entry.get("counter")) {
        let number = |key| counter.get(key).and_then(Value::as_u64);
        let name = counter.get("name").and_then(Value::as_str);
        let (Some(name), Some(packets), Some(bytes)) = (name, number("packets"), number("bytes"))
        else {
            continue;
        };
        counts.insert(name.to_owned(), Count { packets, bytes });
    }
    ensure!(!counts.is_empty(), "nft knows no counters: {text}");
    Ok(counts)
}

impl Truth {
    /// What came since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            to_peer: since(&self.to_peer, &before.to_peer),
            to_near: since(&self.to_near, &before.to_near),
            loopback: since(&self.loopback, &before.loopback),
            near_tcp: netstat::since(&self.near_tcp, &before.near_tcp),
            peer_tcp: netstat::since(&self.peer_tcp, &before.peer_tcp),
        }
    }

    /// Packets on the cable that offloads have left whole.
    pub(crate) fn longer_than_mtu(&self) -> u64 {
        [&self.to_peer, &self.to_near]
            .into_iter()
            .map(|counts| sum(counts, &["e_longer_than_mtu"]).packets)
            .sum()
    }
}

fn since(now: &Counts, before: &Counts) -> Counts {
    let mut grown = Counts::new();
    for (name, count) in now {
        let old = before.get(name).copied().unwrap_or_default();
        let packets = count.packets.saturating_sub(old.packets);
        if packets > 0 {
            let bytes = count.bytes.saturating_sub(old.bytes);
            grown.insert(name.clone(), Count { packets, bytes });
        }
    }
    grown
}

/// The sum of these counters.
pub(crate) fn sum(counts: &Counts, names: &[&str]) -> Count {
    names.iter().filter_map(|name| counts.get(*name)).fold(Count::default(), |sum, one| Count {
        packets: sum.packets + one.packets,
        bytes: sum.bytes + one.bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_and_subtracted() {
        let text = |packets, bytes| {
            format!(
                "{{\"nftables\": [{{\"metainfo\": {{}}}}, {{\"counter\": {{\"name\": \"p_tcp\", \
                 \"packets\": {packets}, \"bytes\": {bytes}}}}}]}}"
            )
        };
        let before = parse(&text(2, 80)).unwrap();
        let now = parse(&text(5, 300)).unwrap();
        let grown = since(&now, &before);
        assert_eq!(sum(&grown, &["p_tcp", "p_udp"]), Count { packets: 3, bytes: 220 });
        assert!(since(&now, &now).is_empty());
        assert!(parse("{}").is_err());
    }
}
