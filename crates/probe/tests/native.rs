//! The programs on the kernel that runs this test. Needs root.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use femtosnitch_model::{Counters, Direction, FlowKind, ProcEvent, Reading};
use femtosnitch_probe::Probe;

use common::OPTIONS;

fn cgroup_root() -> Option<std::fs::File> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    std::fs::File::open(line.split(' ').nth(4)?).ok()
}

fn start() -> Probe {
    use std::os::fd::AsFd;
    let cgroup = cgroup_root();
    Probe::start(OPTIONS, cgroup.as_ref().map(AsFd::as_fd)).expect("needs root")
}

fn mine(probe: &mut Probe) -> Vec<Reading> {
    let me = std::process::id();
    let mut readings = Vec::new();
    probe.drain(&mut |reading| {
        if reading.owner.tgid == me {
            readings.push(reading);
        }
    });
    readings
}

/// One test, since the readings of this process are told apart by nothing but its pid.
#[test]
fn what_this_process_moves_is_counted_to_the_byte() {
    let old = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut old_a = TcpStream::connect(old.local_addr().unwrap()).unwrap();
    let (mut old_b, _) = old.accept().unwrap();
    old_a.write_all(&[1; 5000]).unwrap();
    old_b.read_exact(&mut [0; 4000]).unwrap();

    let mut probe = start();
    let mut found_me = false;
    probe
        .snapshot(&mut |event| {
            if let ProcEvent::Found(info) = event {
                found_me |= info.key.tgid == std::process::id()
                    && info.path == std::env::current_exe().unwrap().as_os_str().as_encoded_bytes();
            }
        })
        .unwrap();
    assert!(found_me, "the snapshot has this process and its path");
    for hook in probe.hooks() {
        println!("{:20} {:24} {:?}: {}", hook.program, hook.target, hook.state, hook.why);
    }

    // A connection that is older: only what it receives from now on.
    old_b.read_exact(&mut [0; 1000]).unwrap();
    let readings = mine(&mut probe);
    assert_eq!(readings.iter().map(|r| r.total.recv).sum::<u64>(), 1000, "{readings:?}");

    let listener = TcpListener::bind("[::]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&[7; 12345]).unwrap();
    server.read_exact(&mut [0; 12345]).unwrap();
    drop(client);
    assert_eq!(server.read(&mut [0; 10]).unwrap(), 0);
    let mut readings = mine(&mut probe);
    let from_client = readings.iter().position(|r| r.flow.remote.port == port).unwrap();
    let mut from_client = readings.swap_remove(from_client);
    assert_eq!(from_client.total, Counters { send: 12345, recv: 0, send_calls: 1, recv_calls: 0 });
    assert_eq!(from_client.direction, Direction::Outgoing);
    // The other end takes its time to acknowledge the FIN.
    let since = Instant::now();
    while !from_client.closed && since.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
        let again = mine(&mut probe).into_iter().find(|r| r.slot == from_client.slot);
        from_client = again.unwrap_or(from_client);
    }
    assert!(from_client.closed, "{from_client:#?}");
    let tcp = from_client.tcp.unwrap();
    assert!(tcp.active && tcp.established && tcp.ended && tcp.error == 0, "{tcp:?}");
    assert_eq!((tcp.bytes_sent, tcp.bytes_received), (12345, 0));
    assert_eq!(from_client.flow.family, 2);
    let of_server = |r: &&Reading| r.flow.local.port == port;
    let listener = readings.iter().find(|r| of_server(r) && r.direction == Direction::Listening);
    assert!(listener.unwrap().tcp.as_ref().unwrap().listener);
    let from_server = readings.iter().find(|r| of_server(r) && r.direction == Direction::Incoming);
    let from_server = from_server.unwrap();
    assert_eq!(from_server.total.recv, 12345);
    assert_eq!(from_server.flow.family, 2, "v4-mapped: {from_server:?}");
    assert_eq!(from_server.flow.remote.addr, Some("127.0.0.1".parse().unwrap()));
    assert!(!from_server.closed);

    // Unconnected UDP to two peers, and to a third on a connected socket.
    let a = UdpSocket::bind("127.0.0.1:0").unwrap();
    let b = UdpSocket::bind("127.0.0.1:0").unwrap();
    let c = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (pb, pc) = (b.local_addr().unwrap().port(), c.local_addr().unwrap().port());
    a.send_to(&[0; 100], ("127.0.0.1", pb)).unwrap();
    a.send_to(&[0; 10], ("127.0.0.1", pc)).unwrap();
    a.send_to(&[0; 100], ("127.0.0.1", pb)).unwrap();
    b.peek_from(&mut [0; 200]).unwrap();
    b.recv_from(&mut [0; 200]).unwrap();
    let readings = mine(&mut probe);
    let sent = |port: u16| {
        let found = readings.iter().find(|r| r.flow.remote.port == port && r.total.send > 0);
        found.map(|r| (r.total.send, r.total.send_calls, r.kind))
    };
    assert_eq!(sent(pb), Some((200, 2, FlowKind::First)));
    assert_eq!(sent(pc), Some((10, 1, FlowKind::Extra)));
    let received = readings.iter().find(|r| r.flow.local.port == pb).unwrap();
    assert_eq!((received.total.recv, received.total.recv_calls), (100, 1), "a peek is no read");
    assert_eq!(received.flow.remote.port, a.local_addr().unwrap().port());

    assert!(mine(&mut probe).is_empty(), "nothing moved since");

    an_exec_is_seen(&mut probe);

    for count in probe.health().counts {
        println!("{:24} {}", count.name, count.value);
        // Others' datagrams may have unknown peers.
        if count.loss && count.name != "peers_missed" {
            assert_eq!(count.value, 0, "{}", count.name);
        }
    }
    probe.sweep().unwrap();
    assert!(probe.has_socket(from_server.slot));
}

fn an_exec_is_seen(probe: &mut Probe) {
    let status = Command::new("/bin/sh").args(["-c", "exit 0"]).status().unwrap();
    assert!(status.success());
    let mut exec = None;
    let mut exited = false;
    probe
        .events(&mut |event| match event {
            ProcEvent::Exec(info) if info.parent.tgid == std::process::id() => exec = Some(info),
            ProcEvent::Exit(key) => exited |= exec.as_ref().is_some_and(|info| info.key == key),
            _ => {}
        })
        .unwrap();
    let exec = exec.expect("the shell's exec was seen");
    assert_eq!(exec.args, b"/bin/sh\0-c\0exit 0\0");
    let real = std::fs::canonicalize("/bin/sh").unwrap();
    assert_eq!(exec.path, real.as_os_str().as_encoded_bytes());
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(&real).unwrap();
    let file = exec.file.unwrap();
    assert_eq!((file.dev, file.ino, file.size), (meta.dev(), meta.ino(), meta.size()));
    assert_eq!((file.ctime.sec, i64::from(file.ctime.nsec)), (meta.ctime(), meta.ctime_nsec()));
    assert!(exited);
}
