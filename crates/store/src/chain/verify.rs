//! Whether the chain is whole, and whether what is stored is what its links vouch for.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use serde::Serialize;

use crate::Cancel;
use crate::Finding;
use crate::Progress;
use crate::Reader;
use crate::StoreError;
use crate::ask::Stop;
use crate::classify::At;
use crate::classify::Sql;
use crate::schema::SCHEMA_VERSION;
use crate::verify;

use super::covers;
use super::items;
use super::items::BLOCKS;
use super::items::Digest;
use super::items::ITEMS;
use super::items::Item;
use super::items::SCHEMA;
use super::items::Together;
use super::items::VERSION;
use super::link;
use super::link::Kind;
use super::link::Link;
use super::words::span;
use super::words::stored_span;
use super::words::tell;
use super::words::which;

/// Peers and blocks: their numbers are never given to others, and they never change.
const LASTING: [u8; 2] = [BLOCKS, 4];

/// A time in which nothing was vouched for, or that a newer version of the program took to bring the
/// history up to date. Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Unvouched {
    /// It was switched off then.
    pub since: i64,
    /// And on again, with all that there was then; `None` if it still is off.
    pub until: Option<i64>,
}

/// What [`Reader::verify_chain`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChainVerdict {
    /// Links that were read.
    pub links: u64,
    /// Rows, blocks of rows and sums that they vouch for.
    pub vouched: u64,
    /// Unix second of the oldest link that is kept.
    pub since: Option<i64>,
    /// The hash of the latest link that will stay.
    pub head: Option<String>,
    /// When it was off.
    pub unvouched: Vec<Unvouched>,
    /// What is wrong; nothing if all is well.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more: u64,
}

impl ChainVerdict {
    /// True if nothing is wrong.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.findings.is_empty()
    }
}

/// What a finding says of a link.
#[derive(Debug, Clone, Copy)]
struct About {
    id: i64,
    time: i64,
    kind: i64,
    since: Option<i64>,
    until: Option<i64>,
}

impl About {
    fn name(&self) -> String {
        let kind = match Kind::of(self.kind) {
            Some(Kind::Batch) => "a batch",
            Some(Kind::Seal) => "rows were sealed",
            Some(Kind::Expire) => "retention",
            Some(Kind::On) => "switched on",
            Some(Kind::Off) => "switched off",
            Some(Kind::Stock) => "what there was when it was switched on",
            Some(Kind::Mark) => "from time to time",
            Some(Kind::Carry) => "in place of older links",
            Some(Kind::Open) => "the history was opened",
            None => "unknown",
        };
        format!("link {} ({kind})", self.id)
    }

    fn span(&self) -> (i64, i64) {
        let since = self.since.unwrap_or(self.time);
        (since, self.until.unwrap_or(self.time).max(since).saturating_add(1))
    }
}

/// The walk along the chain.
#[derive(Default)]
struct Walk {
    links: Vec<About>,
    /// What is vouched for, and the place of its link.
    vouched: HashMap<(u8, i64), (Digest, usize)>,
    version: Option<i64>,
    /// Hash of the last lasting link, and of the last one.
    lasting: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
    /// The links of batches since the last lasting one, if there were any.
    batch: bool,
    off: Vec<Unvouched>,
    head: Option<Vec<u8>>,
    /// Hashes that are what they have to be.
    noted: Vec<(String, bool)>,
    findings: Findings,
}

/// What is wrong.
#[derive(Default)]
struct Findings {
    told: Vec<Finding>,
    more: u64,
}

impl Findings {
    fn find(&mut self, time: Option<(i64, i64)>, what: String) {
        verify::find((&mut self.told, &mut self.more), time, what);
    }
}

impl Reader {
    /// Walks the chain and compares all that it vouches for with what is stored, in one state of
    /// the history; `None` if the history never had a chain. Hashes that were `noted` elsewhere
    /// have to be those of links. It takes some 2 µs a block, sum and party, and 60 bytes for each.
    ///
    /// # Errors
    /// As [`Reader::open`], but for damage, which is a finding; and [`StoreError::Cancelled`].
    pub fn verify_chain(
        &self,
        noted: &[String],
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Option<ChainVerdict>, StoreError> {
        let tx = self.begin()?;
        if !link::exists(&tx).at(self.path())? {
            return Ok(None);
        }
        let noted = noted.iter().map(|hash| (hash.trim().to_ascii_lowercase(), false)).collect();
        let mut walk = Walk { noted, ..Walk::default() };
        let mut vouched = 0;
        let looked = walk.links(&tx, cancel).and_then(|()| {
            vouched = walk.vouched.len();
            walk.compare(&tx, progress, cancel)
        });
        match looked {
            Ok(()) => {}
            Err(Stop::Sql(error)) => match Err::<(), _>(error).at(self.path()) {
                Err(error) if error.is_corruption() => {
                    walk.findings
                        .find(None, format!("the chain cannot be read to its end: {error}"));
                }
                other => return other.map(|()| None),
            },
            Err(_) => return Err(StoreError::Cancelled),
        }
        walk.heads();
        let Findings { told: findings, more } = walk.findings;
        Ok(Some(ChainVerdict {
            links: walk.links.len() as u64,
            vouched: vouched as u64,
            since: walk.links.first().map(|link| link.time),
            head: walk.head.as_deref().map(link::hex),
            unvouched: walk.off,
            findings,
            more,
        }))
    }
}

impl Walk {
    fn links(&mut self, conn: &Connection, cancel: &Cancel) -> Result<(), Stop> {
        // Older links that are gone: what the latest word on them is.
        let carried: Option<(i64, Vec<u8>)> = conn
            .query_row(
                "SELECT origin, before FROM chain WHERE kind = ?1 AND before IS NOT NULL
                 ORDER BY id DESC LIMIT 1",
                [Kind::Carry as i64],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        if let Some((_, before)) = carried {
            (self.lasting, self.last) = (Some(before.clone()), Some(before));
        }
        Link::each(conn, |link| {
            if cancel.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            self.link(link);
            Ok(true)
        })
    }

    fn link(&mut self, link: Link) {
        let kind = Kind::of(link.kind);
        let lasting = kind != Some(Kind::Batch);
        let about = About {
            id: link.id,
            time: link.time,
            kind: link.kind,
            since: link.since,
            until: link.until,
        };
        let earlier = self.links.last().map_or(link.time, |earlier| earlier.time);
        let time = Some((earlier.min(link.time), link.time.saturating_add(1)));
        let previous = if lasting { &self.lasting } else { &self.last };
        let hashed = link.hashed(previous.as_deref().unwrap_or_default());
        let holds = hashed.as_slice() == link.hash;
        if !holds {
            let what = format!(
                "{}: it is not what was written, or links before it were changed or removed",
                about.name()
            );
            self.findings.find(time, what);
        } else if lasting && self.batch && link.tip != self.last {
            let what = format!("{}: batches before it were changed or removed", about.name());
            self.findings.find(time, what);
        }
        if holds {
            let hash = link::hex(&link.hash);
            self.noted.iter_mut().for_each(|(noted, found)| *found |= *noted == hash);
        }
        match kind {
            Some(Kind::On) => {
                self.vouched.clear();
                self.version = None;
                match self.off.last_mut().filter(|off| off.until.is_none()) {
                    Some(off) => off.until = Some(link.time),
                    // Another version of the program brought the history up to date.
                    None if !self.links.is_empty() => {
                        self.off.push(Unvouched { since: earlier, until: Some(link.time) });
                    }
                    None => {}
                }
            }
            Some(Kind::Off) => self.off.push(Unvouched { since: link.time, until: None }),
            Some(_) => {}
            None => self.findings.find(time, format!("{} says nothing known", about.name())),
        }
        self.entries(&link, about, time);
        self.links.push(about);
        if lasting {
            (self.lasting, self.head) = (Some(link.hash.clone()), Some(link.hash.clone()));
        }
        (self.last, self.batch) = (Some(link.hash), !lasting);
    }

    fn entries(&mut self, link: &Link, about: About, time: Option<(i64, i64)>) {
        let at = self.links.len();
        let read = covers::unpack(&link.covers, |(code, key), entry| {
            if code == VERSION {
                self.version = Some(key);
                return;
            }
            if entry.broken {
                let which = which(code, key, None);
                let span = span(code, key).or(Some(about.span()));
                self.findings.find(
                    span,
                    format!("{which} was changed by another program before {}", about.name()),
                );
            }
            // What took over from older links says nothing new.
            if link.origin.is_some_and(|origin| {
                let known = self.vouched.get(&(code, key)).and_then(|(_, at)| self.links.get(*at));
                known.is_some_and(|known| known.id > origin)
            }) {
                return;
            }
            match entry.now {
                Some(digest) => drop(self.vouched.insert((code, key), (digest, at))),
                None => drop(self.vouched.remove(&(code, key))),
            }
        });
        if let Err(error) = read {
            self.findings.find(time, format!("{}: {error}", about.name()));
        }
    }

    /// Compares what is stored.
    fn compare(
        &mut self,
        conn: &Connection,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(), Stop> {
        let off = self.off.last().is_some_and(|off| off.until.is_none());
        if !off && self.version != Some(SCHEMA_VERSION) {
            let what = "the history was made by another version, and is vouched for again once the \
                        daemon has been started";
            self.findings.find(None, what.to_owned());
            return Ok(());
        }
        let total = self.vouched.len() as u64;
        let mut done = 0;
        if let Some((digest, at)) = self.vouched.remove(&(SCHEMA, 0))
            && !off
            && digest != items::schema(conn)?
        {
            let span = self.links.get(at).map(About::span);
            self.findings.find(span, "tables, views or triggers are declared otherwise".to_owned());
        }
        for item in ITEMS.iter().filter(|item| !off || LASTING.contains(&item.code)) {
            let mut stmt = conn.prepare(&item.all())?;
            let mut rows = stmt.query([])?;
            let mut before: Option<(i64, Together)> = None;
            while let Some(row) = rows.next()? {
                if done % 1_024 == 0 {
                    if cancel.is_cancelled() {
                        return Err(Stop::Cancelled);
                    }
                    progress(Progress { done: done.min(total), total });
                }
                done += 1;
                let (key, digest) = (row.get(0)?, row.get(1)?);
                let mut together = Together::default();
                match before {
                    Some((same, rows)) if same == key => together = rows,
                    Some((key, rows)) => self.stored(conn, item, key, rows.0, off)?,
                    None => {}
                }
                together.add(digest);
                before = Some((key, together));
            }
            if let Some((key, rows)) = before {
                self.stored(conn, item, key, rows.0, off)?;
            }
        }
        if !off {
            self.missing();
        }
        Ok(())
    }

    fn stored(
        &mut self,
        conn: &Connection,
        item: &Item,
        key: i64,
        digest: Option<Digest>,
        off: bool,
    ) -> Sql<()> {
        let vouched = self.vouched.remove(&(item.code, key));
        if vouched.map(|(digest, _)| digest) == digest || off && vouched.is_none() {
            return Ok(());
        }
        let which = which(item.code, key, tell(conn, item, key)?);
        let link = vouched.and_then(|(_, at)| self.links.get(at));
        let span = match span(item.code, key) {
            Some(span) => Some(span),
            None => stored_span(conn, item.code, key)?.or(link.map(About::span)),
        };
        let what = match link {
            Some(link) => format!("{which} is not what {} vouches for", link.name()),
            None => format!("{which} is vouched for by no link"),
        };
        self.findings.find(span, what);
        Ok(())
    }

    /// Tells what is vouched for and not there.
    fn missing(&mut self) {
        let mut left: Vec<_> = self.vouched.drain().collect();
        left.sort_unstable_by_key(|(key, (_, at))| (*at, *key));
        for ((code, key), (_, at)) in left {
            let link = self.links.get(at);
            let span = span(code, key).or(link.map(About::span));
            let by = link.map_or_else(String::new, About::name);
            let which = which(code, key, None);
            self.findings.find(span, format!("{which} is gone, though {by} vouches for it"));
        }
    }

    /// Tells which hashes that were noted elsewhere are not those of links.
    fn heads(&mut self) {
        let since = self.links.first().map_or(0, |link| link.id);
        for (noted, found) in std::mem::take(&mut self.noted) {
            if !found {
                self.findings.find(
                    None,
                    format!(
                        "no link has the hash {noted}: what was written until it was noted has \
                         been cut off or replaced (or it was noted before link {since}, the oldest \
                         that is kept)"
                    ),
                );
            }
        }
    }
}
