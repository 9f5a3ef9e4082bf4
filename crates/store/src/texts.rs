//! What numbers stand for.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::Key;
use crate::Users;
use crate::classify::Sql;
use crate::dimension::Source;
use crate::filter::reversed;

/// Looks up what numbers stand for, each once.
pub(crate) struct Texts<'a> {
    conn: &'a Connection,
    users: &'a dyn Users,
    cache: HashMap<(Source, i64, i64), Key>,
    versions: Option<Versions>,
}

/// What is known of executables, for looking up many.
#[derive(Debug, Default)]
struct Versions {
    /// Path and contents of each executable.
    executables: HashMap<i64, (String, String)>,
    realms: HashMap<i64, String>,
    /// By path, contents and realm, what is asked for.
    known: HashMap<(String, String, String), String>,
}

impl<'a> Texts<'a> {
    pub(crate) fn new(conn: &'a Connection, users: &'a dyn Users) -> Self {
        Self { conn, users, cache: HashMap::new(), versions: None }
    }

    /// What stands at `id` (and `second`, where the source has two columns).
    pub(crate) fn key(&mut self, source: Source, id: i64, second: i64) -> Sql<Key> {
        if let Source::Number(_) = source {
            return Ok(Key::Number(id));
        }
        if let Some(key) = self.cache.get(&(source, id, second)) {
            return Ok(key.clone());
        }
        let text = match source {
            Source::Number(_) => id.to_string(),
            Source::Word(_, words) => usize::try_from(id)
                .ok()
                .and_then(|at| words.get(at))
                .map_or_else(|| id.to_string(), |word| (*word).to_owned()),
            Source::User => self.user(id),
            Source::Login if id < 0 => String::new(),
            Source::Login => self.user(id),
            Source::Text(_, table, column) => self.text(table, column, id)?,
            Source::Address(_) => self.text("addresses", "addr", id)?,
            Source::Location(column) => self.location(column, id)?,
            Source::System => self.location("CASE asn WHEN 0 THEN '' ELSE 'AS' || asn END", id)?,
            Source::Domain => reversed(&self.text("domains", "domain", id)?),
            Source::Place(column) => self.text("places", column, id)?,
            Source::Script => self.text("executables", "exe", id)?,
            Source::Version(column) => self.version(column, id, second)?,
        };
        let key = Key::Text(text);
        self.cache.insert((source, id, second), key.clone());
        Ok(key)
    }

    fn user(&self, uid: i64) -> String {
        let name = u32::try_from(uid).ok().and_then(|uid| self.users.name(uid));
        name.unwrap_or_else(|| uid.to_string())
    }

    /// Reads all texts of a source whose numbers are nearly all asked for.
    pub(crate) fn preload(&mut self, source: Source) -> Sql<()> {
        let sql = match source {
            Source::Address(_) => "SELECT id, addr FROM addresses".to_owned(),
            Source::Domain => "SELECT id, domain FROM domains".to_owned(),
            Source::Text(_, table, column) => format!("SELECT id, {column} FROM {table}"),
            Source::Version(column) => {
                self.versions = Some(Versions::read(self.conn, column)?);
                return Ok(());
            }
            _ => return Ok(()),
        };
        let mut stmt = self.conn.prepare(&sql)?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            let text: String = row.get(1)?;
            let text = if source == Source::Domain { reversed(&text) } else { text };
            self.cache.insert((source, row.get(0)?, 0), Key::Text(text));
        }
        Ok(())
    }

    /// What is known of an executable that ran at a place.
    fn version(&self, column: &str, exe: i64, place: i64) -> Sql<String> {
        if let Some(versions) = &self.versions {
            return Ok(versions.find(exe, place));
        }
        let sql = format!(
            "SELECT v.{column} FROM executables AS e JOIN versions AS v
               ON v.exe = program_path(e.exe) AND v.sha256 = e.sha256
              AND v.realm = (SELECT realm FROM places WHERE id = ?2)
             WHERE e.id = ?1"
        );
        let found =
            self.conn.prepare_cached(&sql)?.query_row([exe, place], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or_default())
    }

    /// A column of a location.
    fn location(&self, column: &str, location: i64) -> Sql<String> {
        self.text("locations", column, location)
    }

    /// Table and column come from the table of dimensions, never from outside.
    fn text(&self, table: &str, column: &str, id: i64) -> Sql<String> {
        let sql = format!("SELECT {column} FROM {table} WHERE id = ?1");
        let found = self.conn.prepare_cached(&sql)?.query_row([id], |row| row.get(0)).optional()?;
        // A missing row would be damage; its bytes are shown all the same.
        Ok(found.unwrap_or_else(|| format!("(lost {id})")))
    }
}

impl Versions {
    fn read(conn: &Connection, column: &str) -> Sql<Self> {
        let mut versions = Self::default();
        let mut stmt = conn.prepare("SELECT id, exe, sha256 FROM executables")?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            let exe: String = row.get(1)?;
            let path = femtosnitch_model::program_path(&exe).into_owned();
            versions.executables.insert(row.get(0)?, (path, row.get(2)?));
        }
        let mut stmt = conn.prepare("SELECT id, realm FROM places")?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            versions.realms.insert(row.get(0)?, row.get(1)?);
        }
        let mut stmt =
            conn.prepare(&format!("SELECT exe, sha256, realm, {column} FROM versions"))?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            versions.known.insert((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?);
        }
        Ok(versions)
    }

    fn find(&self, exe: i64, place: i64) -> String {
        let found = self.executables.get(&exe).zip(self.realms.get(&place));
        found
            .and_then(|((path, sha256), realm)| {
                self.known.get(&(path.clone(), sha256.clone(), realm.clone())).cloned()
            })
            .unwrap_or_default()
    }
}
