//! Programs as paths that last: when one moved bytes first, and when its contents changed.

use std::collections::HashMap;
use std::sync::Arc;

use femtosnitch_model::Digest;
use femtosnitch_model::Image;
use femtosnitch_model::ImageId;
use femtosnitch_model::Sha256;
use femtosnitch_model::program_path;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

use crate::classify::Sql;
use crate::events;
use crate::events::Told;
use crate::intern::Interning;
use crate::intern::remember;
use crate::intern::round_up;

/// A launch this much later than what tells of it was noted by a clock that has been set back
/// since.
const SET_BACK: i64 = 3_600;
/// Realms in which one image may wait for its digest. An image of more is rare, and more cost
/// memory.
const MAX_REALMS: usize = 16;

/// One run of a program, as far as it matters for what the program contains.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    pub(crate) realm: Arc<str>,
    /// As [`program_path`] has it.
    pub(crate) path: Arc<str>,
    pub(crate) launched: i64,
    /// Second of the traffic that told of it.
    pub(crate) at: i64,
    pub(crate) process: i64,
}

/// Runs whose executable has no digest yet, by image: the latest in each realm.
#[derive(Debug, Clone, Default)]
pub(crate) struct Undecided(HashMap<ImageId, Vec<Ran>>);

impl Undecided {
    /// False if there is no room for it.
    fn wait(&mut self, image: ImageId, ran: Ran) -> bool {
        let runs = self.0.entry(image).or_default();
        if let Some(earlier) = runs.iter_mut().find(|earlier| earlier.realm == ran.realm) {
            if earlier.launched <= ran.launched {
                *earlier = ran;
            }
            return true;
        }
        let room = runs.len() < MAX_REALMS;
        if room {
            runs.push(ran);
        }
        room
    }

    pub(crate) fn take(&mut self, image: ImageId) -> Vec<Ran> {
        self.0.remove(&image).unwrap_or_default()
    }

    /// Processes may be gone from the history: the runs are those of nobody.
    pub(crate) fn forget_processes(&mut self) {
        for ran in self.0.values_mut().flatten() {
            ran.process = 0;
        }
    }
}

/// A program that the database has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    pub(crate) id: i64,
    last: i64,
    /// It is known to have moved bytes.
    networked: bool,
}

impl Interning<'_> {
    /// The program that an image is a version of; `None` if it is of none, as `(kernel)`.
    pub(crate) fn program(
        &mut self,
        tx: &Transaction<'_>,
        realm: &Arc<str>,
        image: &Image,
        contime: i64,
    ) -> Sql<Option<Program>> {
        if image.path.is_empty() || image.path.starts_with('(') {
            return Ok(None);
        }
        let key = (image.id, Arc::clone(realm));
        if let Some(program) = self.interner.programs.get(&key)
            && contime <= program.last
        {
            return Ok(Some(*program));
        }
        let (path, last) = (program_path(&image.path), round_up(contime));
        let found = tx
            .prepare_cached("SELECT id FROM programs WHERE path = ?1 AND realm = ?2")?
            .query_row(params![path, realm], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => {
                tx.prepare_cached(
                    "UPDATE programs SET last_seen = max(last_seen, ?2) WHERE id = ?1",
                )?
                .execute([id, last])?;
                id
            }
            None => {
                tx.prepare_cached(
                    "INSERT INTO programs(realm, path, sha256, launched, last_seen)
                     VALUES (?1, ?2, '', 0, ?3)",
                )?
                .execute(params![realm, path, last])?;
                tx.last_insert_rowid()
            }
        };
        let program = Program { id, last, networked: false };
        remember(&mut self.interner.programs, key, program);
        Ok(Some(program))
    }

    /// The program moved bytes itself: tells so, if it is the first time.
    pub(crate) fn networked(
        &mut self,
        tx: &Transaction<'_>,
        realm: &Arc<str>,
        image: &Image,
        (exe, process, at): (i64, i64, i64),
    ) -> Sql<()> {
        let Some(program) = self.program(tx, realm, image, at)? else { return Ok(()) };
        if program.networked {
            return Ok(());
        }
        if let Some(program) = self.interner.programs.get_mut(&(image.id, Arc::clone(realm))) {
            program.networked = true;
        }
        let kind = events::FIRST_SEEN;
        let told = Told { kind, at, program: program.id, exe, process, old: "" };
        let first = tx
            .prepare_cached(
                "UPDATE programs SET first_networked = ?2
                 WHERE id = ?1 AND first_networked IS NULL",
            )?
            .execute([program.id, at])?;
        if first > 0 {
            events::tell(tx, &told)?;
            self.report.events += 1;
        }
        Ok(())
    }

    /// A run that was not known before, or not what it ran.
    pub(crate) fn launched(
        &mut self,
        tx: &Transaction<'_>,
        image: &Image,
        digest: Digest,
        exe: i64,
        ran: Ran,
    ) -> Sql<()> {
        match digest {
            Digest::Known(sha256) => {
                self.report.events += u64::from(decide(tx, &ran, exe, sha256)?);
            }
            Digest::Pending if !self.waiting.undecided.wait(image.id, ran) => {
                self.report.undecided += 1;
            }
            Digest::Pending | Digest::Missing(_) => {}
        }
        Ok(())
    }
}

/// Compares a run's contents with those of the newest run known. True if the change was told.
pub(crate) fn decide(tx: &Transaction<'_>, ran: &Ran, exe: i64, sha256: Sha256) -> Sql<bool> {
    let current = tx
        .prepare_cached("SELECT id, sha256, launched FROM programs WHERE path = ?1 AND realm = ?2")?
        .query_row(params![ran.path, ran.realm], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        })
        .optional()?;
    // Forgotten since: nothing to compare with.
    let Some((program, old, newest)) = current else { return Ok(false) };
    let newer = ran.launched >= newest || newest > ran.at.saturating_add(SET_BACK);
    if !newer && !old.is_empty() {
        return Ok(false);
    }
    let sha256 = sha256.to_string();
    if sha256 == old && ran.launched == newest {
        return Ok(false);
    }
    tx.prepare_cached("UPDATE programs SET sha256 = ?2, launched = ?3 WHERE id = ?1")?
        .execute(params![program, sha256, ran.launched])?;
    if old.is_empty() || sha256 == old {
        return Ok(false);
    }
    let told =
        Told { kind: events::CHANGED, at: ran.at, program, exe, process: ran.process, old: &old };
    events::tell(tx, &told)?;
    Ok(true)
}
