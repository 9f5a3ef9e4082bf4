//! Server and readers together, over a real socket.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests, and helpers that only tests use")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use femtosnitch_api::{
    ClientError, Event, FlowEvent, Limits, LiveClient, LiveHandle, LiveServer, Status,
};

struct Feed {
    handle: LiveHandle,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

fn feed(limits: Limits) -> Feed {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.sock");
    let handle = LiveServer::start(&path, "1.2.3", limits, 0o660, None).unwrap();
    Feed { handle, path, _dir: dir }
}

impl Feed {
    fn client(&self) -> LiveClient {
        let mut client = LiveClient::connect(&self.path).unwrap();
        client.set_timeout(Some(Duration::from_secs(10))).unwrap();
        client
    }

    fn wait_for_readers(&self, count: usize) {
        wait_until(|| self.handle.readers() == count);
    }
}

fn wait_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn flow(number: u64) -> Event {
    let exe = format!("/usr/bin/{}", "x".repeat(200));
    Event::Flow(Box::new(FlowEvent { send: number, exe, ..FlowEvent::default() }))
}

/// Adds up what a reader got until the last event: numbers received, events said to be missing.
/// Checks that numbers grow and that each gap is as large as told.
fn account(client: &mut LiveClient, total: u64) -> (u64, u64) {
    let (mut received, mut missed) = (0, 0);
    while received + missed < total {
        match client.next().unwrap().unwrap() {
            Event::Flow(flow) => {
                assert_eq!(flow.send, received + missed, "a gap is not where it was told");
                received += 1;
            }
            Event::Missed { events } => missed += events,
            other => panic!("{other:?}"),
        }
    }
    (received, missed)
}

#[test]
fn a_reader_that_sleeps_is_told_exactly_what_it_missed_and_where() {
    const TOTAL: u64 = 20_000;
    let feed = feed(Limits { reader_buffer: 64 * 1024, ..Limits::default() });
    let mut sleeper = feed.client();
    let mut awake = feed.client();
    let reader = std::thread::spawn(move || account(&mut awake, TOTAL));
    for start in (0..TOTAL).step_by(50) {
        let batch: Vec<Event> = (start..start + 50).map(flow).collect();
        feed.handle.publish(&batch);
        std::thread::sleep(Duration::from_micros(200));
    }
    // What the sleeper did not take is not lost for others, whose gaps are told as exactly.
    let (received, missed) = reader.join().unwrap();
    assert_eq!(received + missed, TOTAL);
    let (got, lost) = account(&mut sleeper, TOTAL);
    assert_eq!(got + lost, TOTAL);
    assert!(lost > TOTAL / 2 && got > 100, "received {got}, missed {lost}");
    assert_eq!(feed.handle.missed(), missed + lost);
}

#[test]
fn after_a_gap_the_feed_goes_on() {
    let feed = feed(Limits { reader_buffer: 8 * 1024, ..Limits::default() });
    let mut client = feed.client();
    for round in 0..5 {
        // More than socket buffer and own buffer hold together.
        let first = round * 4000;
        for start in (first..first + 4000).step_by(100) {
            feed.handle.publish(&(start..start + 100).map(flow).collect::<Vec<_>>());
            std::thread::sleep(Duration::from_micros(100));
        }
        if round == 4 {
            let (got, lost) = account(&mut client, 20_000);
            assert!(got > 0 && lost > 0);
        }
    }
    feed.handle.publish(&[Event::Warning { time: 1.0, text: "still here".into() }]);
    assert!(matches!(client.next(), Some(Ok(Event::Warning { .. }))));
}

#[test]
fn however_much_moves_each_sample_has_an_end() {
    let feed = feed(Limits { reader_buffer: 16 * 1024, ..Limits::default() });
    let mut client = feed.client();
    feed.wait_for_readers(1);
    for round in 0..5 {
        // Several times what there is room for.
        let mut sample: Vec<Event> = (0..500).map(flow).collect();
        let time = f64::from(round);
        sample.push(Event::Tick { time, interval: 1.0, flows: 500, send: 7, recv: 8 });
        feed.handle.publish(&sample);
        let (received, missed) = account(&mut client, 500);
        assert!(received > 10 && missed > 10, "received {received}, missed {missed}");
        let end = client.next();
        assert!(matches!(end, Some(Ok(Event::Tick { send: 7, .. }))), "{end:?}");
    }
}

#[test]
fn many_readers_get_the_same() {
    let feed = feed(Limits::default());
    let mut clients: Vec<_> = (0..16).map(|_| feed.client()).collect();
    feed.wait_for_readers(16);
    feed.handle.publish(&(0..100).map(flow).collect::<Vec<_>>());
    for client in &mut clients {
        assert_eq!(account(client, 100), (100, 0));
    }
    assert_eq!(feed.handle.missed(), 0);
}

#[test]
fn one_reader_too_many_is_told_and_sent_away() {
    let feed = feed(Limits { max_readers: 1, ..Limits::default() });
    let first = feed.client();
    let heard: Vec<_> = feed.client().collect();
    assert!(
        matches!(&heard[..], [Ok(Event::Warning { text, .. })] if text.contains("1 readers")),
        "{heard:?}"
    );
    drop(first);
    feed.wait_for_readers(0);
    let mut next = feed.client();
    feed.handle.publish(&[flow(0)]);
    assert_eq!(account(&mut next, 1), (1, 0));
}

#[test]
fn readers_that_leave_are_forgotten() {
    let feed = feed(Limits::default());
    let mut stays = feed.client();
    let leaves = feed.client();
    feed.wait_for_readers(2);
    drop(leaves);
    feed.wait_for_readers(1);
    // One that vanishes with much unread.
    let vanishes = feed.client();
    feed.wait_for_readers(2);
    feed.handle.publish(&(0..2000).map(flow).collect::<Vec<_>>());
    drop(vanishes);
    feed.wait_for_readers(1);
    assert_eq!(account(&mut stays, 2000), (2000, 0));
    drop(stays);
    wait_until(|| !feed.handle.has_readers());
}

#[test]
fn what_readers_write_is_ignored() {
    let feed = feed(Limits::default());
    let mut noisy = UnixStream::connect(&feed.path).unwrap();
    noisy.set_nonblocking(true).unwrap();
    feed.wait_for_readers(1);
    // Until its socket is full.
    while noisy.write(&[b'#'; 4096]).is_ok() {}
    // Half-closed is not gone.
    noisy.shutdown(std::net::Shutdown::Write).unwrap();
    feed.handle.publish(&[flow(7)]);
    noisy.set_nonblocking(false).unwrap();
    noisy.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (mut text, mut chunk) = (Vec::new(), [0; 4096]);
    while text.iter().filter(|&&byte| byte == b'\n').count() < 2 {
        let len = noisy.read(&mut chunk).unwrap();
        text.extend(&chunk[..len]);
    }
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    assert!(matches!(serde_json::from_slice(lines[0]).unwrap(), Event::Hello { api: 1, .. }));
    assert_eq!(serde_json::from_slice::<Event>(lines[1]).unwrap(), flow(7));
}

#[test]
fn a_status_comes_first_and_then_once_a_second_at_most() {
    let feed = feed(Limits::default());
    let status = |pid| Status { pid, ..Status::default() };
    feed.handle.set_status(status(1));
    let mut client = feed.client();
    let pid = |event| match event {
        Some(Ok(Event::Status(status))) => status.pid,
        other => panic!("{other:?}"),
    };
    assert_eq!(pid(client.next()), 1);
    let start = Instant::now();
    for number in 2..50 {
        feed.handle.set_status(status(number));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(pid(client.next()), 49);
    assert!(start.elapsed() >= Duration::from_millis(900));
    client.set_timeout(Some(Duration::from_millis(1200))).unwrap();
    feed.handle.set_status(status(49));
    assert!(matches!(client.next(), Some(Err(ClientError::Timeout))), "nothing changed");
}

#[test]
fn stopping_hands_out_what_is_left_and_removes_the_socket() {
    let feed = feed(Limits::default());
    let mut client = feed.client();
    feed.handle.publish(&(0..500).map(flow).collect::<Vec<_>>());
    let reader = std::thread::spawn(move || (account(&mut client, 500), client.next().is_none()));
    feed.handle.clone().stop();
    assert_eq!(reader.join().unwrap(), ((500, 0), true));
    assert!(!feed.path.exists() && !feed.handle.has_readers());
    assert!(matches!(LiveClient::connect(&feed.path), Err(ClientError::NotRunning { .. })));
    feed.handle.publish(&[flow(1)]);
    feed.handle.stop();
}

#[test]
fn the_last_handle_ends_the_feed() {
    let feed = feed(Limits::default());
    let Feed { handle, path, _dir } = feed;
    let other = handle.clone();
    drop(handle);
    assert!(path.exists());
    drop(other);
    assert!(!path.exists());
}
