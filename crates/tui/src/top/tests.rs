//! `top` key by key and picture by picture, with data and time of its own.

mod bounds;
mod keys;
mod pictures;
mod restart;
mod sums;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use femtosnitch_api::{Event, FlowEvent, GeoDatabase, GeoIp, Status};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::feed::{Feed, Reader, Sample};
use crate::input::Input;
use crate::theme::{Depth, Theme};

use super::*;

/// A flow of this program to 192.0.2.`peer`:443.
fn flow(exe: &str, pid: u32, peer: u8, recv: u64, send: u64) -> FlowEvent {
    FlowEvent {
        exe: exe.into(),
        name: exe.rsplit('/').next().unwrap_or(exe).into(),
        cmdline: format!("{exe} --flag"),
        pexe: "/usr/bin/bash".into(),
        gpexe: "/usr/sbin/sshd".into(),
        pid,
        uid: 1000,
        family: 2,
        protocol: 6,
        laddr: Some([10, 0, 0, 1].into()),
        lport: 50_000 + u16::from(peer),
        raddr: Some([192, 0, 2, peer].into()),
        rport: 443,
        netns: 1,
        recv,
        send,
        wire_recv: Some(recv + 52),
        wire_send: Some(send + 52),
        direction: "outgoing".into(),
        ..FlowEvent::default()
    }
}

/// A second of these flows.
fn sample(time: f64, flows: Vec<FlowEvent>) -> Input<News> {
    let mut reader = Reader::default();
    let (mut recv, mut send) = (0, 0);
    let count = flows.len() as u64;
    let flows = flows
        .into_iter()
        .map(|flow| {
            (recv, send) = (recv + flow.recv, send + flow.send);
            let line = serde_json::to_vec(&Event::Flow(Box::new(flow))).unwrap();
            reader.read(&line).unwrap()
        })
        .collect();
    let sample = Sample { time, interval: 1.0, count, total: (send, recv), missed: 0, flows };
    Input::Feed(Feed::Sample(Box::new(sample)))
}

fn view(size: (u16, u16)) -> View {
    themed(size, Theme::new(Depth::True, true))
}

fn themed(size: (u16, u16), theme: Theme) -> View {
    let given = Given {
        locate: Box::new(|database, addr| match addr {
            _ if database.is_empty() => "".into(),
            std::net::IpAddr::V4(addr) if addr.octets()[3] < 10 => "DE".into(),
            _ => "(private)".into(),
        }),
        user: Box::new(|uid| if uid == 1000 { "alice".into() } else { uid.to_string() }),
        dashboard: None,
    };
    View::new(theme, given, size)
}

/// What a machine does in five seconds: some programs, all kinds of connections.
fn busy(view: &mut View) {
    view.update(Input::Feed(Feed::Up { version: "1".into() }));
    let country = Some(GeoDatabase { path: "/countries".into(), ..GeoDatabase::default() });
    let geoip = GeoIp { country, ..GeoIp::default() };
    view.update(Input::Feed(Feed::Status(Box::new(Status { geoip, ..Status::default() }))));
    for second in 0..5_u64 {
        let time = 1_000.0 + second as f64;
        let first = u64::from(second == 0);
        let curl = FlowEvent {
            domain: "org.example.downloads".into(),
            rtt_us: Some(23_400),
            begun: first,
            package: "dpkg curl".into(),
            package_state: "intact".into(),
            ..flow("/usr/bin/curl", 77, 1, 13_000_000, 1_200)
        };
        let firefox = FlowEvent {
            domain: "com.example.video".into(),
            rtt_us: Some(900),
            package_state: "not packaged".into(),
            ..flow("/opt/firefox/firefox", 78, 2, 400_000 * second, 30_000)
        };
        let refused = FlowEvent {
            begun: 1,
            ended: 1,
            failed: 1,
            error: 111,
            lport: 40_000,
            package_state: "not packaged".into(),
            ..flow("/opt/firefox/firefox", 78, 30, 0, 0)
        };
        let python = FlowEvent {
            protocol: 17,
            rport: 53,
            script: "/home/alice/backup.py".into(),
            container: "3f4c".into(),
            pexe: "/usr/bin/containerd-shim".into(),
            gpexe: "/usr/lib/systemd/systemd".into(),
            uid: 0,
            ..flow("/usr/bin/python3.13", 79, 40, 300, 60)
        };
        let listens = FlowEvent {
            direction: "listening".into(),
            begun: first,
            raddr: None,
            rport: 0,
            lport: 22,
            pexe: "/usr/lib/systemd/systemd".into(),
            gpexe: String::new(),
            ..flow("/usr/sbin/sshd", 80, 50, 0, 0)
        };
        let accepted = FlowEvent {
            direction: "incoming".into(),
            lport: 22,
            rport: 55_555,
            pexe: "/usr/lib/systemd/systemd".into(),
            gpexe: String::new(),
            ..flow("/usr/sbin/sshd", 81, 51, 100, 2_000)
        };
        let mut flows = vec![curl, firefox, python, accepted];
        if second == 0 {
            flows.push(listens);
        }
        if second == 4 {
            flows.push(refused);
        }
        view.update(sample(time, flows));
    }
}

fn key(view: &mut View, code: KeyCode) -> (bool, Option<Effect>) {
    view.update(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn press(view: &mut View, ch: char) -> (bool, Option<Effect>) {
    key(view, KeyCode::Char(ch))
}

fn typed(view: &mut View, text: &str) {
    for ch in text.chars() {
        press(view, ch);
    }
}

fn picture(view: &View) -> Buffer {
    let (width, height) = view.size;
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    view.paint(&mut buf, area);
    buf
}

/// The picture's text, without what is blank at the end of lines.
fn text(view: &View) -> String {
    let buf = picture(view);
    let mut out = String::new();
    for row in buf.content.chunks(usize::from(buf.area.width)) {
        let mut skip = 0;
        let mut line = String::new();
        for cell in row {
            if skip == 0 {
                line.push_str(cell.symbol());
                skip = crate::text::width(cell.symbol()).max(1);
            }
            skip -= 1;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn names(view: &View) -> Vec<String> {
    let name = |row: &Row| crate::text::base_name(&row.exe).to_owned();
    view.rows().iter().map(name).collect()
}

fn selected(view: &View) -> String {
    view.selected().map(|row| row.exe.to_string()).unwrap_or_default()
}

fn arc(text: &str) -> Arc<str> {
    Arc::from(text)
}
