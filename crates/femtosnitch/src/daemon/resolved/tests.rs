//! A server that speaks as systemd-resolved's monitor does.

use super::*;
use crate::daemon::settings::InForce;
use std::net::IpAddr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

const ANSWER: &[u8] =
    b"{\"parameters\":{\"state\":\"success\",\"question\":[{\"class\":1,\"type\":1,\
    \"name\":\"one.example\"}],\"answer\":[{\"rr\":{\"key\":{\"class\":1,\"type\":1,\
    \"name\":\"one.example\"},\"address\":[192,0,2,7]}}]},\"continues\":true}\0";

struct World {
    _dir: tempfile::TempDir,
    path: PathBuf,
    inbox: Receiver<Message>,
    report: Arc<Report>,
    listener: Option<Listener>,
    thread: Option<JoinHandle<()>>,
    _wake: io::PipeReader,
}

impl World {
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("monitor");
        prepare(&path);
        let paths = crate::config::Paths::new(dir.path());
        let report = Arc::new(Report::new(&paths, InForce::defaults()));
        let (answers, inbox) = channel();
        let (waker, wake) = super::super::capture::waker().unwrap();
        let (listener, thread) = start(path.clone(), answers, waker, &report).unwrap();
        let (listener, thread) = (Some(listener), Some(thread));
        Self { _dir: dir, path, inbox, report, listener, thread, _wake: wake }
    }

    fn end(&mut self) {
        self.listener = None;
        self.thread.take().unwrap().join().unwrap();
    }
}

fn subscribed(server: &UnixListener) -> UnixStream {
    let (mut stream, _) = server.accept().unwrap();
    let mut asked = vec![0; SUBSCRIBE.len()];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(asked, SUBSCRIBE);
    stream
}

fn answer(world: &World) -> Resolved {
    match world.inbox.recv_timeout(Duration::from_secs(60)) {
        Ok(Message::Resolved(resolved)) => resolved,
        _ => panic!("no answer"),
    }
}

#[test]
fn answers_are_told_however_they_are_cut_and_again_after_a_restart() {
    let mut server = None;
    let mut world = World::new(|path| server = Some(UnixListener::bind(path).unwrap()));
    let mut stream = subscribed(server.as_ref().unwrap());
    stream.write_all(b"{\"parameters\":{\"ready\":true},\"continues\":true}\0rubbish\0").unwrap();
    for piece in ANSWER.chunks(50) {
        stream.write_all(piece).unwrap();
    }
    stream.write_all(&[ANSWER, ANSWER].concat()).unwrap();
    for _ in 0..3 {
        let told = answer(&world);
        assert_eq!(told.name, b"one.example");
        assert_eq!(told.addresses, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(told.netns, procfs::network_namespace(std::process::id()).unwrap());
    }
    assert_eq!(world.report.resolved_garbled_count(), 1);
    // It ends and begins anew.
    drop((stream, server.take()));
    std::fs::remove_file(&world.path).unwrap();
    let server = UnixListener::bind(&world.path).unwrap();
    let mut stream = subscribed(&server);
    stream.write_all(ANSWER).unwrap();
    answer(&world);
    // A message without an end is not waited for.
    let long = vec![b' '; LONGEST + (64 << 10)];
    assert!(stream.write_all(&long).is_ok() || stream.write_all(ANSWER).is_err());
    let mut stream = subscribed(&server);
    stream.write_all(ANSWER).unwrap();
    answer(&world);
    world.end();
}

#[test]
fn nobody_there_is_no_trouble_and_the_end_does_not_wait() {
    let mut world = World::new(|_| ());
    let begun = Instant::now();
    world.end();
    assert!(begun.elapsed() < AGAIN);
}
