//! What moves now, from a daemon's feed to those who watch.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use common::*;
use femtosnitch_api::{Event, FlowEvent, Limits, LiveHandle, LiveServer, Status};
use serde_json::{Value, json};

struct Viewer(BufReader<TcpStream>);

impl Viewer {
    fn new(served: &Served, query: &str, head: &str) -> Self {
        let mut stream = served.connect();
        let host = served.addr();
        write!(stream, "GET /api/v1/live{query} HTTP/1.1\r\nHost: {host}\r\n{head}\r\n\r\n")
            .unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("text/event-stream"), "{head}");
        Self(reader)
    }

    /// The data of the next event of a kind.
    fn next(&mut self, kind: &str) -> Value {
        let mut found = false;
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "no {kind} came");
            if let Some(event) = line.strip_prefix("event: ") {
                found = event.trim() == kind;
            }
            if let Some(data) = line.strip_prefix("data: ").filter(|_| found) {
                return serde_json::from_str(data).unwrap();
            }
        }
    }
}

fn daemon(served: &Served) -> LiveHandle {
    let path = served.dir.path().join("live.sock");
    let limits = Limits::default();
    let server = LiveServer::start(&path, "9.9.9", limits, 0o600, None).unwrap();
    server.set_status(Status { pid: 77, version: "9.9.9".into(), ..Status::default() });
    server
}

fn sample() -> Vec<Event> {
    let flow = |exe: &str, send: u64| {
        let flow = FlowEvent {
            exe: exe.into(),
            send,
            recv: 1,
            raddr: Some([192, 0, 2, 1].into()),
            domain: "org.example".into(),
            ..FlowEvent::default()
        };
        Event::Flow(Box::new(flow))
    };
    let tick = Event::Tick { time: 1.5, interval: 1.0, flows: 3, send: 1_111, recv: 3 };
    vec![flow("/bin/a", 1_000), flow("/bin/b", 10), flow("/bin/b", 100), tick]
}

#[test]
fn viewers_see_what_the_daemon_tells() {
    let served = serve();
    let server = daemon(&served);
    let cookie = served.log_in();
    let mut all = Viewer::new(&served, "", &cookie);
    let mut one = Viewer::new(&served, "?exe=/bin/b", &served.bearer());
    let document = served.get("/api/v1/openapi.json").json();
    assert_eq!(all.next("status")["pid"], 77);
    assert_eq!(one.next("status")["daemon"], "running");
    server.publish(&sample());
    let tick = all.next("tick");
    assert_eq!((&tick["send"], &tick["recv"]), (&json!(1_111), &json!(3)));
    // What it is, and in the order of size.
    assert_eq!(tick["programs"][0]["exe"], "/bin/a");
    assert_eq!(tick["programs"][1]["send"], 110);
    let mut schema = document["components"]["schemas"]["Tick"].clone();
    schema["components"] = document["components"].clone();
    jsonschema::validate(&schema, &tick).unwrap();
    let tick = one.next("tick");
    jsonschema::validate(&schema, &tick).unwrap();
    assert_eq!((&tick["send"], tick["flows"].as_array().unwrap().len()), (&json!(110), 2));
    assert_eq!(tick["flows"][0]["send"], 100);
    server.publish(&[Event::Warning { time: 1.0, text: "x\ny".into() }]);
    assert_eq!(all.next("warning")["text"], "x\ny");
    // Of the status whoever asks hears the same.
    assert_eq!(served.get("/api/v1/status").json()["pid"], 77);
    let metrics = served.get("/metrics").text();
    assert!(metrics.contains("femtosnitch_web_viewers 2\n"), "{metrics}");
    assert!(metrics.contains("femtosnitch_up 1\n"), "{metrics}");
    // The daemon goes, and comes back.
    drop(server);
    let gone = all.next("status");
    assert_eq!(gone["daemon"], "absent");
    assert!(gone["why"].as_str().unwrap().contains("start it with"), "{gone}");
    let server = daemon(&served);
    while all.next("status")["daemon"] != "running" {}
    server.publish(&sample());
    assert_eq!(all.next("tick")["programs"].as_array().unwrap().len(), 2);
}

#[test]
fn many_may_watch_and_not_more() {
    let served = serve_with(|settings| settings.limits.viewers = 20);
    let server = daemon(&served);
    let bearer = served.bearer();
    let mut viewers: Vec<Viewer> = (0..20).map(|_| Viewer::new(&served, "", &bearer)).collect();
    let reply = served.ask("GET", "/api/v1/live", &[&bearer], "");
    assert_eq!((reply.status, reply.code().as_str()), (503, "busy"));
    for viewer in &mut viewers {
        viewer.next("status");
    }
    server.publish(&sample());
    for viewer in &mut viewers {
        assert_eq!(viewer.next("tick")["send"], 1_111);
    }
    assert_eq!(server.readers(), 1, "the daemon is listened to once");
}
