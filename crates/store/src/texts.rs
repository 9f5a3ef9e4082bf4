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
}

impl<'a> Texts<'a> {
    pub(crate) fn new(conn: &'a Connection, users: &'a dyn Users) -> Self {
        Self { conn, users, cache: HashMap::new() }
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

    /// What is known of an executable that ran at a place.
    fn version(&self, column: &str, exe: i64, place: i64) -> Sql<String> {
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

    /// What was known of where an address is.
    fn location(&self, column: &str, address: i64) -> Sql<String> {
        let sql = format!(
            "SELECT {column} FROM addresses AS a JOIN locations AS l ON l.id = a.location_id
             WHERE a.id = ?1"
        );
        let found =
            self.conn.prepare_cached(&sql)?.query_row([address], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or_else(|| format!("(lost {address})")))
    }

    /// Table and column come from the table of dimensions, never from outside.
    fn text(&self, table: &str, column: &str, id: i64) -> Sql<String> {
        let sql = format!("SELECT {column} FROM {table} WHERE id = ?1");
        let found = self.conn.prepare_cached(&sql)?.query_row([id], |row| row.get(0)).optional()?;
        // A missing row would be damage; its bytes are shown all the same.
        Ok(found.unwrap_or_else(|| format!("(lost {id})")))
    }
}
