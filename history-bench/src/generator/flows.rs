//! Conversations: with whom, how long, and how much.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;

use femtosnitch_model::Connections;
use femtosnitch_model::Direction;
use femtosnitch_model::FlowKey;
use femtosnitch_model::NameSource;
use femtosnitch_model::Quality;
use femtosnitch_model::Row;
use femtosnitch_model::Witness;

use super::catalog::Program;
use super::network::Network;
use super::random::Random;
use super::random::Zipf;
use super::random::whole;
use super::runs::HOST_NETWORK;
use super::runs::Run;
use super::timeline::DAY;
use super::timeline::at_work;
use super::topic::Topic;

/// A conversation that goes on.
#[derive(Debug)]
pub(crate) struct Flow {
    run: Arc<Run>,
    topic: Topic,
    remote: Remote,
    protocol: u16,
    laddr: IpAddr,
    lport: u16,
    begun: bool,
    /// Rows to come.
    left: u32,
    /// errno of a connection that fails; 0 for others.
    error: u16,
    /// How much it moves against others of its kind.
    volume: f64,
}

/// Who is at the other end, and how the name is known.
#[derive(Debug, Clone)]
struct Remote {
    addr: IpAddr,
    port: u16,
    domain: Arc<str>,
    source: NameSource,
    rtt_us: u32,
}

/// What all conversations share.
#[derive(Debug)]
pub(crate) struct Conversations {
    zipf: Zipf,
    none: Arc<str>,
    resolver: Arc<str>,
    time_server: Arc<str>,
    printer: Arc<str>,
}

impl Conversations {
    pub(crate) fn new() -> Self {
        Self {
            zipf: Zipf::new(20_000, 1.0),
            none: "".into(),
            resolver: "net.resolver.dns".into(),
            time_server: "org.pool.time".into(),
            printer: "local.printer".into(),
        }
    }

    /// A place in a list of `len`, the first ones more often.
    pub(crate) fn rank(&self, random: &mut Random, len: usize) -> usize {
        self.zipf.sample(random, len)
    }

    /// Begins a conversation of `run` at `now`.
    pub(crate) fn begin(
        &self,
        random: &mut Random,
        network: &Network,
        (run, program): (Arc<Run>, &Program),
        now: i64,
    ) -> Flow {
        let choices = Topic::weights(program.kind);
        let mut left = random.unit() * choices.iter().map(|(_, weight)| weight).sum::<f64>();
        let chosen = choices.iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        let topic = chosen.map_or(Topic::Tls, |(topic, _)| *topic);
        let remote = self.remote(random, network, (topic, &run, program));
        let protocol = topic.protocol(remote.addr.is_ipv6());
        let outgoing = protocol == FlowKey::TCP && topic != Topic::Incoming;
        let error = match random.below(1_000) {
            at if !outgoing || at >= 22 => 0,
            at if at < 12 => 111,
            at if at < 19 => 110,
            _ => 113,
        };
        Flow {
            laddr: local(&run, &remote.addr, now),
            lport: match protocol {
                FlowKey::ICMP | FlowKey::ICMPV6 => 0,
                _ if topic == Topic::Incoming => program.port,
                _ => random.port(32_768, 60_999),
            },
            left: if error == 0 { random.geometric(topic.habit().rows) } else { 1 },
            begun: false,
            volume: (random.unit() * 2.0 - 1.0).exp(),
            run,
            topic,
            remote,
            protocol,
            error,
        }
    }

    fn remote(
        &self,
        random: &mut Random,
        network: &Network,
        (topic, run, program): (Topic, &Run, &Program),
    ) -> Remote {
        let bare = |addr: IpAddr, port, rtt_us| Remote {
            addr,
            port,
            domain: Arc::clone(&self.none),
            source: NameSource::NONE,
            rtt_us,
        };
        let named = |remote: Remote, domain: &Arc<str>, source| Remote {
            domain: Arc::clone(domain),
            source,
            ..remote
        };
        let inside = run.netns != HOST_NETWORK;
        match topic {
            Topic::Dns => match random.below(20) {
                // Most ask the machine's own; containers ask Docker's.
                _ if inside => bare(Ipv4Addr::new(127, 0, 0, 11).into(), 53, 0),
                0..12 => bare(Ipv4Addr::new(127, 0, 0, 53).into(), 53, 0),
                12..17 => bare(Ipv4Addr::new(192, 168, 1, 1).into(), 53, 0),
                _ => named(
                    bare(Ipv4Addr::new(9, 9, 9, 9).into(), 53, 0),
                    &self.resolver,
                    NameSource::by_others(Witness::Dns),
                ),
            },
            Topic::Ntp => {
                let at = self.zipf.sample(random, 8);
                let host = network.hosts.get(network.nameless + at);
                let addr = host.map_or(Ipv4Addr::LOCALHOST.into(), |host| host.addr);
                named(bare(addr, 123, 0), &self.time_server, program.source)
            }
            Topic::Peer => {
                let at = network.nameless + random.below(network.hosts.len() - network.nameless);
                let host = network.hosts.get(at);
                let (addr, rtt) =
                    host.map_or((Ipv4Addr::LOCALHOST.into(), 0), |host| (host.addr, host.rtt_us));
                bare(addr, random.port(1024, 65_535), rtt)
            }
            Topic::Incoming => {
                // Regular customers, and anybody.
                let all = network.hosts.len();
                let at = if random.chance(0.7) {
                    all - 1 - self.zipf.sample(random, 3_000)
                } else {
                    random.below(all)
                };
                let host = network.hosts.get(at);
                let (addr, rtt) =
                    host.map_or((Ipv4Addr::LOCALHOST.into(), 0), |host| (host.addr, host.rtt_us));
                bare(addr, random.port(1024, 65_535), rtt)
            }
            Topic::Lan => {
                let host = u8::try_from(2 + self.zipf.sample(random, 24)).unwrap_or(2);
                let port = [445, 631, 8009, 5353, 22, 9100].get(usize::from(host) % 6).copied();
                let remote = bare(Ipv4Addr::new(192, 168, 1, host).into(), port.unwrap_or(80), 700);
                if host % 3 == 0 {
                    return named(remote, &self.printer, NameSource::own(Witness::Mdns));
                }
                remote
            }
            Topic::Loopback => {
                let port = [5432, 6379, 8080, 3306, 11_211].get(self.zipf.sample(random, 5));
                let addr: IpAddr = match random.below(6) {
                    0 if !inside => Ipv6Addr::LOCALHOST.into(),
                    _ if inside => Ipv4Addr::new(172, 18, 0, 2).into(),
                    _ => Ipv4Addr::LOCALHOST.into(),
                };
                bare(addr, port.copied().unwrap_or(5432), 60)
            }
            Topic::Tls | Topic::Quic | Topic::Http | Topic::Push | Topic::Ssh | Topic::Ping => {
                let at = self.zipf.sample(random, program.sites.len());
                let site = program.sites.get(at).and_then(|site| network.sites.get(*site));
                let Some(site) = site else { return bare(Ipv4Addr::LOCALHOST.into(), 443, 60) };
                let which = self.zipf.sample(random, site.hosts.len());
                let host = site.hosts.get(which).and_then(|host| network.hosts.get(*host));
                let (addr, rtt) =
                    host.map_or((Ipv4Addr::LOCALHOST.into(), 0), |host| (host.addr, host.rtt_us));
                let port = match topic {
                    Topic::Http => 80,
                    Topic::Ssh => 22,
                    Topic::Ping => 0,
                    Topic::Push if at.is_multiple_of(2) => 5228,
                    _ => 443,
                };
                let source = match random.below(12) {
                    0 => NameSource::by_others(Witness::Dns),
                    1 if topic == Topic::Quic => NameSource::own(Witness::Quic),
                    _ => program.source,
                };
                named(bare(addr, port, rtt), &site.domain, source)
            }
        }
    }
}

/// This machine's address in that conversation.
fn local(run: &Run, remote: &IpAddr, now: i64) -> IpAddr {
    let container = run.netns.wrapping_sub(HOST_NETWORK);
    match remote {
        remote if remote.is_loopback() => *remote,
        _ if container > 0 && remote.is_ipv4() => {
            Ipv4Addr::new(172, 18, 0, u8::try_from(10 + container % 100).unwrap_or(10)).into()
        }
        // Privacy extensions (RFC 8981): another one every day.
        IpAddr::V6(_) => {
            let day = u16::try_from(now.div_euclid(DAY) % 0xffff).unwrap_or(0);
            Ipv6Addr::new(0x2001, 0xdb8, 1, 1, day.wrapping_mul(40_503), day, 0xaaaa, 1).into()
        }
        IpAddr::V4(remote) if at_work(now) && !remote.is_private() => {
            Ipv4Addr::new(10, 20, 3, 77).into()
        }
        IpAddr::V4(_) => Ipv4Addr::new(192, 168, 1, 23).into(),
    }
}

impl Flow {
    /// Whether something moves in this interval.
    pub(crate) fn moves(&self, random: &mut Random) -> bool {
        !self.begun || random.chance(self.topic.habit().busy)
    }

    /// Whether there will be another row.
    pub(crate) fn goes_on(&self) -> bool {
        self.left > 0
    }

    /// Its next row.
    pub(crate) fn row(&mut self, random: &mut Random, contime: i64) -> Row {
        let habit = self.topic.habit();
        let first = !std::mem::replace(&mut self.begun, true);
        self.left = self.left.saturating_sub(1);
        let failed = self.error != 0;
        let amount = |random: &mut Random, (median, sigma): (f64, f64)| {
            if failed { 0 } else { random.log_normal(median * self.volume, sigma).max(1) }
        };
        let (send, recv) = (amount(random, habit.send), amount(random, habit.recv));
        let (sent, received) = (send / 1_400 + 1, recv / 1_400 + 1);
        let tcp = self.protocol == FlowKey::TCP;
        let v6 = self.remote.addr.is_ipv6();
        let header = match (tcp, v6) {
            (true, false) => 52,
            (true, true) => 72,
            (false, false) => 28,
            (false, true) => 48,
        };
        // Segments that only acknowledge, and the handshake.
        let shake = if tcp && first { 3 } else { 0 };
        let known = !random.chance(0.01);
        let wire = |bytes: u64, own: u64, other: u64| {
            let segments = own + if tcp { other / 2 } else { 0 } + shake;
            known.then_some(if failed { 60 } else { bytes + header * segments })
        };
        let retrans = if tcp && !failed && random.chance(0.02) {
            u64::from(random.geometric(2.0))
        } else {
            0
        };
        let rtt = tcp && !failed && self.remote.rtt_us > 0;
        let rtt_us = rtt.then(|| {
            let us = whole(f64::from(self.remote.rtt_us) * (0.9 + 0.5 * random.unit().powi(3)));
            u32::try_from(us).unwrap_or(u32::MAX)
        });
        let over = tcp && self.left == 0;
        let run = &self.run;
        Row {
            contime,
            send,
            recv,
            wire_send: wire(send, sent, received),
            wire_recv: wire(recv, received, sent),
            events: if failed { 0 } else { sent / 8 + received / 4 + 2 },
            direction: match self.topic {
                Topic::Incoming => Direction::Incoming,
                _ => Direction::Outgoing,
            },
            connections: Connections {
                begun: u32::from(tcp && first),
                ended: u32::from(over),
                failed: u32::from(failed),
                error: self.error,
            },
            quality: Quality { rtt_us, retrans },
            lineage: run.lineage.clone(),
            exe: run.exe.clone(),
            parent: run.parent.clone(),
            grandparent: run.grandparent.clone(),
            uid: run.process.uid,
            pid: run.process.key.tgid,
            family: if v6 { FlowKey::AF_INET6 } else { FlowKey::AF_INET },
            protocol: self.protocol,
            laddr: Some(self.laddr),
            raddr: Some(self.remote.addr),
            lport: self.lport,
            rport: self.remote.port,
            domain: Arc::clone(&self.remote.domain),
            name_source: self.remote.source,
            netns: run.netns,
            container: Arc::clone(&run.process.place.container),
        }
    }
}
