//! Drains without a pause while others send: not a byte lost, none counted twice. Needs root.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test"
)]

mod common;

use std::collections::HashMap;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use femtosnitch_model::{Counters, FlowKind, Slot};
use femtosnitch_probe::{Options, Probe};

/// Far fewer flows than the sockets that come and go, and enough for a drain that comes late.
const OPTIONS: Options = Options { max_flows: 2048, ..common::OPTIONS };

/// Datagrams that each sender sends on the shared socket.
const SHARED: u64 = 100_000;
/// Sockets that each sender opens, uses once or twice, and closes: slots come and go.
const SHORT: u64 = 5_000;

fn cgroup_root() -> Option<std::fs::File> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    std::fs::File::open(line.split(' ').nth(4)?).ok()
}

/// What a reader of the ledger has to do, as the daemon's engine does it.
#[derive(Default)]
struct Reader {
    seen: HashMap<Slot, Counters>,
    total: Counters,
    drains: u64,
}

impl Reader {
    fn drain(&mut self, probe: &mut Probe) {
        let me = std::process::id();
        let mut closed: Vec<(Slot, FlowKind)> = Vec::new();
        let mut delta = Counters::default();
        let seen = &mut self.seen;
        probe.drain(&mut |reading| {
            if reading.owner.tgid == me && reading.kind != FlowKind::CatchAll {
                let before = seen.insert(reading.slot, reading.total).unwrap_or_default();
                delta += reading.total.since(before);
            }
            if reading.closed {
                seen.remove(&reading.slot);
                closed.push((reading.slot, reading.kind));
            }
        });
        self.total += delta;
        self.drains += 1;
        for (slot, kind) in closed {
            probe.release(slot, kind).unwrap();
        }
    }
}

fn send(target: std::net::SocketAddr, shared: &UdpSocket) {
    for n in 0..SHARED {
        shared.send(&[0; 10]).unwrap();
        if n % (SHARED / SHORT) == 0 {
            let short = UdpSocket::bind("127.0.0.1:0").unwrap();
            short.connect(target).unwrap();
            short.send(&[0; 7]).unwrap();
            if (n / (SHARED / SHORT)).is_multiple_of(2) {
                short.send(&[0; 3]).unwrap();
            }
        }
    }
}

/// One test, since the readings of this process are told apart by nothing but its pid.
#[test]
fn concurrent_drains_lose_nothing() {
    shared_and_short_sockets();
    peers_that_come_and_go();
}

fn shared_and_short_sockets() {
    let cgroup = cgroup_root();
    let mut probe = Probe::start(OPTIONS, cgroup.as_ref().map(AsFd::as_fd)).expect("needs root");
    probe.snapshot(&mut |_| {}).unwrap();

    // Nobody reads from it: what does not fit is dropped behind the sender's back.
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = sink.local_addr().unwrap();
    let shared = UdpSocket::bind("127.0.0.1:0").unwrap();
    shared.connect(target).unwrap();
    let done = AtomicBool::new(false);
    let mut reader = Reader::default();
    thread::scope(|scope| {
        let senders: Vec<_> = (0..2).map(|_| scope.spawn(|| send(target, &shared))).collect();
        scope.spawn(|| {
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            reader.drain(&mut probe);
        }
    });
    reader.drain(&mut probe);

    let short_bytes = SHORT * 7 + SHORT / 2 * 3;
    println!("{} drains, {:?}", reader.drains, reader.total);
    assert_eq!(reader.total.send, 2 * (SHARED * 10 + short_bytes));
    assert!(reader.drains > 1_000, "only {} drains", reader.drains);
    let full = probe.health().counts.into_iter().find(|c| c.name == "flows_overflow");
    assert_eq!(full.map(|count| count.value), Some(0), "slots were not given back");
}

/// Datagrams to many peers on one socket, whose flows are taken away in the middle of it.
fn peers_that_come_and_go() {
    const SENT: u64 = 100_000;
    const PEERS: u64 = 40;
    let cgroup = cgroup_root();
    let options = Options { max_peers_per_socket: 1 << 16, ..OPTIONS };
    let mut probe = Probe::start(options, cgroup.as_ref().map(AsFd::as_fd)).expect("needs root");
    probe.snapshot(&mut |_| {}).unwrap();
    let sinks: Vec<_> = (0..PEERS).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let targets: Vec<_> = sinks.iter().map(|sink| sink.local_addr().unwrap()).collect();
    let done = AtomicBool::new(false);
    let mut reader = Reader::default();
    let mut retired = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            for (_, target) in (0..SENT).zip(targets.iter().cycle()) {
                socket.send_to(&[0; 10], target).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            reader.drain(&mut probe);
            let extras: Vec<_> = reader.seen.keys().copied().collect();
            let extras: Vec<_> = extras
                .into_iter()
                .filter_map(|slot| probe.read(slot))
                .filter(|reading| reading.kind == FlowKind::Extra)
                .map(|reading| (reading.slot, reading.kind))
                .collect();
            probe.retire(&extras).unwrap();
            for (slot, kind) in extras {
                let last = probe.read(slot).unwrap().total;
                let before = reader.seen.remove(&slot).unwrap();
                reader.total += last.since(before);
                probe.release(slot, kind).unwrap();
                retired += 1;
            }
        }
    });
    reader.drain(&mut probe);
    println!("{} drains, {retired} flows retired, {:?}", reader.drains, reader.total);
    assert_eq!(reader.total.send, SENT * 10);
    assert_eq!(reader.total.send_calls, SENT);
    assert!(retired > PEERS, "only {retired} flows were retired");
}
