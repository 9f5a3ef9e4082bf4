//! A daemon's feed without a daemon: so many connections of which so many move each second, to
//! measure what a view costs. `crowd SOCKET CONNECTIONS MOVING [SECONDS]`, then
//! `femtosnitch --root DIR top` where SOCKET is DIR/run/femtosnitch/live.sock.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use femtosnitch_api::{Event, FlowEvent, Limits, LiveServer};

/// Connections of one program.
const OF_ONE: u32 = 100;

fn flow(n: u32, first: bool) -> FlowEvent {
    let program = n / OF_ONE;
    let [_, high, middle, low] = n.to_be_bytes();
    FlowEvent {
        exe: format!("/usr/lib/programs/program-{program}/bin/program-{program}"),
        name: format!("program-{program}"),
        cmdline: format!(
            "/usr/lib/programs/program-{program}/bin/program-{program} --serve --quiet"
        ),
        sha256: "ab".repeat(32),
        pexe: "/usr/bin/bash".into(),
        psha256: "cd".repeat(32),
        gpexe: "/usr/sbin/sshd".into(),
        pid: 1_000 + program,
        uid: 1000,
        family: 2,
        protocol: 6,
        laddr: Some(IpAddr::from([10, 0, 0, 1])),
        lport: 40_000,
        raddr: Some(IpAddr::from([100 + high, middle, low, 1])),
        rport: 443,
        netns: 4_026_531_840,
        send: 100 + u64::from(n % 977),
        recv: 1_000 + u64::from(n % 7919),
        events: 4,
        wire_send: Some(152),
        wire_recv: Some(1_052),
        domain: format!("com.example.host-{n}"),
        namesource: "dns".into(),
        direction: "outgoing".into(),
        begun: u64::from(first),
        rtt_us: Some(20_000 + n % 1_000),
        unit: "user@1000.service".into(),
        package: format!("dpkg program-{program}"),
        package_version: "1.2.3-4".into(),
        package_state: "intact".into(),
        ..FlowEvent::default()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "crowd SOCKET CONNECTIONS MOVING [SECONDS]";
    let socket = PathBuf::from(args.next().ok_or(usage)?);
    let connections: u32 = args.next().ok_or(usage)?.parse()?;
    let moving: u32 = args.next().ok_or(usage)?.parse()?;
    let seconds: u32 = args.next().map_or(Ok(u32::MAX), |text| text.parse())?;
    if let Some(directory) = socket.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let limits = Limits { reader_buffer: 64 << 20, ..Limits::default() };
    let server = LiveServer::start(&socket, "crowd", limits, 0o600, None)?;
    let (mut first, mut next) = (true, 0);
    let begin = Instant::now();
    for second in 1..=seconds {
        if server.readers() == 0 {
            first = true;
        }
        let count = if first { connections } else { moving };
        let mut events: Vec<Event> = (0..count)
            .map(|_| {
                next = (next + 1) % connections.max(1);
                Event::Flow(Box::new(flow(next, first)))
            })
            .collect();
        let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        events.push(Event::Tick { time, interval: 1.0, flows: count.into(), send: 0, recv: 0 });
        if server.readers() > 0 {
            server.publish(&events);
            first = false;
        }
        let due = begin + Duration::from_secs(second.into());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}
