//! Where addresses are: asked seldom, stored once, kept as it was, forgotten with them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use common::*;
use femtosnitch_model::Location;
use femtosnitch_model::NameSource;
use femtosnitch_model::Row;
use femtosnitch_store::Batch;
use femtosnitch_store::Dimension;
use femtosnitch_store::Key;
use femtosnitch_store::Locate;
use femtosnitch_store::Options;
use femtosnitch_store::Reader;
use femtosnitch_store::Sink;

const DAY: i64 = 86_400;

/// Everything is in one country until told otherwise.
#[derive(Debug, Default)]
struct World {
    country: &'static str,
    news: bool,
    asked: Vec<IpAddr>,
}

impl Locate for World {
    fn refresh(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    fn locate(&mut self, addr: IpAddr) -> Location {
        self.asked.push(addr);
        let country = if addr.is_loopback() { "(loopback)" } else { self.country };
        Location { country: country.into(), asn: 64_496, org: "Example".into() }
    }
}

fn sink(path: &Path, country: &'static str) -> (Sink, Arc<Mutex<World>>) {
    let world = Arc::new(Mutex::new(World { country, ..World::default() }));
    let options = Options { locator: Some(Arc::clone(&world) as _), ..Options::default() };
    (Sink::open(path, &options, 1_000).unwrap().0, world)
}

fn to(contime: i64, raddr: &str) -> Row {
    let raddr = Some(raddr.parse().unwrap());
    Row { laddr: None, raddr, ..row(contime, &exe(1, "/bin/a", sha(1))) }
}

fn push(sink: &mut Sink, rows: Vec<Row>) {
    assert_eq!(sink.push(Batch { rows, ..Batch::default() }).waiting, None);
}

/// Bytes sent by what the traffic is grouped by.
fn sent(path: &Path, dimensions: &[Dimension], filters: &[&str]) -> Vec<(String, u64)> {
    let query = femtosnitch_store::Query { by: dimensions.to_vec(), ..filtered(filters) };
    let shown = |keys: &[Key]| {
        let texts = keys.iter().map(|key| match key {
            Key::Text(text) => text.clone(),
            Key::Number(number) => number.to_string(),
        });
        texts.collect::<Vec<_>>().join(" ")
    };
    let mut all: Vec<_> =
        ask(path, &query).iter().map(|answer| (shown(&answer.keys), answer.send)).collect();
    all.sort();
    all
}

fn of(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(text, sent)| ((*text).to_owned(), *sent)).collect()
}

#[test]
fn new_answers_are_for_new_traffic() {
    use Dimension::{Asn, Country, Org, Raddr};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let (mut sink, world) = sink(&path, "DE");
    push(&mut sink, vec![to(10, "8.8.8.8"), to(10, "127.0.0.1"), to(11, "8.8.8.8")]);
    assert_eq!(world.lock().unwrap().asked.len(), 2, "once for each");
    push(&mut sink, vec![to(12, "8.8.8.8")]);
    assert_eq!(world.lock().unwrap().asked.len(), 2);
    {
        let mut world = world.lock().unwrap();
        (world.country, world.news) = ("FR", true);
    }
    push(&mut sink, vec![to(13, "8.8.8.8")]);
    assert_eq!(sent(&path, &[Country], &[]), of(&[("(loopback)", 100), ("DE", 300), ("FR", 100)]));
    assert_eq!(sent(&path, &[Country], &["country=fr"]), of(&[("FR", 100)]));
    assert_eq!(sent(&path, &[Asn, Org], &["asn=64496"]), of(&[("AS64496 Example", 500)]));
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.operator(64_496).unwrap(), "Example");
    assert_eq!(reader.operator(1).unwrap(), "");
    // It is one address all the same.
    let once = of(&[("127.0.0.1", 100), ("8.8.8.8", 400)]);
    assert_eq!(sent(&path, &[Raddr], &[]), once);
    assert_eq!(sent(&path, &[Raddr], &["raddr=8.8.8.8"]), once[1..]);
    assert_eq!(sent(&path, &[Raddr], &["raddr=8.0.0.0/8"]), once[1..]);
    // What comes back is not stored again.
    {
        let mut world = world.lock().unwrap();
        (world.country, world.news) = ("DE", true);
    }
    push(&mut sink, vec![to(14, "8.8.8.8")]);
    assert_eq!(number(&path, "SELECT count(*) FROM addresses WHERE id <> 0"), 3);
    assert_eq!(number(&path, "SELECT count(*) FROM locations WHERE id <> 0"), 3);
    drop(sink);
    assert_sound(&path);
}

#[test]
fn without_a_locator_nothing_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    open(&path).write(&rows(vec![to(10, "8.8.8.8")])).unwrap();
    assert_eq!(sent(&path, &[Dimension::Country, Dimension::Asn], &[]), of(&[(" ", 100)]));
    // As for traffic of versions that did not ask: later answers are not for it.
    let (mut sink, _world) = sink(&path, "DE");
    push(&mut sink, vec![to(11, "8.8.8.8")]);
    assert_eq!(sent(&path, &[Dimension::Country], &[]), of(&[("", 100), ("DE", 100)]));
    assert_eq!(sent(&path, &[Dimension::Raddr], &[]), of(&[("8.8.8.8", 200)]));
    assert_eq!(sent(&path, &[], &["country="]), of(&[("", 100)]));
    assert_eq!(sent(&path, &[], &["asn!="]), of(&[("", 100)]));
}

#[test]
fn locations_are_forgotten_after_their_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let (mut sink, world) = sink(&path, "DE");
    push(&mut sink, vec![to(10, "8.8.8.8"), to(10, "8.8.4.4")]);
    {
        let mut world = world.lock().unwrap();
        (world.country, world.news) = ("FR", true);
    }
    push(&mut sink, vec![to(100 * DAY, "8.8.8.8"), to(100 * DAY, "127.0.0.1")]);
    // An address still in use keeps its location in use, day by day.
    for day in 101..150 {
        push(&mut sink, vec![to(day * DAY + 1, "8.8.8.8")]);
    }
    drop(sink);
    assert_sound(&path);
    let mut writer = open(&path);
    let steps = (0..1_000).map(|_| writer.expire(50 * DAY, 1).unwrap());
    assert!(steps.into_iter().any(|step| step.done));
    assert_eq!(number(&path, "SELECT count(*) FROM addresses WHERE id <> 0"), 2);
    assert_eq!(number(&path, "SELECT count(*) FROM locations WHERE country = 'DE'"), 0);
    let steps = (0..1_000).map(|_| writer.expire(120 * DAY, 1).unwrap());
    assert!(steps.into_iter().any(|step| step.done));
    assert_eq!(sent(&path, &[Dimension::Country], &[]).len(), 1);
    assert_eq!(number(&path, "SELECT count(*) FROM locations WHERE id <> 0"), 1);
    drop(writer);
    assert_sound(&path);
}

#[test]
fn outsiders_read_how_a_name_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    for (at, source) in NameSource::all().enumerate() {
        let contime = i64::try_from(at).unwrap();
        writer.write(&rows(vec![Row { name_source: source, ..to(contime, "8.8.8.8") }])).unwrap();
        let named = format!("contime = {at} AND name_source = '{source}'");
        assert_eq!(number(&path, &format!("SELECT count(*) FROM connections WHERE {named}")), 1);
        let filter = format!("namesource={source}");
        assert_eq!(sent(&path, &[], &[&filter]), of(&[("", 100)]));
    }
}
