//! Whoever should get nothing gets nothing, each over a real socket: strangers, pages of others,
//! names that point here. What is no honest request is in abuse.rs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::time::Duration;

use common::*;
use femtosnitch_web::{Tls, WebError};

const DATA: [&str; 8] = [
    "/api/v1/report",
    "/api/v1/status",
    "/api/v1/live",
    "/api/v1/export",
    "/api/v1/openapi.json",
    "/api/v1/session",
    "/api/v1/nothing",
    "/metrics",
];

#[test]
fn a_name_that_somebody_made_point_here_is_not_answered() {
    let served = serve();
    let port = served.addr().port();
    for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1.evil.example", ""] {
        for path in ["/", "/login", "/api/v1/report", "/assets/x.js"] {
            let bearer = served.bearer();
            let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n\r\n");
            let reply = served.send(head.as_bytes());
            assert_eq!((reply.status, reply.code().as_str()), (421, "bad_host"), "{host} {path}");
        }
    }
    // In the first line, or twice, or not at all.
    let reply = served.send(
        format!("GET http://evil.example/ HTTP/1.1\r\nHost: {}\r\n\r\n", served.addr()).as_bytes(),
    );
    assert_eq!(reply.status, 421);
    let twice = format!("GET / HTTP/1.1\r\nHost: {0}\r\nHost: {0}\r\n\r\n", served.addr());
    assert_eq!(served.send(twice.as_bytes()).status, 400);
    assert_eq!(served.send(b"GET / HTTP/1.1\r\n\r\n").status, 400);
    assert_eq!(served.send(b"GET / HTTP/1.0\r\n\r\n").status, 400);
    for host in [format!("localhost:{port}"), "snitch.example.org".to_owned()] {
        let bearer = served.bearer();
        let head = format!("GET /api/v1/gaps HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n\r\n");
        assert_eq!(served.send(head.as_bytes()).status, 200, "{host}");
    }
}

#[test]
fn without_the_token_there_is_no_data() {
    let served = serve();
    let wrong = "0".repeat(64);
    for path in DATA {
        for (head, code) in [
            (String::new(), "login"),
            ("Cookie: femtosnitch=x".to_owned(), "login"),
            (format!("Cookie: femtosnitch-{}={wrong}", served.addr().port()), "login"),
            // The token is no session.
            (format!("Cookie: femtosnitch-{}={}", served.addr().port(), served.token), "login"),
            (format!("Authorization: Bearer {wrong}"), "wrong_token"),
            (format!("Authorization: Bearer {}", &served.token[1..]), "wrong_token"),
            ("Authorization: Bearer".to_owned(), "wrong_token"),
            (format!("Authorization: Basic {}", served.token), "wrong_token"),
        ] {
            let reply = served.ask("GET", path, &[&head, "X-Test: 1"], "");
            assert_eq!((reply.status, reply.code().as_str()), (401, code), "{path} {head}");
        }
    }
    let reply = served.ask("POST", "/api/v1/events/ack", &["Content-Type: application/json"], "{}");
    assert_eq!(reply.status, 401);
}

#[test]
fn a_browser_logs_in_and_out() {
    let served = serve();
    let json = "Content-Type: application/json";
    let reply = served.ask("POST", "/api/v1/session", &[json], "{\"token\":\"wrong\"}");
    assert_eq!((reply.status, reply.code().as_str()), (401, "wrong_token"));
    assert!(reply.header("set-cookie").is_none());
    let body = format!("{{\"token\":\"{}\"}}", served.token);
    let reply = served.ask("POST", "/api/v1/session", &[json], &body);
    assert_eq!(reply.status, 204);
    let set = reply.header("set-cookie").unwrap().to_owned();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/;", "Max-Age="] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure") && !set.contains("Domain") && !set.contains(&served.token));
    let cookie = cookie(&reply);
    assert_eq!(served.ask("GET", "/api/v1/report", &[&cookie], "").status, 200);
    assert_eq!(served.ask("GET", "/api/v1/session", &[&cookie], "").status, 204);
    let reply = served.ask("DELETE", "/api/v1/session", &[&cookie, json], "");
    assert_eq!(reply.status, 204);
    assert!(reply.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(served.ask("GET", "/api/v1/report", &[&cookie], "").status, 401);
    // Behind a proxy that encrypts.
    let origin = format!("Origin: https://{}", served.addr());
    let reply = served.ask("POST", "/api/v1/session", &[json, &origin], &body);
    assert!(reply.header("set-cookie").unwrap().contains("; Secure"), "{}", reply.head);
}

#[test]
fn guessing_is_slowed_down_and_does_not_lock_anybody_out() {
    let served = serve();
    let cookie = served.log_in();
    let json = "Content-Type: application/json";
    let guess = || served.ask("POST", "/api/v1/session", &[json], "{\"token\":\"guess\"}").status;
    let answers: Vec<u16> = (0..40).map(|_| guess()).collect();
    assert_eq!(answers.first(), Some(&401));
    assert_eq!(answers.last(), Some(&429));
    assert_eq!(served.ask("GET", "/api/v1/report", &[&cookie], "").status, 200);
    assert_eq!(served.get("/api/v1/report").status, 200);
}

#[test]
fn a_key_opens_once() {
    let served = serve();
    let state = served.dir.path().join("state");
    let key = femtosnitch_web::open_key(&state, Duration::from_secs(60)).unwrap();
    let reply = served.ask("GET", &format!("/open?key={key}"), &[], "");
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("url=/\"") && !reply.text().contains(&key));
    assert_eq!(served.ask("GET", "/api/v1/report", &[&cookie(&reply)], "").status, 200);
    for bad in [key.as_str(), "", "x", "1.2.3", &served.token] {
        let reply = served.ask("GET", &format!("/open?key={bad}"), &[], "");
        assert_eq!(
            (reply.status, reply.header("location")),
            (303, Some("/login?why=key")),
            "{bad}"
        );
        assert!(reply.header("set-cookie").is_none());
    }
}

#[test]
fn pages_of_others_change_and_read_nothing() {
    let served = serve();
    let cookie = served.log_in();
    let json = "Content-Type: application/json";
    let ours = format!("Origin: http://{}", served.addr());
    let same = "Sec-Fetch-Site: same-origin";
    let ack = |head: &[&str]| {
        let head: Vec<&str> = head.iter().copied().chain([cookie.as_str()]).collect();
        served.ask("POST", "/api/v1/events/ack", &head, "{\"ids\":[]}").status
    };
    assert_eq!(ack(&[json]), 204);
    assert_eq!(ack(&[json, &ours, same]), 204);
    for foreign in [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: ",
        "Origin: http://127.0.0.1:1",
        "Origin: file:///",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: strange",
    ] {
        assert_eq!(ack(&[json, foreign]), 403, "{foreign}");
        assert_eq!(ack(&[json, &ours, foreign]), 403, "{foreign}");
        for path in DATA {
            assert_eq!(served.ask("GET", path, &[&cookie, foreign], "").status, 403, "{foreign}");
        }
        let body = format!("{{\"token\":\"{}\"}}", served.token);
        assert_eq!(served.ask("POST", "/api/v1/session", &[json, foreign], &body).status, 403);
    }
    // What a form can send.
    for form in [
        "Content-Type: text/plain",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Type: text/plain; application/json",
        "X-Test: none",
    ] {
        assert_eq!(ack(&[form]), 415, "{form}");
    }
    assert_eq!(ack(&[json, json]), 415);
    assert_eq!(ack(&["Content-Type: application/json; charset=utf-8"]), 204);
    // A link to the dashboard works.
    let link = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", cookie.as_str()];
    assert!(matches!(served.ask("GET", "/history", &link, "").status, 200 | 404));
    // No other origin is told that it may read.
    let reply = served.ask("GET", "/api/v1/report", &[&served.bearer(), &ours], "");
    assert!(!reply.head.to_lowercase().contains("access-control"));
    assert_eq!(served.ask("OPTIONS", "/api/v1/report", &[], "").status, 405);
}

#[test]
fn every_answer_says_what_browsers_may_do() {
    let served = serve();
    let bearer = served.bearer();
    for (path, head) in [
        ("/", ""),
        ("/login", ""),
        ("/history", bearer.as_str()),
        ("/api/v1/report", bearer.as_str()),
        ("/api/v1/report", ""),
        ("/missing.js", ""),
        ("/metrics", bearer.as_str()),
    ] {
        let reply = served.ask("GET", path, &[head, "X-Test: 1"], "");
        let policy = reply.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "script-src 'self'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path}");
        }
        assert!(reply.header("cache-control").is_some() || reply.status == 404, "{path}");
        assert!(reply.header("server").is_none());
    }
}

#[test]
fn hostile_names_are_text() {
    let served = serve();
    let reply = served.get("/api/v1/report?by=exe,domain&since=all");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    // Not one byte that a terminal or a parser of HTML would act upon by itself.
    assert!(!reply.text().contains('\u{1b}') && !reply.text().contains('\n'));
    let answers = reply.json()["answers"].as_array().unwrap().clone();
    assert!(answers.iter().any(|answer| answer["keys"][0] == HOSTILE));
    let reply = served.get("/api/v1/report.csv?by=exe&since=all");
    assert!(reply.header("content-disposition").unwrap().starts_with("attachment"));
    assert!(reply.header("content-type").unwrap().starts_with("text/csv"));
    // A refusal quotes what was asked for as JSON alone.
    let reply = served.get("/api/v1/report?by=%3Cscript%3E");
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[test]
fn other_machines_need_encryption() {
    let dir = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let mut settings = settings(dir.path());
        settings.listen = listen.parse().unwrap();
        let error = femtosnitch_web::Server::start(settings).unwrap_err();
        assert!(matches!(error, WebError::NeedsTls(_)), "{listen}: {error}");
        assert!(error.to_string().contains("tls in section [web]"), "{error}");
    }
    let mut settings = settings(dir.path());
    let missing = dir.path().join("missing.pem");
    settings.tls = Tls::Files { cert: missing.clone(), key: missing };
    let error = femtosnitch_web::Server::start(settings).unwrap_err().to_string();
    assert!(error.contains("missing.pem"), "{error}");
}
