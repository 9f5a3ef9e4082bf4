//! Whatever is refused is in the log, with its reason; and no token, key, cookie or question is, not
//! even in what developers have logged.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{self, Read, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use common::*;
use femtosnitch_web::Tls;
use tracing_subscriber::filter::LevelFilter;

/// Behind `?`, where somebody looks for something.
const PRIVATE: &str = "what-is-looked-for";

/// All that this process logged, in every detail.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log() -> String {
    static BEGUN: OnceLock<()> = OnceLock::new();
    BEGUN.get_or_init(|| {
        let all = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE);
        all.with_ansi(false).with_writer(|| Log).init();
    });
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// Waits until a line has all of these; a line is written when the other end knows already.
fn wait_for(parts: &[&str]) -> String {
    for _ in 0..400 {
        let log = log();
        let found = log.lines().find(|line| parts.iter().all(|part| line.contains(part)));
        if let Some(line) = found {
            return line.to_owned();
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("no line of the log has {parts:?}:\n{}", log());
}

/// What must be in no line.
fn assert_discreet(secrets: &[&str]) {
    let log = log();
    for secret in secrets {
        assert!(secret.len() > 8 && !log.contains(secret), "{secret:?} is in the log:\n{log}");
    }
}

fn value(cookie: &str) -> &str {
    cookie.rsplit('=').next().unwrap()
}

#[test]
fn each_kind_of_refusal_is_logged_and_nothing_secret() {
    log();
    let served = serve();
    let json = "Content-Type: application/json";
    let wrong = "deadbeef".repeat(8);
    let (cookie, ended) = (served.log_in(), served.log_in());
    assert_eq!(served.ask("DELETE", "/api/v1/session", &[&ended, json], "").status, 204);
    let key = femtosnitch_web::open_key(&served.dir.path().join("state"), Duration::from_secs(60));
    let key = key.unwrap();
    let bearer = served.bearer();
    let guess = format!("{{\"token\":\"{wrong}\"}}");
    let long = format!("{PRIVATE}{}", "x".repeat(9 << 10));
    let large = format!("{{\"ids\":[\"{PRIVATE}{}\"]}}", "x".repeat(100 << 10));
    let with_wrong = format!("Authorization: Bearer {wrong}");
    let (ack, gaps) = ("/api/v1/events/ack", "/api/v1/gaps");
    let evil = "Origin: http://evil.example";
    for (method, path, head, body, status, code) in [
        ("GET", gaps.to_owned(), vec!["X-Test: 1"], "", 401, "login"),
        ("GET", "/api/v1/report".to_owned(), vec![&ended], "", 401, "login"),
        ("GET", gaps.to_owned(), vec![&with_wrong], "", 401, "wrong_token"),
        ("POST", "/api/v1/session".to_owned(), vec![json], &guess, 401, "wrong_token"),
        ("GET", format!("/open?key={wrong}"), vec![], "", 303, "wrong_key"),
        ("GET", gaps.to_owned(), vec![&cookie, evil], "", 403, "cross_site"),
        ("POST", ack.to_owned(), vec![&cookie, "Content-Type: text/plain"], "{}", 415, "bad_type"),
        ("OPTIONS", gaps.to_owned(), vec![&cookie], "", 405, "bad_method"),
        ("POST", gaps.to_owned(), vec![&cookie, json], "{}", 405, "bad_method"),
        ("GET", format!("{gaps}?since={long}"), vec![&cookie], "", 414, "too_long"),
        ("POST", ack.to_owned(), vec![&cookie, json], &large, 413, "too_long"),
        ("POST", ack.to_owned(), vec![&cookie, json], PRIVATE, 400, "bad_body"),
        ("GET", format!("{gaps}?since={PRIVATE}"), vec![&bearer], "", 400, "bad_time"),
        ("GET", "/../state/token".to_owned(), vec![&bearer], "", 404, "not_found"),
    ] {
        let reply = served.ask(method, &path, &head, body);
        assert_eq!(reply.status, status, "{method} {path} {head:?}");
        let path: String = path.split('?').next().unwrap().to_owned();
        let line = wait_for(&[
            "refused",
            "remote=127.0.0.1",
            &format!("method={method}"),
            &format!("path={path:?}"),
            &format!("status={status}"),
            &format!("code=\"{code}\""),
        ]);
        assert!(line.contains(" INFO "), "{line}");
    }
    // The key works, once; the second time is another refusal.
    assert_eq!(served.ask("GET", &format!("/open?key={key}"), &[], "").status, 200);
    assert_eq!(served.ask("GET", &format!("/open?key={key}"), &[], "").status, 303);
    let host = format!("GET {gaps} HTTP/1.1\r\nHost: evil.example\r\n{bearer}\r\n\r\n");
    assert_eq!(served.send(host.as_bytes()).status, 421);
    wait_for(&["refused", "status=421", "code=\"bad_host\""]);
    // What never becomes a request.
    let malformed = format!("GET {gaps}?since={PRIVATE} HTTP/1.1\r\nHost x\r\n{bearer}\r\n\r\n");
    assert!(matches!(served.send(malformed.as_bytes()).status, 0 | 400));
    wait_for(&["turned away", "remote=127.0.0.1", "code=\"malformed\""]);
    // As many as were told are counted, too.
    let metrics = served.get("/metrics").text();
    let refused =
        metrics.lines().find(|line| line.contains("web_refused_total ") && !line.starts_with('#'));
    let refused = refused.unwrap();
    assert_eq!(refused.rsplit(' ').next(), Some("17"), "{refused}");
    let secrets = [&served.token, &key, &wrong, value(&cookie), value(&ended), PRIVATE];
    assert_discreet(&secrets.map(|secret| secret as &str));
}

#[test]
fn floods_and_slowness_are_logged() {
    log();
    let served = serve_with(|settings| {
        settings.limits.head_time = Duration::from_millis(300);
        settings.limits.burst = 3;
    });
    while served.ask("GET", "/api/v1/session", &[], "").status != 429 {}
    wait_for(&["refused", "status=429", "code=\"too_many\""]);
    let mut slow = served.connect();
    write!(slow, "GET /{PRIVATE} HTTP/1.1\r\nAuthorization: Bearer {}", served.token).unwrap();
    drop(slow.read_to_end(&mut Vec::new()));
    wait_for(&["turned away", "code=\"slow\""]);

    let served = serve_with(|settings| settings.limits.connections = 1);
    let held = served.connect();
    let mut refused = served.connect();
    drop(refused.read_to_end(&mut Vec::new()));
    wait_for(&["turned away", "code=\"full\""]);
    drop(held);

    let served = serve_with(|settings| settings.limits.viewers = 0);
    assert_eq!(served.get("/api/v1/live").status, 503);
    wait_for(&["refused", "status=503", "code=\"busy\""]);

    let served = serve_with(|settings| settings.tls = Tls::Own);
    assert_eq!(served.get(&format!("/?{PRIVATE}")).status, 0);
    wait_for(&["turned away", "code=\"not_encrypted\""]);
    assert_discreet(&[&served.token, PRIVATE]);
}
