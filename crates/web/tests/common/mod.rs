//! A real server over a real history, and a client that sends exactly the bytes it is told to.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use femtosnitch_model::{Executable, Row};
use femtosnitch_samples as samples;
use femtosnitch_store::{Batch, ExportRow, NoUsers, Options, Writer};
use femtosnitch_web::{ExportFormat, Limits, RowSink, Server, Settings, Tls};
use serde_json::Value;
use tempfile::TempDir;

/// A name that does harm wherever it is taken for anything but text.
pub const HOSTILE: &str = "/tmp/<img src=x onerror=alert(1)>\u{202e}\u{1b}[2J\"'&\n";

pub struct Served {
    pub dir: TempDir,
    pub server: Server,
    pub token: String,
}

pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of a refusal.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

pub fn executable(id: u64, path: &str) -> Executable {
    samples::executable(id, path, samples::sha(u8::try_from(id).unwrap()))
}

pub fn row(contime: i64, exe: &Executable, send: u64, domain: &str) -> Row {
    let wire_send = Some(send + 52);
    Row { send, wire_send, domain: domain.into(), ..samples::row(contime, exe) }
}

/// Three programs, of the last hour.
pub fn history(path: &Path) {
    let mut writer = Writer::open(path, &Options::default()).unwrap().0;
    let at = now() - 1_800;
    writer.begin_watch(at - 60).unwrap();
    let curl = executable(1, "/usr/bin/curl");
    let rows = vec![
        row(at, &curl, 100, "org.example.www"),
        row(at + 60, &curl, 50, "org.example"),
        row(at + 120, &executable(2, "/usr/bin/ssh"), 7, ""),
        row(at + 180, &executable(3, HOSTILE), 1, "x.<b>"),
    ];
    writer.write(&Batch { rows, ..Batch::default() }).unwrap();
    writer.note_gap(at + 200, at + 260, "suspended".into()).unwrap();
    writer.heartbeat(now(), true).unwrap();
}

struct Lines(Box<dyn Write + Send>);

impl RowSink for Lines {
    fn rows(&mut self, rows: &[ExportRow]) -> io::Result<()> {
        rows.iter().try_for_each(|row| writeln!(self.0, "{} {}", row.exe.exe, row.send))
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}

fn sink(format: ExportFormat, out: Box<dyn Write + Send>) -> io::Result<Box<dyn RowSink>> {
    match format {
        ExportFormat::Parquet => Err(io::ErrorKind::Unsupported.into()),
        _ => Ok(Box::new(Lines(out))),
    }
}

fn read_time(text: &str, now: i64) -> Result<Option<i64>, String> {
    match text.strip_suffix('h').map(str::parse::<i64>) {
        _ if text == "all" => Ok(None),
        Some(Ok(hours)) => Ok(Some(now - hours * 3_600)),
        _ => text.parse().map(Some).map_err(|_| format!("{text:?} is not a time")),
    }
}

pub fn settings(dir: &Path) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        hosts: vec!["snitch.example.org".to_owned()],
        tls: Tls::Off,
        database: dir.join("femtosnitch.db"),
        live_socket: dir.join("live.sock"),
        state_dir: dir.join("state"),
        version: "1.2.3".to_owned(),
        users: Arc::new(NoUsers),
        read_time,
        limits: Limits::default(),
        export: sink,
    }
}

pub fn serve_with(change: impl FnOnce(&mut Settings)) -> Served {
    let dir = tempfile::tempdir().unwrap();
    history(&dir.path().join("femtosnitch.db"));
    serve_in(dir, change)
}

pub fn serve_in(dir: TempDir, change: impl FnOnce(&mut Settings)) -> Served {
    let mut settings = settings(dir.path());
    change(&mut settings);
    let server = Server::start(settings).unwrap();
    let token = std::fs::read_to_string(server.token_file()).unwrap().trim().to_owned();
    Served { dir, server, token }
}

pub fn serve() -> Served {
    serve_with(|_| {})
}

impl Served {
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr()).unwrap();
        // So that a test that goes wrong ends.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends these bytes and reads the answer.
    pub fn send(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // It may refuse before it has read everything.
        drop(stream.write_all(bytes));
        read(&mut stream)
    }

    /// A request with these lines of head, a right Host first.
    pub fn ask(&self, method: &str, path: &str, head: &[&str], body: &str) -> Reply {
        let mut lines = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.addr());
        for line in head {
            lines.push_str(line);
            lines.push_str("\r\n");
        }
        if !body.is_empty() {
            lines.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        lines.push_str("Connection: close\r\n\r\n");
        lines.push_str(body);
        self.send(lines.as_bytes())
    }

    pub fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    /// As a program with the token.
    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[&self.bearer()], "")
    }

    /// Logs in; the header with the cookie.
    pub fn log_in(&self) -> String {
        let body = format!("{{\"token\":\"{}\"}}", self.token);
        let reply = self.ask("POST", "/api/v1/session", &["Content-Type: application/json"], &body);
        assert_eq!(reply.status, 204, "{}", reply.text());
        cookie(&reply)
    }
}

/// The header that shows the cookie that was set.
pub fn cookie(reply: &Reply) -> String {
    let set = reply.header("set-cookie").unwrap();
    format!("Cookie: {}", set.split(';').next().unwrap())
}

/// Reads one answer; status 0 for none.
pub fn read(stream: &mut (impl Read + ?Sized)) -> Reply {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match reader.read_line(&mut head) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut reply = Reply { status, head, body: Vec::new() };
    let mut rest = Vec::new();
    if let Some(length) = reply.header("content-length").and_then(|it| it.parse().ok()) {
        drop(reader.take(length).read_to_end(&mut rest));
        reply.body = rest;
    } else if status != 0 {
        drop(reader.read_to_end(&mut rest));
        reply.body = match reply.header("transfer-encoding") {
            Some("chunked") => unchunked(&rest),
            _ => rest,
        };
    }
    reply
}

/// What the chunks hold, if the last one came; else nothing.
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else { return Vec::new() };
        let length = str::from_utf8(&bytes[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return all;
        }
        let Some(chunk) = bytes.get(end + 2..end + 2 + length) else { return Vec::new() };
        all.extend_from_slice(chunk);
        bytes = bytes.get(end + 4 + length..).unwrap_or_default();
    }
}
