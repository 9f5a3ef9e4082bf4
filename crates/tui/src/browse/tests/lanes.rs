//! The threads that ask.

use std::sync::Arc;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use femtosnitch_store::Bucket;
use femtosnitch_store::Dimension;
use femtosnitch_store::Query;
use tempfile::TempDir;

use super::super::ask::Lane;
use super::super::ask::Question;
use super::super::ask::Reply;
use super::super::ask::Source;
use super::super::ask::Told;
use super::super::ask::Trouble;
use super::history;

fn lane(dir: &TempDir) -> (Lane, Receiver<Reply>) {
    let source = Source {
        database: dir.path().join("femtosnitch.db"),
        live_socket: dir.path().join("live.sock"),
        users: Arc::new(history::People),
    };
    let (tell, told) = mpsc::channel();
    let lane = Lane::start("test", Arc::new(source), move |reply| drop(tell.send(reply))).unwrap();
    (lane, told)
}

fn report() -> Question {
    let query = Query { by: vec![Dimension::Cmdline, Dimension::Raddr], ..Query::default() };
    Question::Report { query, bucket: Bucket::Auto { offset: 0 } }
}

fn next(told: &Receiver<Reply>) -> Reply {
    told.recv_timeout(Duration::from_secs(60)).unwrap()
}

#[test]
fn what_is_asked_next_withdraws_what_was_asked_before() {
    let dir = tempfile::tempdir().unwrap();
    history::write(&dir.path().join("femtosnitch.db"));
    let (lane, told) = lane(&dir);
    for ticket in 1..=20 {
        lane.ask(ticket, vec![report(); 200]);
    }
    lane.ask(21, vec![report(), report()]);
    let mut last = 0;
    loop {
        let reply = next(&told);
        assert!(reply.ticket >= last, "an answer to what was withdrawn");
        last = reply.ticket;
        assert!(matches!(reply.told, Ok(Told::Report(_))));
        if (reply.ticket, reply.left) == (21, 0) {
            break;
        }
    }
    drop(lane);
    assert!(told.recv_timeout(Duration::from_secs(60)).is_err(), "the thread ends with its lane");
}

#[test]
fn a_history_is_opened_when_there_is_one_and_anew_when_it_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("femtosnitch.db");
    let (lane, told) = lane(&dir);
    lane.ask(1, vec![report(), report()]);
    let reply = next(&told);
    assert!(matches!(&reply.told, Err(Trouble::History(why)) if why.contains("no history")));
    assert_eq!(reply.left, 0, "one complaint is enough");
    history::write(&path);
    lane.ask(2, vec![report()]);
    let answers = |reply: Reply| match reply.told {
        Ok(Told::Report(report)) => report.answers.len(),
        other => panic!("{other:?}"),
    };
    assert!(answers(next(&told)) > 5);
    for name in ["femtosnitch.db", "femtosnitch.db-wal", "femtosnitch.db-shm"] {
        std::fs::remove_file(dir.path().join(name)).ok();
    }
    drop(femtosnitch_store::Writer::open(&path, &femtosnitch_store::Options::default()).unwrap());
    lane.ask(3, vec![report()]);
    assert_eq!(answers(next(&told)), 0);
    let wrong =
        Query { filters: vec!["user=nobody by this name".parse().unwrap()], ..Query::default() };
    lane.ask(4, vec![Question::Tree(wrong)]);
    assert!(matches!(next(&told).told, Err(Trouble::Question(why)) if why.contains("no user")));
}
