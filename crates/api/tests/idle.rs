//! Alone in its process, so that there is only one thread called `serve`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests, and helpers that only tests use")]

use std::time::Duration;

use femtosnitch_api::{Event, Limits, LiveClient, LiveServer, Status};

/// How often the serving thread went to sleep.
fn sleeps() -> u64 {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        if std::fs::read_to_string(path.join("comm")).unwrap() != "serve\n" {
            continue;
        }
        let status = std::fs::read_to_string(path.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        return line.unwrap().trim().parse().unwrap();
    }
    panic!("no thread is called serve");
}

#[test]
fn silence_costs_no_wakeups() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.sock");
    let handle = LiveServer::start(&path, "1", Limits::default(), 0o660, None).unwrap();
    handle.set_status(Status { pid: 1, ..Status::default() });
    let settle = Duration::from_millis(300);
    std::thread::sleep(settle);
    let before = sleeps();
    // Nobody listens: neither events nor changes of the status wake it.
    for pid in 2..100 {
        handle.publish(&[Event::Missed { events: 1 }]);
        handle.set_status(Status { pid, ..Status::default() });
    }
    std::thread::sleep(settle);
    assert_eq!(sleeps(), before);
    // Readers are there and nothing happens.
    let _clients: Vec<_> = (0..4).map(|_| LiveClient::connect(&path).unwrap()).collect();
    std::thread::sleep(settle);
    let before = sleeps();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(sleeps(), before);
}
