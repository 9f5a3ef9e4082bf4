//! Program runs and where they ran, stored once and referred to by number.

use std::sync::Arc;

use femtosnitch_model::Executable;
use femtosnitch_model::Launch;
use femtosnitch_model::Place;
use femtosnitch_model::Row;
use femtosnitch_model::program_path;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

use crate::classify::Sql;
use crate::intern::Interning;
use crate::intern::Seen;
use crate::intern::remember;
use crate::intern::round_up;
use crate::programs::Ran;

/// Launches above each other that are stored. The kernel's chain has no end (a program may launch
/// itself for ever), and all of it is touched once an hour and drawn as a tree.
pub(crate) const MAX_DEPTH: i64 = 48;
/// Further up nobody looks: chains that were joined later may be longer than [`MAX_DEPTH`].
pub(crate) const MAX_CLIMB: usize = 60;

/// A run that the database has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    id: i64,
    last: i64,
    depth: i64,
    /// Its parent is stored, or never will be.
    rooted: bool,
    /// 0 while none is known.
    script: i64,
    place: i64,
    /// It moved bytes itself, and its program knows.
    networked: bool,
}

/// What a row of traffic refers to of the run that moved its bytes; zeros where that is none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mover {
    pub(crate) id: i64,
    pub(crate) place: i64,
    pub(crate) script: i64,
}

/// What the row of a run refers to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Refers {
    pub(crate) exe: i64,
    pub(crate) script: i64,
    pub(crate) parent: i64,
    pub(crate) place: i64,
}

/// A run's row as it was found.
#[derive(Debug, Clone, Copy)]
struct Stored {
    id: i64,
    last: i64,
    depth: i64,
    refers: Refers,
}

impl Interning<'_> {
    /// The run that moved a row's bytes, stored with all it descends from; none if the row stands
    /// for several.
    pub(crate) fn process(&mut self, tx: &Transaction<'_>, row: &Row, exe: i64) -> Sql<Mover> {
        let (lineage, contime) = (&row.lineage, row.contime);
        if lineage.is_empty() {
            self.networked(tx, &row.container, &row.exe.image, (exe, 0, contime))?;
            return Ok(Mover::default());
        }
        // What is covered covers all above it.
        let mut todo = Vec::new();
        let mut above = None;
        let mut launches = lineage.iter();
        while let Some(launch) = launches.next() {
            let is_last = launches.clone().next().is_none();
            above = self.covered(launch, is_last, contime, todo.is_empty());
            if above.is_some() {
                break;
            }
            todo.push(launch);
        }
        while let Some(launch) = todo.pop() {
            above = Some(self.store(tx, launch, above, contime, todo.is_empty())?);
        }
        Ok(above.map_or_else(Mover::default, |run| Mover {
            id: run.id,
            place: run.place,
            script: run.script,
        }))
    }

    /// The run of a launch, if there is nothing to write about it or what is above.
    fn covered(
        &self,
        launch: &Launch,
        is_last: bool,
        contime: i64,
        networked: bool,
    ) -> Option<Run> {
        let run = self.interner.processes.get(&launch.process.key)?;
        let covered = contime <= run.last
            && (run.rooted || is_last)
            && (run.script != 0 || launch.script.is_none())
            && (run.networked || !networked);
        covered.then_some(*run)
    }

    fn store(
        &mut self,
        tx: &Transaction<'_>,
        launch: &Launch,
        parent: Option<Run>,
        contime: i64,
        own: bool,
    ) -> Sql<Run> {
        let process = &launch.process;
        let exe = self.executable(tx, &launch.exe, contime)?;
        let script = self.executable_or_none(tx, launch.script.as_ref(), contime)?;
        let place = self.place(tx, &process.place, contime)?;
        // One more above would be too many.
        let usable = parent.filter(|parent| parent.depth + 1 < MAX_DEPTH);
        let now = Refers { exe, script, parent: usable.map_or(0, |parent| parent.id), place };
        let last = round_up(contime);
        let boot = self.boot(tx)?;
        let found = self.find(tx, boot, launch)?;
        let (id, kept, depth) = match found {
            Some(stored) => {
                let kept = improve(tx, stored.refers, now)?;
                let depth = match usable {
                    Some(parent) if kept.parent == parent.id => parent.depth + 1,
                    _ if kept.parent == 0 => 0,
                    _ => stored.depth,
                };
                if kept != stored.refers || depth != stored.depth || last > stored.last {
                    update(tx, stored.id, kept, depth, last)?;
                }
                if kept != now || kept != stored.refers {
                    // The row may be late, and the run known for later traffic.
                    let last = last.max(stored.last);
                    touch_names(tx, kept, last)?;
                    touch_above(tx, kept.parent, last)?;
                }
                (stored.id, kept, depth)
            }
            None => {
                let depth = usable.map_or(0, |parent| parent.depth + 1);
                (insert(tx, boot, launch, now, depth, last)?, now, depth)
            }
        };
        let before = found.map_or_else(Refers::default, |stored| stored.refers);
        self.tell(tx, launch, &launch.exe, (kept.exe, before.exe), (id, contime, own))?;
        if let Some(script) = &launch.script {
            self.tell(tx, launch, script, (kept.script, before.script), (id, contime, own))?;
        }
        let rooted = kept.parent != 0 || parent.is_some();
        let earlier = self.interner.processes.get(&process.key);
        let networked = own || earlier.is_some_and(|run| run.networked);
        let (script, place) = (kept.script, kept.place);
        let run = Run { id, last, depth, rooted, script, place, networked };
        remember(&mut self.interner.processes, process.key, run);
        Ok(run)
    }

    /// What a run says of the program that it, or its interpreter, runs. `exe` is its executable
    /// in the database now, and before.
    fn tell(
        &mut self,
        tx: &Transaction<'_>,
        launch: &Launch,
        executable: &Executable,
        (exe, before): (i64, i64),
        (process, at, own): (i64, i64, bool),
    ) -> Sql<()> {
        let (image, realm) = (&executable.image, &launch.process.place.realm);
        if own {
            self.networked(tx, realm, image, (exe, process, at))?;
        }
        if self.program(tx, realm, image, at)?.is_none() || exe == before {
            return Ok(());
        }
        let digest = self.known.improve(image.id, executable.digest);
        let path: Arc<str> = program_path(&image.path).into();
        let launched = launch.process.executed;
        let ran = Ran { realm: Arc::clone(realm), path, launched, at, process };
        self.launched(tx, image, digest, exe, ran)
    }

    fn find(&self, tx: &Transaction<'_>, boot: i64, launch: &Launch) -> Sql<Option<Stored>> {
        let key = launch.process.key;
        tx.prepare_cached(
            "SELECT id, last_seen, depth,
               coalesce((SELECT e.id FROM executables AS e WHERE e.id = exe_id), 0),
               coalesce((SELECT e.id FROM executables AS e WHERE e.id = script_id), 0),
               coalesce((SELECT l.id FROM places AS l WHERE l.id = place_id), 0),
               coalesce((SELECT above.id FROM processes AS above WHERE above.id = below.parent_id), 0)
             FROM processes AS below
             WHERE boot = ?1 AND start_ns = ?2 AND pid = ?3 AND exec_id = ?4",
        )?
        .query_row(params![boot, start(launch), key.tgid, key.exec_id], |row| {
            let refers = Refers {
                exe: row.get(3)?,
                script: row.get(4)?,
                place: row.get(5)?,
                parent: row.get(6)?,
            };
            Ok(Stored { id: row.get(0)?, last: row.get(1)?, depth: row.get(2)?, refers })
        })
        .optional()
    }

    /// Id of where a program ran; 0 if that says nothing.
    fn place(&mut self, tx: &Transaction<'_>, place: &Arc<Place>, contime: i64) -> Sql<i64> {
        let Place { container, unit, app, realm } = &**place;
        if [container, unit, app, realm].iter().all(|text| text.is_empty()) {
            return Ok(0);
        }
        if let Some(seen) = self.interner.places.get(place)
            && contime <= seen.last
        {
            return Ok(seen.id);
        }
        let container = self.interner.container(tx, container, contime)?;
        let last = round_up(contime);
        let id = tx
            .prepare_cached(
                "INSERT INTO places(container_id, unit, app, realm, last_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT(unit, container_id, app, realm)
                   DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)
                 RETURNING id",
            )?
            .query_row(params![container, unit, app, realm, last], |row| row.get(0))?;
        remember(&mut self.interner.places, Arc::clone(place), Seen { id, first: 0, last });
        Ok(id)
    }

    /// Number of this boot of the machine.
    fn boot(&mut self, tx: &Transaction<'_>) -> Sql<i64> {
        if let Some(id) = self.interner.boot {
            return Ok(id);
        }
        let found = tx
            .prepare_cached("SELECT id FROM boots WHERE boot_id = ?1")?
            .query_row([self.boot], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                tx.prepare_cached("INSERT INTO boots(boot_id) VALUES (?1)")?
                    .execute([self.boot])?;
                tx.last_insert_rowid()
            }
        };
        self.interner.boot = Some(id);
        Ok(id)
    }
}

fn start(launch: &Launch) -> i64 {
    i64::try_from(launch.process.key.start_ns).unwrap_or(i64::MAX)
}

fn insert(
    tx: &Transaction<'_>,
    boot: i64,
    launch: &Launch,
    refers: Refers,
    depth: i64,
    last: i64,
) -> Sql<i64> {
    let process = &launch.process;
    tx.prepare_cached(
        "INSERT INTO processes(boot, pid, exec_id, start_ns, launched, exe_id, script_id, parent_id,
           place_id, uid, login_uid, session, last_seen, depth)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        boot,
        process.key.tgid,
        process.key.exec_id,
        start(launch),
        process.launched,
        refers.exe,
        refers.script,
        refers.parent,
        refers.place,
        process.uid,
        process.login_uid,
        process.session,
        last,
        depth,
    ])?;
    Ok(tx.last_insert_rowid())
}

fn update(tx: &Transaction<'_>, id: i64, refers: Refers, depth: i64, last: i64) -> Sql<()> {
    tx.prepare_cached(
        "UPDATE processes SET exe_id = ?2, script_id = ?3, parent_id = ?4, place_id = ?5,
           depth = ?6, last_seen = max(last_seen, ?7)
         WHERE id = ?1",
    )?
    .execute([id, refers.exe, refers.script, refers.parent, refers.place, depth, last])?;
    Ok(())
}

/// What was known first stays, since it was seen from nearer, unless it was not known.
fn improve(tx: &Transaction<'_>, stored: Refers, now: Refers) -> Sql<Refers> {
    let or = |stored, now| if stored == 0 { now } else { stored };
    Ok(Refers {
        exe: better(tx, stored.exe, now.exe)?,
        script: better(tx, stored.script, now.script)?,
        parent: or(stored.parent, now.parent),
        place: or(stored.place, now.place),
    })
}

/// The stored executable, unless it has no digest and the other may have one.
fn better(tx: &Transaction<'_>, stored: i64, now: i64) -> Sql<i64> {
    if stored == now || now == 0 {
        return Ok(stored);
    }
    let is_known = |id: i64, known: &str| {
        tx.prepare_cached(known)?
            .query_row([id], |row| row.get(0))
            .optional()
            .map(Option::unwrap_or_default)
    };
    let known: bool =
        is_known(stored, "SELECT sha256 NOT LIKE '(%' FROM executables WHERE id = ?1")?;
    let hopeful: bool = is_known(
        now,
        "SELECT sha256 = '(pending)' OR sha256 NOT LIKE '(%' FROM executables WHERE id = ?1",
    )?;
    Ok(if stored == 0 || (!known && hopeful) { now } else { stored })
}

/// Keeps ancestors that only the history knows as long as their descendants.
pub(crate) fn touch_above(tx: &Transaction<'_>, mut id: i64, last: i64) -> Sql<()> {
    for _ in 0..MAX_CLIMB {
        let found = tx
            .prepare_cached(
                "SELECT exe_id, script_id, place_id, parent_id FROM processes
                 WHERE id = ?1 AND id <> 0 AND last_seen < ?2",
            )?
            .query_row([id, last], |row| {
                Ok(Refers {
                    exe: row.get(0)?,
                    script: row.get(1)?,
                    place: row.get(2)?,
                    parent: row.get(3)?,
                })
            })
            .optional()?;
        let Some(refers) = found else { return Ok(()) };
        tx.prepare_cached("UPDATE processes SET last_seen = ?2 WHERE id = ?1")?
            .execute([id, last])?;
        touch_names(tx, refers, last)?;
        id = refers.parent;
    }
    Ok(())
}

pub(crate) fn touch_names(tx: &Transaction<'_>, refers: Refers, last: i64) -> Sql<()> {
    for id in [refers.exe, refers.script] {
        tx.prepare_cached(
            "UPDATE executables SET last_seen = ?2 WHERE id = ?1 AND id <> 0 AND last_seen < ?2",
        )?
        .execute([id, last])?;
    }
    tx.prepare_cached(
        "UPDATE places SET last_seen = ?2 WHERE id = ?1 AND id <> 0 AND last_seen < ?2",
    )?
    .execute([refers.place, last])?;
    tx.prepare_cached(
        "UPDATE containers SET last_seen = ?2
         WHERE id = (SELECT container_id FROM places WHERE id = ?1) AND id <> 0 AND last_seen < ?2",
    )?
    .execute([refers.place, last])?;
    Ok(())
}
