//! What the programs cost in the kernel, and what a drain costs. Needs root. Prints Markdown;
//! `cargo xtask bench` puts it into docs/performance.md.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a benchmark"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::Instant;

use femtosnitch_probe::{FrontChoice, Options, Probe};
use libbpf_rs::query::ProgInfoIter;

const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";
/// Calls of each kind while the kernel's statistics are on.
const CALLS: usize = 50_000;
/// Drains timed for each figure.
const DRAINS: usize = 201;

fn start(flows: u32) -> Probe {
    let options = Options {
        front: FrontChoice::Auto,
        max_flows: flows,
        max_buckets: 64,
        max_peers_per_socket: flows,
        event_buffer: 1 << 20,
    };
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let cgroup = mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .and_then(|line| File::open(line.split(' ').nth(4)?).ok());
    let mut probe = Probe::start(options, cgroup.as_ref().map(AsFd::as_fd)).expect("needs root");
    probe.snapshot(&mut |_| {}).unwrap();
    probe
}

fn main() {
    hooks();
    drains();
}

/// Makes calls that pass every hook, with the kernel's own stopwatch running.
fn hooks() {
    let probe = start(65_536);
    let before = std::fs::read_to_string(STATS).unwrap();
    std::fs::write(STATS, "1").unwrap();
    tcp_calls();
    udp_calls();
    for _ in 0..200 {
        std::process::Command::new("/bin/true").status().unwrap();
    }
    std::fs::write(STATS, before.trim()).unwrap();

    println!("| program | ns a run | runs | instructions verified |");
    println!("|---|---:|---:|---:|");
    for info in ProgInfoIter::default() {
        let name = info.name.to_string_lossy().into_owned();
        if !name.starts_with("fs_") {
            continue;
        }
        let each = match info.run_cnt {
            0 => "–".to_owned(),
            runs => (info.run_time_ns / runs).to_string(),
        };
        println!("| {name} | {each} | {} | {} |", info.run_cnt, info.verified_insns);
    }
    drop(probe);
}

fn tcp_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut buffer = [0; 64];
    for _ in 0..CALLS {
        client.write_all(&buffer).unwrap();
        server.read_exact(&mut buffer).unwrap();
    }
    for _ in 0..CALLS / 50 {
        let mut client = TcpStream::connect(address).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"x").unwrap();
        server.read_exact(&mut buffer[..1]).unwrap();
    }
}

fn udp_calls() {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let (to_a, to_b) = (a.local_addr().unwrap(), b.local_addr().unwrap());
    let mut buffer = [0; 64];
    for _ in 0..CALLS {
        a.send_to(&buffer, to_b).unwrap();
        b.recv_from(&mut buffer).unwrap();
    }
    a.connect(to_b).unwrap();
    b.connect(to_a).unwrap();
    for _ in 0..CALLS {
        a.send(&buffer).unwrap();
        b.recv(&mut buffer).unwrap();
    }
}

/// Flows of one socket with many peers: to a drain they are like those of many sockets.
fn drains() {
    println!();
    println!("| flows | moved since the last drain | drain, µs | ns a flow that moved |");
    println!("|---:|---:|---:|---:|");
    for flows in [10_000u32, 100_000] {
        let mut probe = start(flows + 1024);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = |n: u32| {
            (std::net::Ipv4Addr::from(0x7f00_0002 + (n >> 14)), 20_000 + (n & 0x3fff) as u16)
        };
        for n in 0..flows {
            // Nobody listens: what counts is that it was sent.
            let _sent = socket.send_to(b"x", peer(n));
        }
        let mut known = 0u32;
        probe.drain(&mut |_| known += 1);
        for moved in [0, flows / 100, flows / 10, flows] {
            let rounds = if moved == flows { 11 } else { DRAINS };
            let mut times: Vec<u64> = (0..rounds)
                .map(|_| {
                    for n in 0..moved {
                        let _sent = socket.send_to(b"x", peer(n));
                    }
                    let mut seen = 0u32;
                    let start = Instant::now();
                    probe.drain(&mut |reading| seen += u32::from(reading.total.send > 0));
                    let took = u64::try_from(start.elapsed().as_nanos()).unwrap();
                    assert!(seen >= moved, "{seen} of {moved}");
                    took
                })
                .collect();
            times.sort_unstable();
            let median = times[times.len() / 2];
            let each =
                if moved == 0 { "–".to_owned() } else { (median / u64::from(moved)).to_string() };
            println!("| {known} | {moved} | {:.1} | {each} |", median as f64 / 1000.0);
        }
    }
}
