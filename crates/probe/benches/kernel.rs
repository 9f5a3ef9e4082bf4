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

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Instant;

use femtosnitch_probe::{FrontChoice, Options, Probe, Senders, Splices};
use libbpf_rs::libbpf_sys;
use libbpf_rs::query::{ProgInfoIter, ProgInfoQueryOptions};

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
        senders: Senders::Auto,
        splices: Splices::Auto,
        event_buffer: 1 << 20,
        names_buffer: 1 << 19,
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
    let ids = || ProgInfoIter::default().map(|info| info.id).collect::<HashSet<_>>();
    // Another femtosnitch may run on this machine: its programs are not ours.
    let older = ids();
    let probe = start(65_536);
    let empty = Empty::load();
    let ours = &ids() - &older;
    let stopwatch = Stopwatch::start();
    empty.run(CALLS as i32);
    tcp_calls();
    udp_calls();
    for _ in 0..200 {
        std::process::Command::new("/bin/true").status().unwrap();
    }
    drop(stopwatch);

    println!("| program | ns a run | runs | instructions verified | bytes of machine code |");
    println!("|---|---:|---:|---:|---:|");
    let options = ProgInfoQueryOptions::default().include_jited_prog_insns(true);
    for info in ProgInfoIter::with_query_opts(options) {
        let name = info.name.to_string_lossy().into_owned();
        if !name.starts_with("fs_") || !ours.contains(&info.id) {
            continue;
        }
        let each = match info.run_cnt {
            0 => "–".to_owned(),
            runs => (info.run_time_ns / runs).to_string(),
        };
        let code = info.jited_prog_insns.len();
        println!("| {name} | {each} | {} | {} | {code} |", info.run_cnt, info.verified_insns);
    }
    drop(probe);
}

/// The kernel times every program while this descriptor is open: nothing to put back, however the
/// benchmark ends.
struct Stopwatch(#[expect(dead_code, reason = "held")] OwnedFd);

impl Stopwatch {
    fn start() -> Self {
        // SAFETY: takes a number and returns a descriptor or an error.
        let fd = unsafe { libbpf_sys::bpf_enable_stats(libbpf_sys::BPF_STATS_RUN_TIME) };
        assert!(fd >= 0, "the kernel does not time programs: {fd}");
        // SAFETY: the kernel has just made it for us, nobody else has it.
        Self(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// A program that does nothing: what it seems to take is the stopwatch's own time.
struct Empty(OwnedFd);

impl Empty {
    fn load() -> Self {
        let instruction = |code: u32| libbpf_sys::bpf_insn {
            code: u8::try_from(code).unwrap(),
            ..Default::default()
        };
        // r0 = 0; exit
        let code = [
            instruction(libbpf_sys::BPF_ALU64 | libbpf_sys::BPF_MOV | libbpf_sys::BPF_K),
            instruction(libbpf_sys::BPF_JMP | libbpf_sys::BPF_EXIT),
        ];
        // SAFETY: the strings end in zero, and `code` has as many instructions as is said.
        let fd = unsafe {
            libbpf_sys::bpf_prog_load(
                libbpf_sys::BPF_PROG_TYPE_SOCKET_FILTER,
                c"fs_empty".as_ptr(),
                c"GPL".as_ptr(),
                code.as_ptr(),
                code.len() as _,
                std::ptr::null_mut(),
            )
        };
        assert!(fd >= 0, "an empty program was refused: {fd}");
        // SAFETY: the kernel has just made it for us, nobody else has it.
        Self(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    fn run(&self, times: i32) {
        let packet = [0u8; 64];
        let mut options = libbpf_sys::bpf_test_run_opts {
            sz: size_of::<libbpf_sys::bpf_test_run_opts>() as _,
            data_in: packet.as_ptr().cast(),
            data_size_in: packet.len() as u32,
            repeat: times,
            ..Default::default()
        };
        // SAFETY: the options say their own size, and `packet` lives until the call is over.
        let error =
            unsafe { libbpf_sys::bpf_prog_test_run_opts(self.0.as_raw_fd(), &raw mut options) };
        assert_eq!(error, 0, "an empty program did not run");
    }
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
        let mut probe = start(flows * 2);
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
