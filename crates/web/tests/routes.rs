//! Every route is called, and its answer is what the description of the interface says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::io::Write;

use common::*;
use serde_json::{Value, json};

/// Whether a value is as a schema of the document says.
fn check(document: &Value, schema: &Value, value: &Value, what: &str) {
    let mut whole = schema.as_object().unwrap().clone();
    whole.insert("components".to_owned(), document["components"].clone());
    let validator = jsonschema::validator_for(&Value::Object(whole)).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(value).map(|it| format!("{}: {it}", it.instance_path())).collect();
    assert!(wrong.is_empty(), "{what}: {wrong:?}\n{value:#}");
}

#[test]
fn answers_are_as_described() {
    let served = serve();
    let document = served.get("/api/v1/openapi.json").json();
    let mut called = BTreeSet::new();
    for (path, queries) in [
        ("/api/v1/dimensions", &[""][..]),
        (
            "/api/v1/report",
            &["", "by=exe,domain&bucket=auto", "by=rport&limit=1&bucket=60", "by=&since=all"],
        ),
        ("/api/v1/report.json", &["by=user"]),
        ("/api/v1/report.csv", &["by=exe,domain"]),
        ("/api/v1/values", &["dim=domain&prefix=EXA", "dim=uid&prefix=10", "dim=user"]),
        ("/api/v1/detail", &["", "by=exe,raddr&bucket=auto&filter=exe%3D/usr/bin/curl"]),
        ("/api/v1/tree", &[""]),
        ("/api/v1/program", &["exe=/usr/bin/curl", "exe=/nothing"]),
        ("/api/v1/heatmap", &["offset=3600"]),
        ("/api/v1/events", &["", "kind=first-seen,modified", "exe=/usr/bin/curl&limit=1"]),
        ("/api/v1/gaps", &["", "since=all"]),
        ("/api/v1/status", &[""]),
        ("/api/v1/export", &["format=csv", "format=ndjson&filter=exe~*curl"]),
        ("/api/v1/openapi.json", &[""]),
        ("/metrics", &[""]),
    ] {
        called.insert(path);
        let described = &document["paths"][path]["get"];
        for query in queries {
            let what = format!("{path}?{query}");
            let reply = served.get(&what);
            assert_eq!(reply.status, 200, "{what}: {}", reply.text());
            let mime = reply.header("content-type").unwrap().split(';').next().unwrap();
            let schema = &described["responses"]["200"]["content"][mime]["schema"];
            assert!(schema.is_object(), "{what}: {mime} is not described");
            let value = match mime {
                "application/json" => reply.json(),
                _ => Value::String(reply.text()),
            };
            check(&document, schema, &value, &what);
            // Whatever is asked with is described.
            for pair in query.split('&').filter(|pair| !pair.is_empty()) {
                let name = pair.split('=').next().unwrap();
                let mut known = described["parameters"].as_array().unwrap().iter();
                assert!(known.any(|it| it["name"] == name), "{what}: {name} is not described");
            }
        }
        // What is described is understood.
        for parameter in described["parameters"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap();
            let reply = served.get(&format!("{path}?{name}=%00"));
            assert!(!reply.text().contains("unknown_parameter"), "{path} {name}");
        }
        if path != "/api/v1/openapi.json" {
            let reply = served.get(&format!("{path}?bogus=1"));
            assert_eq!(reply.code(), "unknown_parameter", "{path}");
            check(&document, &document["components"]["schemas"]["Error"], &reply.json(), path);
        }
    }
    // These have tests of their own.
    called.extend(["/api/v1/live", "/api/v1/session", "/api/v1/events/ack"]);
    let all: BTreeSet<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(called, all);
}

#[test]
fn sums_are_those_of_the_history() {
    let served = serve();
    let report = served.get("/api/v1/report?by=exe&since=all").json();
    let first = &report["answers"][0];
    assert_eq!((&first["keys"][0], &first["send"]), (&json!("/usr/bin/curl"), &json!(150)));
    assert_eq!(first["recv"], 2_000);
    assert_eq!(report["total"]["send"], 158);
    let report = served.get("/api/v1/report?by=domain&since=1h&filter=exe%3D/usr/bin/curl").json();
    assert_eq!(report["answers"][0]["keys"], json!(["www.example.org"]));
    let report = served.get("/api/v1/report?by=exe&limit=1&since=1h&bucket=60").json();
    assert_eq!((&report["others"]["groups"], &report["others"]["send"]), (&json!(2), &json!(8)));
    let line = report["series"]["lines"][0].as_array().unwrap();
    let sent: u64 = line.iter().map(|point| point["send"].as_u64().unwrap()).sum();
    assert_eq!(sent, 150);
    let values = served.get("/api/v1/values?dim=domain&prefix=EXAMPLE").json();
    assert_eq!(values["answers"].as_array().unwrap().len(), 2);
    // What is filtered by already does not narrow what else could be.
    let values = served.get("/api/v1/values?dim=exe&prefix=ssh&filter=exe%3D/usr/bin/curl").json();
    assert_eq!(values["answers"][0]["keys"], json!(["/usr/bin/ssh"]));
    let detail = served.get("/api/v1/detail?by=domain,rport&filter=exe%3D/usr/bin/curl").json();
    assert_eq!(detail["total"]["send"], 150);
    assert_eq!(detail["breakdowns"][1]["answers"][0]["keys"], json!([443]));
    let program = served.get("/api/v1/program?exe=/usr/bin/curl").json();
    assert_eq!(program["versions"][0]["sha256"], "01".repeat(32));
    assert_eq!(program["cmdlines"], json!(["curl --flag"]));
    let map = served.get("/api/v1/heatmap?since=all").json();
    let days = map["days"].as_array().unwrap().iter();
    let sent = days.flat_map(|day| day.as_array().unwrap()).map(|it| it["send"].as_u64().unwrap());
    assert_eq!(sent.sum::<u64>(), 158);
    let csv = served.get("/api/v1/report.csv?by=exe&since=all&limit=1").text();
    assert!(csv.starts_with("exe,send,recv,"), "{csv}");
    assert!(csv.contains("\r\n/usr/bin/curl,150,2000,254,,4,"), "{csv}");
    let rows = served.get("/api/v1/export?since=all&filter=exe%3D/usr/bin/curl").text();
    assert_eq!(rows, "/usr/bin/curl 100\n/usr/bin/curl 50\n");
    assert_eq!(served.get("/api/v1/export?format=parquet").status, 501);
    let status = served.get("/api/v1/status").json();
    assert_eq!((&status["daemon"], &status["history"]["rows"]), (&json!("absent"), &json!(4)));
    let metrics = served.get("/metrics").text();
    assert!(metrics.contains("femtosnitch_up 0\n"), "{metrics}");
    assert!(metrics.contains("femtosnitch_history_rows 4\n"), "{metrics}");
    assert!(metrics.contains("femtosnitch_history_traffic_bytes{direction=\"sent\"} 158\n"));
}

#[test]
fn gaps_include_the_present_one_and_events_are_acknowledged() {
    let served = serve();
    let gaps = served.get("/api/v1/gaps?since=all").json();
    let gaps = gaps.as_array().unwrap();
    assert_eq!(gaps[0]["reason"], "suspended");
    let events = served.get("/api/v1/events?since=all&kind=gap").json();
    let event = &events["events"][0];
    assert_eq!((&event["kind"], &event["acknowledged"]), (&json!("gap"), &json!(false)));
    let body = json!({ "ids": [event["id"]] }).to_string();
    let head = [&served.bearer(), "Content-Type: application/json"];
    assert_eq!(served.ask("POST", "/api/v1/events/ack", &head, &body).status, 204);
    let again = served.get("/api/v1/events?since=all&kind=gap").json();
    assert_eq!(again["events"][0]["acknowledged"], true);
    assert_eq!(again["events"][0]["id"], event["id"]);
}

#[test]
fn without_a_history_that_is_said() {
    let served = serve_in(tempfile::tempdir().unwrap(), |_| {});
    let reply = served.get("/api/v1/report");
    assert_eq!((reply.status, reply.code().as_str()), (503, "no_history"));
    assert_eq!(served.get("/api/v1/export").status, 503);
    let status = served.get("/api/v1/status").json();
    assert_eq!(status["history"]["error"]["code"], "no_history");
    // It may come later, or be another one.
    let path = served.dir.path().join("femtosnitch.db");
    history(&path);
    assert_eq!(served.get("/api/v1/report?since=all").json()["total"]["send"], 158);
    for end in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{end}", path.display())));
    }
    assert_eq!(served.get("/api/v1/report").code(), "no_history");
}

#[test]
fn whoever_goes_away_is_not_answered() {
    let served = serve();
    // More than there is room for, by somebody who does not wait.
    for _ in 0..150 {
        let mut stream = served.connect();
        let (host, bearer) = (served.addr(), served.bearer());
        write!(stream, "GET /api/v1/detail HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n\r\n").unwrap();
    }
    let metrics = served.get("/metrics").text();
    assert!(metrics.contains("femtosnitch_web_questions_waiting"), "{metrics}");
    assert_eq!(served.get("/api/v1/report").status, 200);
}

#[test]
fn the_page_is_for_whoever_is_logged_in() {
    let served = serve();
    let reply = served.ask("GET", "/history?by=exe", &[], "");
    assert_eq!(reply.status, 303);
    assert_eq!(reply.header("location"), Some("/login?next=%2Fhistory%3Fby%3Dexe"));
    assert_eq!(served.ask("GET", "/", &[], "").header("location"), Some("/login"));
    let cookie = served.log_in();
    for (path, head) in [("/login", "X-Test: 1"), ("/history", cookie.as_str())] {
        let reply = served.ask("GET", path, &[head], "");
        assert!(reply.header("content-type").unwrap().starts_with("text/html"));
        // As built, or what says how to build it.
        assert!(reply.text().contains("femtosnitch"), "{}", reply.text());
    }
}
