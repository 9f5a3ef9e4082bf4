//! What numbers in rows stand for, each looked up once for as long as there is room.

use std::collections::HashMap;
use std::sync::Arc;

use femtosnitch_model::Direction;
use femtosnitch_model::Location;
use femtosnitch_model::NameSource;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;

use super::ExportContainer;
use super::ExportExe;
use crate::classify::Sql;
use crate::filter::reversed;

/// Texts kept, in bytes, before all are forgotten.
const ROOM: usize = 16 << 20;
/// About what an entry takes besides its texts.
const ENTRY: usize = 128;

/// A unit and an application.
type Pair = (Arc<str>, Arc<str>);

/// What an actor says.
#[derive(Debug, Clone, Default)]
pub(super) struct Who {
    pub(super) exe: Arc<ExportExe>,
    pub(super) parent: Arc<ExportExe>,
    pub(super) grandparent: Arc<ExportExe>,
    pub(super) uid: u32,
    pub(super) login: Option<u32>,
    pub(super) container: Arc<ExportContainer>,
    pub(super) unit: Arc<str>,
    pub(super) app: Arc<str>,
    pub(super) script: Arc<str>,
    pub(super) package: Arc<str>,
    pub(super) state: Arc<str>,
    pub(super) netns: u32,
    pub(super) laddr: Arc<str>,
}

/// What a peer says.
#[derive(Debug, Clone, Default)]
pub(super) struct Whom {
    pub(super) direction: &'static str,
    pub(super) domain: Arc<str>,
    pub(super) name_source: &'static str,
    pub(super) raddr: Arc<str>,
    pub(super) rport: u16,
    pub(super) location: Location,
    pub(super) lport: u16,
    pub(super) protocol: u16,
    pub(super) family: u16,
    /// Whose port a row says itself ([`crate::parties::Loose`]).
    pub(super) loose: i64,
}

#[derive(Debug, Default)]
pub(super) struct Texts {
    actors: HashMap<i64, Arc<Who>>,
    peers: HashMap<i64, Arc<Whom>>,
    pids: HashMap<i64, u32>,
    exes: HashMap<i64, Arc<ExportExe>>,
    containers: HashMap<i64, Arc<ExportContainer>>,
    domains: HashMap<i64, Arc<str>>,
    addresses: HashMap<i64, (Arc<str>, Location)>,
    bytes: usize,
}

impl Texts {
    /// True once whoever fills it should stop and [`Texts::forget`].
    pub(super) fn is_full(&self) -> bool {
        self.bytes > ROOM
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) fn who(&mut self, conn: &Connection, id: i64) -> Sql<Arc<Who>> {
        if let Some(known) = self.actors.get(&id) {
            return Ok(Arc::clone(known));
        }
        let sql = "SELECT exe_id, pexe_id, gpexe_id, container_id, place_id, script_id, placed,
                     login_uid, laddr_id, uid, netns FROM actors WHERE id = ?1";
        let found = one(conn, sql, [id], |row| {
            let mut ids = [0; 9];
            for (at, id) in ids.iter_mut().enumerate() {
                *id = row.get(at)?;
            }
            Ok((ids, row.get(9)?, row.get(10)?))
        })?;
        let who = match found {
            Some((
                [exe, parent, grandparent, container, place, script, placed, login, laddr],
                uid,
                netns,
            )) => {
                let (unit, app) = self.place(conn, place)?;
                // Without a run the realm is not known, and so the executable.
                let (package, state) =
                    if placed == 0 { Pair::default() } else { self.version(conn, exe, place)? };
                let script = match script {
                    0 => Arc::default(),
                    script => self.exe(conn, script)?.exe.as_str().into(),
                };
                Who {
                    exe: self.exe(conn, exe)?,
                    parent: self.exe(conn, parent)?,
                    grandparent: self.exe(conn, grandparent)?,
                    uid,
                    login: u32::try_from(login).ok(),
                    container: self.container(conn, container)?,
                    unit,
                    app,
                    script,
                    package,
                    state,
                    netns,
                    laddr: self.address(conn, laddr)?.0,
                }
            }
            // A missing row would be damage; the rest is handed out all the same.
            None => Who {
                exe: Arc::new(ExportExe { exe: lost(id), ..ExportExe::default() }),
                ..Who::default()
            },
        };
        self.bytes += ENTRY;
        let who = Arc::new(who);
        self.actors.insert(id, Arc::clone(&who));
        Ok(who)
    }

    pub(super) fn whom(&mut self, conn: &Connection, id: i64) -> Sql<Arc<Whom>> {
        if let Some(known) = self.peers.get(&id) {
            return Ok(Arc::clone(known));
        }
        let sql = "SELECT raddr_id, domain_id, direction, name_source, loose, rport, lport,
                     protocol, family FROM peers WHERE id = ?1";
        let found = one(conn, sql, [id], |row| {
            let whom = Whom {
                direction: direction(row.get(2)?),
                name_source: NameSource::from_code(row.get(3)?).name(),
                loose: row.get(4)?,
                rport: row.get(5)?,
                lport: row.get(6)?,
                protocol: row.get(7)?,
                family: row.get(8)?,
                ..Whom::default()
            };
            Ok((whom, row.get(0)?, row.get(1)?))
        })?;
        let whom = match found {
            Some((whom, raddr, domain)) => {
                let (raddr, location) = self.address(conn, raddr)?;
                Whom { raddr, location, domain: self.domain(conn, domain)?, ..whom }
            }
            None => Whom { raddr: lost(id).into(), ..Whom::default() },
        };
        self.bytes += ENTRY;
        let whom = Arc::new(whom);
        self.peers.insert(id, Arc::clone(&whom));
        Ok(whom)
    }

    /// Process id of a run.
    pub(super) fn pid(&mut self, conn: &Connection, run: i64) -> Sql<u32> {
        if let Some(known) = self.pids.get(&run) {
            return Ok(*known);
        }
        let pid = one(conn, "SELECT pid FROM processes WHERE id = ?1", [run], |row| row.get(0))?;
        let pid = pid.unwrap_or_default();
        self.bytes += ENTRY / 4;
        self.pids.insert(run, pid);
        Ok(pid)
    }

    fn exe(&mut self, conn: &Connection, id: i64) -> Sql<Arc<ExportExe>> {
        if let Some(known) = self.exes.get(&id) {
            return Ok(Arc::clone(known));
        }
        let sql = "SELECT exe, name, cmdline, sha256 FROM executables WHERE id = ?1";
        let found = one(conn, sql, [id], |row| {
            Ok(ExportExe {
                exe: row.get(0)?,
                name: row.get(1)?,
                cmdline: row.get(2)?,
                sha256: row.get(3)?,
            })
        })?;
        let exe = found.unwrap_or_else(|| ExportExe { exe: lost(id), ..ExportExe::default() });
        self.bytes += exe.exe.len() + exe.name.len() + exe.cmdline.len() + exe.sha256.len() + ENTRY;
        let exe = Arc::new(exe);
        self.exes.insert(id, Arc::clone(&exe));
        Ok(exe)
    }

    fn container(&mut self, conn: &Connection, id: i64) -> Sql<Arc<ExportContainer>> {
        if let Some(known) = self.containers.get(&id) {
            return Ok(Arc::clone(known));
        }
        let sql = "SELECT container, name, image, pod FROM containers WHERE id = ?1";
        let found = one(conn, sql, [id], |row| {
            Ok(ExportContainer {
                id: row.get(0)?,
                name: row.get(1)?,
                image: row.get(2)?,
                pod: row.get(3)?,
            })
        })?;
        let it = found.unwrap_or_else(|| ExportContainer { id: lost(id), ..Default::default() });
        self.bytes += it.id.len() + it.name.len() + it.image.len() + it.pod.len() + ENTRY;
        let it = Arc::new(it);
        self.containers.insert(id, Arc::clone(&it));
        Ok(it)
    }

    /// Unit and application.
    fn place(&mut self, conn: &Connection, id: i64) -> Sql<Pair> {
        let pair = one(conn, "SELECT unit, app FROM places WHERE id = ?1", [id], pair)?;
        let pair = pair.unwrap_or_default();
        self.bytes += pair.0.len() + pair.1.len();
        Ok(pair)
    }

    /// Package and state of an executable that ran at a place.
    fn version(&mut self, conn: &Connection, exe: i64, place: i64) -> Sql<Pair> {
        let sql = "SELECT v.package, v.state FROM executables AS e JOIN versions AS v
                     ON v.exe = program_path(e.exe) AND v.sha256 = e.sha256
                    AND v.realm = (SELECT realm FROM places WHERE id = ?2)
                   WHERE e.id = ?1";
        let pair = one(conn, sql, [exe, place], pair)?.unwrap_or_default();
        self.bytes += pair.0.len() + pair.1.len();
        Ok(pair)
    }

    /// As `www.example.org`.
    fn domain(&mut self, conn: &Connection, id: i64) -> Sql<Arc<str>> {
        if let Some(known) = self.domains.get(&id) {
            return Ok(Arc::clone(known));
        }
        let sql = "SELECT domain FROM domains WHERE id = ?1";
        let found: Option<String> = one(conn, sql, [id], |row| row.get(0))?;
        let domain: Arc<str> = found.map_or_else(|| lost(id), |name| reversed(&name)).into();
        self.bytes += domain.len() + ENTRY;
        self.domains.insert(id, Arc::clone(&domain));
        Ok(domain)
    }

    fn address(&mut self, conn: &Connection, id: i64) -> Sql<(Arc<str>, Location)> {
        if let Some(known) = self.addresses.get(&id) {
            return Ok(known.clone());
        }
        let sql = "SELECT a.addr, coalesce(l.country, ''), coalesce(l.asn, 0), coalesce(l.org, '')
                   FROM addresses AS a LEFT JOIN locations AS l ON l.id = a.location_id
                   WHERE a.id = ?1";
        let found = one(conn, sql, [id], |row| {
            let location =
                Location { country: text(row, 1)?, asn: row.get(2)?, org: text(row, 3)? };
            Ok((text(row, 0)?, location))
        })?;
        let found = found.unwrap_or_else(|| (lost(id).into(), Location::default()));
        self.bytes += found.0.len() + found.1.country.len() + found.1.org.len() + ENTRY;
        self.addresses.insert(id, found.clone());
        Ok(found)
    }
}

fn one<T, P: rusqlite::Params>(
    conn: &Connection,
    sql: &str,
    params: P,
    read: impl FnOnce(&Row<'_>) -> Sql<T>,
) -> Sql<Option<T>> {
    conn.prepare_cached(sql)?.query_row(params, read).optional()
}

/// By its code.
fn direction(code: i64) -> &'static str {
    let known = usize::try_from(code).ok().and_then(|code| Direction::ALL.get(code));
    known.copied().unwrap_or_default().name()
}

fn pair(row: &Row<'_>) -> Sql<Pair> {
    Ok((text(row, 0)?, text(row, 1)?))
}

fn text(row: &Row<'_>, at: usize) -> Sql<Arc<str>> {
    Ok(row.get::<_, String>(at)?.into())
}

fn lost(id: i64) -> String {
    format!("(lost {id})")
}
