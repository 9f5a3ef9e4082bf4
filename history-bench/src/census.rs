//! How many different things a history has in a minute, an hour, a day: what decides how well
//! rows can be summed up.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::hash::BuildHasherDefault;
use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher;

use femtosnitch_model::Executable;
use femtosnitch_model::Row;

/// Lengths of the periods that are counted, with their names.
const PERIODS: [(i64, &str); 4] =
    [(60, "minute"), (3_600, "hour"), (86_400, "day"), (i64::MAX, "all")];

/// Counts while rows pass.
#[derive(Debug)]
pub struct Census {
    things: Vec<Thing>,
    rows: u64,
}

/// What tells two things apart.
type Key = fn(&Row) -> u64;

/// Something that is counted.
#[derive(Debug)]
struct Thing {
    name: &'static str,
    key: Key,
    periods: Vec<Period>,
}

/// The different ones of the period that lasts, and how many those before had.
#[derive(Debug)]
struct Period {
    length: i64,
    name: &'static str,
    at: i64,
    now: HashSet<u64, BuildHasherDefault<Plain>>,
    counts: Vec<usize>,
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

fn hash(write: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    write(&mut hasher);
    hasher.finish()
}

fn actor(row: &Row) -> u64 {
    hash(|to| {
        row.exe.image.id.hash(to);
        let id = |it: &Option<Executable>| it.as_ref().map(|it| it.image.id);
        (id(&row.parent), id(&row.grandparent)).hash(to);
        row.uid.hash(to);
        if let Some(launch) = row.lineage.first() {
            launch.process.place.hash(to);
        }
    })
}

fn program(row: &Row) -> u64 {
    hash(|to| row.exe.image.id.hash(to))
}

fn run(row: &Row) -> u64 {
    hash(|to| row.lineage.first().map(|launch| launch.process.key).hash(to))
}

fn remote(row: &Row) -> u64 {
    hash(|to| (row.raddr, row.rport, &row.domain, row.protocol, row.laddr).hash(to))
}

fn address(row: &Row) -> u64 {
    hash(|to| (row.raddr, &row.domain).hash(to))
}

fn pair(row: &Row) -> u64 {
    hash(|to| (actor(row), remote(row)).hash(to))
}

fn conversation(row: &Row) -> u64 {
    hash(|to| (run(row), remote(row), row.lport).hash(to))
}

impl Default for Census {
    fn default() -> Self {
        let things: [(_, Key); 7] = [
            ("actor = (exe with command line, parent, grandparent, uid, place)", actor),
            ("exe with command line and version", program),
            ("program run", run),
            ("remote = (raddr, rport, domain, protocol, laddr)", remote),
            ("(raddr, domain)", address),
            ("(actor, remote)", pair),
            ("(run, remote, lport)", conversation),
        ];
        let period = |(length, name)| Period {
            length,
            name,
            at: i64::MIN,
            now: HashSet::default(),
            counts: Vec::new(),
        };
        let thing = |(name, key)| Thing { name, key, periods: PERIODS.map(period).into() };
        Self { things: things.map(thing).into(), rows: 0 }
    }
}

impl Census {
    /// Counts a row; they have to come in the order of time.
    pub fn count(&mut self, row: &Row) {
        self.rows += 1;
        for thing in &mut self.things {
            let key = (thing.key)(row);
            for period in &mut thing.periods {
                let at = row.contime / period.length;
                if at != period.at {
                    period.close();
                    period.at = at;
                }
                period.now.insert(key);
            }
        }
    }

    /// A table, in Markdown.
    #[must_use]
    pub fn table(mut self) -> String {
        let mut text = format!(
            "{} rows. Different ones per period, of the periods that have any:\n\n\
             | what | per | mean | median | p95 | max | rows each |\n\
             |---|---|---:|---:|---:|---:|---:|\n",
            self.rows
        );
        for thing in &mut self.things {
            for period in &mut thing.periods {
                period.close();
                period.counts.sort_unstable();
                let counts = &period.counts;
                let at = |share: usize| {
                    let last = counts.len().saturating_sub(1);
                    counts.get(last * share / 100).copied().unwrap_or(0)
                };
                let sum: usize = counts.iter().sum();
                // Writing to a String cannot fail.
                writeln!(
                    text,
                    "| {} | {} | {:.1} | {} | {} | {} | {:.2} |",
                    thing.name,
                    period.name,
                    sum as f64 / counts.len().max(1) as f64,
                    at(50),
                    at(95),
                    at(100),
                    self.rows as f64 / sum.max(1) as f64,
                )
                .ok();
            }
        }
        text
    }
}

impl Period {
    fn close(&mut self) {
        if !self.now.is_empty() {
            self.counts.push(self.now.len());
            self.now.clear();
        }
    }
}
