//! Whether what is stored agrees with itself: rows, sums, and what they refer to.

mod bucket;
mod day;
mod refer;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use serde::Serialize;

use crate::Cancel;
use crate::Reader;
use crate::StoreError;
use crate::ask::Stop;
use crate::classify::At;
use crate::classify::Sql;
use crate::rollups;
use crate::rollups::Floors;
use crate::rollups::Level;
use refer::Known;

/// Findings that are told one by one.
const MOST_FINDINGS: usize = 1_000;
const DAY: i64 = Level::Day.span();

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Blocks and sums that were read.
    pub done: u64,
    /// Of about so many.
    pub total: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The time that it concerns begins at this unix second; `None`: no time.
    pub since: Option<i64>,
    /// And ends before this one.
    pub until: Option<i64>,
    /// What is wrong, in words.
    pub what: String,
}

/// What [`Reader::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Rows that were read.
    pub rows: u64,
    /// Blocks that they are in.
    pub blocks: u64,
    /// Sums of a minute, an hour or a day that were read.
    pub sums: u64,
    /// What is wrong; nothing if all is well.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more: u64,
}

impl Verdict {
    /// True if nothing is wrong.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, time: Option<(i64, i64)>, what: String) {
        find((&mut self.findings, &mut self.more), time, what);
    }
}

/// Adds a finding, or counts it if there are many.
pub(crate) fn find(
    (findings, more): (&mut Vec<Finding>, &mut u64),
    time: Option<(i64, i64)>,
    what: String,
) {
    if findings.len() >= MOST_FINDINGS {
        *more += 1;
        return;
    }
    let (since, until) = time.map_or((None, None), |(since, until)| (Some(since), Some(until)));
    findings.push(Finding { since, until, what });
}

impl Reader {
    /// Adds up all rows again and compares that with the sums that are kept; where rows are gone,
    /// sums of minutes, hours and days with each other. Looks whether everything can be read and
    /// what it refers to is there; with `whole_file`, has SQLite look at every page as well. It
    /// takes some 20 µs a row, and memory for 250,000 cells and the numbers of all there is; the
    /// daemon may write meanwhile, as each day is looked at as it is then.
    ///
    /// # Errors
    /// As [`Reader::open`], but for damage, which is a finding; and [`StoreError::Cancelled`].
    pub fn verify(
        &self,
        whole_file: bool,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Verdict, StoreError> {
        let mut verdict = Verdict::default();
        if whole_file {
            self.look(&mut verdict, "the file", pages)?;
        }
        self.look(&mut verdict, "what rows refer to", refer::tables)?;
        self.look(&mut verdict, "the number of rows", count)?;
        self.look(&mut verdict, "rows that are in no sum yet", day::waiting)?;
        let total = self.consistently(pieces).unwrap_or(0);
        let mut from = i64::MIN;
        loop {
            if cancel.is_cancelled() {
                return Err(StoreError::Cancelled);
            }
            let tx = self.begin()?;
            let day = match next_day(&tx, from).at(self.path()) {
                Ok(Some(day)) => day,
                Ok(None) => break,
                Err(error) => {
                    told(&mut verdict, "the list of sums and blocks", error)?;
                    break;
                }
            };
            let looked = Known::read(&tx).map_err(Stop::from).and_then(|known| {
                let floors = Floors::read(&tx)?;
                day::check(&tx, day, &floors, &known, &mut verdict, cancel)
            });
            match looked {
                Ok(()) => {}
                Err(Stop::Sql(error)) => match Err::<(), _>(error).at(self.path()) {
                    Err(error) if error.is_corruption() => {
                        let what = format!("cannot be read to its end: {error}");
                        verdict.find(Some((day, day.saturating_add(DAY))), what);
                    }
                    other => return other.map(|()| verdict),
                },
                Err(_) => return Err(StoreError::Cancelled),
            }
            let done = verdict.blocks.saturating_add(verdict.sums);
            progress(Progress { done: done.min(total), total });
            from = day.saturating_add(DAY);
        }
        Ok(verdict)
    }

    /// Runs one look at the database; damage is a finding.
    fn look(
        &self,
        verdict: &mut Verdict,
        what: &str,
        look: impl FnOnce(&Connection, &mut Verdict) -> Sql<()>,
    ) -> Result<(), StoreError> {
        match self.consistently(|conn| look(conn, verdict)).at(self.path()) {
            Ok(()) => Ok(()),
            Err(error) => told(verdict, what, error),
        }
    }
}

fn told(verdict: &mut Verdict, what: &str, error: StoreError) -> Result<(), StoreError> {
    if !error.is_corruption() {
        return Err(error);
    }
    verdict.find(None, format!("{what} cannot be read: {error}"));
    Ok(())
}

/// What SQLite says of the file.
fn pages(conn: &Connection, verdict: &mut Verdict) -> Sql<()> {
    let mut stmt = conn.prepare("PRAGMA integrity_check(100)")?;
    let mut lines = stmt.query([])?;
    while let Some(line) = lines.next()? {
        let line: String = line.get(0)?;
        if line != "ok" {
            verdict.find(None, format!("SQLite says of the file: {line}"));
        }
    }
    Ok(())
}

fn count(conn: &Connection, verdict: &mut Verdict) -> Sql<()> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let noted = number("SELECT coalesce(max(value), -1) FROM totals WHERE name = 'rows'")?;
    let found = number("SELECT coalesce(sum(rows), 0) FROM blocks")?;
    if noted != found {
        verdict.find(None, format!("{noted} rows should be there, {found} are"));
    }
    Ok(())
}

/// Blocks and sums, as far as that is quickly known.
fn pieces(conn: &Connection) -> Sql<u64> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let all = number("SELECT count(*) FROM blocks")? + number("SELECT count(*) FROM rollups")?;
    Ok(u64::try_from(all).unwrap_or(0))
}

/// The first day from `from` on of which there is anything in blocks or sums.
fn next_day(conn: &Connection, from: i64) -> Sql<Option<i64>> {
    let first = |sql: &str, from: i64, to: i64| {
        conn.prepare_cached(sql)?.query_row([from, to], |row| row.get::<_, i64>(0)).optional()
    };
    let mut begins = vec![first(
        "SELECT first FROM blocks WHERE sealed = 1 AND first >= ?1 AND first < ?2
           ORDER BY first LIMIT 1",
        from,
        i64::MAX,
    )?];
    for level in Level::ALL {
        for cube in level.lasting().iter().chain(level.passing()) {
            let keys = rollups::keys(level, *cube, &(from..i64::MAX));
            let key = first(
                "SELECT key FROM rollups WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT 1",
                keys.start,
                keys.end,
            )?;
            begins.push(key.map(rollups::start));
        }
    }
    let first = begins.into_iter().flatten().min();
    Ok(first.map(|first| first.div_euclid(DAY).saturating_mul(DAY)))
}
