//! Requests that are no honest ones get nothing, and whoever is honest is still answered: paths,
//! sizes, nonsense, slowness, floods, each over a real socket.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::time::Duration;

use common::*;

#[test]
fn tricks_with_paths_lead_nowhere() {
    let served = serve();
    let secret = served.token.clone();
    for path in [
        "/../state/token",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd.txt",
        "/assets/../../Cargo.toml",
        "/assets/..%5c..%5cCargo.toml",
        "/.env",
        "/index.html%00.js",
        "/api/v1/../../etc/passwd.txt",
        "/static/./../Cargo.toml",
        "/C:/x.txt",
        "/api//v1/report",
        "/API/v1/report.x",
        "/api/v1/report/",
        "/api/v1/report%2f..",
        "/history/",
        "/history/../login",
        "/login%00",
        "/assets\\..\\index.html",
        "/%252e%252e/login",
        "/./login",
        "//login",
    ] {
        let html = ["Accept: text/html", &served.bearer()];
        let reply = served.ask("GET", path, &html, "");
        assert!(matches!(reply.status, 404 | 400), "{path}: {}", reply.status);
        assert!(!reply.text().contains("<html"), "{path} shows the page");
        assert!(!reply.text().contains(&secret) && !reply.text().contains("root:"), "{path}");
    }
    // What is data is never without a token, however it is written.
    for path in ["/api/v1/report", "/api/v1/./report", "/api/v1//report", "/api", "/api/"] {
        assert_eq!(served.ask("GET", path, &[], "").status, 401, "{path}");
    }
}

#[test]
fn a_wrong_address_is_not_found() {
    let served = serve();
    let html = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
    for path in ["/nothing", "/history/last/week", "/History", "/%C3%A9", "/logins"] {
        // A person is told so by the page, whoever it is, and a program as always.
        let reply = served.ask("GET", path, &[html], "");
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.header("content-type").unwrap().starts_with("text/html"), "{path}");
        let again = [html, "If-None-Match: *"];
        assert_eq!(served.ask("GET", path, &again, "").status, 404, "{path}");
        let reply = served.get(path);
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "{path}");
    }
    for path in ["/", "/history?since=7d", "/program?exe=/bin/x"] {
        let reply = served.ask("GET", path, &[html], "");
        assert_eq!(reply.status, 303, "{path}");
        assert!(reply.header("location").unwrap().starts_with("/login"), "{path}");
    }
}

#[test]
fn what_is_too_large_or_makes_no_sense_is_refused() {
    // Some of it is only the beginning of something.
    let served = serve_with(|settings| settings.limits.head_time = Duration::from_secs(1));
    let bearer = served.bearer();
    let long = "x".repeat(9 << 10);
    assert_eq!(served.get(&format!("/api/v1/report?filter={long}")).status, 414);
    let huge = format!("X-Huge: {}", "x".repeat(64 << 10));
    assert_eq!(served.ask("GET", "/api/v1/report", &[&huge], "").status, 431);
    let many: Vec<String> = (0..100).map(|at| format!("X-{at}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(served.ask("GET", "/api/v1/report", &many, "").status, 431);
    let json = "Content-Type: application/json";
    let large = format!("{{\"ids\":[\"{}\"]}}", "x".repeat(100 << 10));
    assert_eq!(served.ask("POST", "/api/v1/events/ack", &[json, &bearer], &large).status, 413);
    for body in ["", "x", "[]", "{}", "{\"ids\":1}", "{\"ids\":[1]}", "{\"ids\":[\"<\"]}", "\u{0}"]
    {
        let reply = served.ask("POST", "/api/v1/events/ack", &[json, &bearer], body);
        assert_eq!((reply.status, reply.code().as_str()), (400, "bad_body"), "{body}");
    }
    let deep = "[".repeat(60_000);
    assert_eq!(served.ask("POST", "/api/v1/events/ack", &[json, &bearer], &deep).status, 400);
    for bytes in [
        &b"\r\n\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n",
    ] {
        let reply = served.send(bytes);
        assert!(reply.status == 0 || reply.status >= 400, "{bytes:?}: {}", reply.status);
    }
    for query in [
        "filter=x",
        "filter=exe",
        "filter=nothing%3D1",
        "filter=raddr%3Dx",
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "limit=1&limit=2",
        "since=x",
        "since=2&until=1",
        "bucket=0",
        "bucket=-5",
        "bucket=x",
        "bucket=60&offset=999999",
        "bucket=60&offset=99999999999999999999",
        "by=nothing",
        "by=exe,exe",
        "by=exe,name,cmdline,sha256,pexe,pname,uid,user,raddr,rport,lport,laddr,pid",
        "nothing=1",
        "%ff=%00",
    ] {
        let reply = served.get(&format!("/api/v1/report?{query}"));
        assert_eq!(reply.status, 400, "{query}: {}", reply.text());
        assert!(!reply.json()["error"]["message"].as_str().unwrap().is_empty());
    }
    let many = "filter=exe%3Da&".repeat(101);
    assert_eq!(served.get(&format!("/api/v1/report?{many}")).code(), "too_many_parameters");
    // And it lives.
    assert_eq!(served.get("/api/v1/report").status, 200);
}

#[test]
fn whoever_is_slow_is_left() {
    let served = serve_with(|settings| {
        settings.limits.head_time = Duration::from_millis(300);
        settings.limits.write_time = Duration::from_millis(300);
    });
    // Says nothing; begins a head and does not end it; asked once and stays.
    for begin in ["", "GET / HTTP/1.1\r\nHost: loc"] {
        let mut stream = served.connect();
        stream.write_all(begin.as_bytes()).unwrap();
        let mut rest = Vec::new();
        // Ends without a word, or with 408.
        stream.read_to_end(&mut rest).unwrap();
        let text = String::from_utf8_lossy(&rest);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    }
    let mut stream = served.connect();
    let host = served.addr();
    write!(stream, "GET /login HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.starts_with(b"HTTP/1.1 "));
}

#[test]
fn connections_and_requests_are_bounded() {
    let served = serve_with(|settings| {
        settings.limits.connections = 4;
        settings.limits.burst = 10;
        settings.limits.head_time = Duration::from_secs(60);
    });
    let held: Vec<_> = (0..4).map(|_| served.connect()).collect();
    // The fifth is closed, once those before were taken.
    let mut closed = false;
    for _ in 0..50 {
        let mut rest = Vec::new();
        let mut fifth = served.connect();
        closed = fifth.read_to_end(&mut rest).is_ok();
        if closed {
            break;
        }
    }
    assert!(closed);
    drop(held);
    let statuses: Vec<u16> = (0..200)
        .map(|_| served.ask("GET", "/api/v1/session", &[], "").status)
        .filter(|status| *status != 0)
        .collect();
    assert!(statuses.contains(&401) && statuses.contains(&429), "{statuses:?}");
    // Not so for whoever is known.
    assert_eq!(served.get("/api/v1/gaps").status, 200);
}
