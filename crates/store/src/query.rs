//! Questions to the history and how they become SQL.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::types::Value;
use serde::Serialize;

use crate::Dimension;
use crate::Filter;
use crate::StoreError;
use crate::classify::Sql;
use crate::dimension::Source;
use crate::dimension::TRAFFIC;
use crate::filter::reversed;
use crate::group::Groups;
use crate::group::Sums;

/// Traffic of a time span, filtered, grouped and added up.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// From this unix second on; `None` from the beginning.
    pub since: Option<i64>,
    /// Up to, but not including, this unix second; `None` to the end.
    pub until: Option<i64>,
    /// One answer per combination of these; empty for one grand total.
    pub by: Vec<Dimension>,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// At most this many answers, the largest.
    pub limit: Option<usize>,
}

/// The value of one dimension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Key {
    /// Ports, ids, IPPROTO_* and AF_* numbers, times.
    Number(i64),
    /// Everything else; '' where unknown or none. Text from the outside as recorded: show it
    /// through [`femtosnitch_model::printable`].
    Text(String),
}

/// The traffic of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// One per [`Query::by`], in that order.
    pub keys: Vec<Key>,
    /// Application bytes sent.
    pub send: u64,
    /// Application bytes received.
    pub recv: u64,
    /// Bytes sent at the IP layer by what was measured; `None` if nothing was.
    pub wire_send: Option<u64>,
    /// Bytes received at the IP layer by what was measured; `None` if nothing was.
    pub wire_recv: Option<u64>,
    /// Send and receive calls.
    pub events: u64,
    /// Connections begun: connect(2) was called, one was accepted, or a socket listens. 0 for
    /// traffic of protocols without connections, and of connections older than the time asked for.
    pub connections: u64,
    /// Attempts that never became a connection.
    pub failed: u64,
    /// TCP segments sent again.
    pub retrans: u64,
    /// The best smoothed round-trip time seen, in microseconds; `None` if none was measured.
    pub rtt_us: Option<u64>,
}

/// User names, which only the caller can know.
pub trait Users {
    /// Name of a user id, if it has one.
    fn name(&self, uid: u32) -> Option<String>;
    /// User id of a name, if there is one.
    fn uid(&self, name: &str) -> Option<u32>;
}

/// Knows no names: users are shown, and asked for, by number.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoUsers;

impl Users for NoUsers {
    fn name(&self, _uid: u32) -> Option<String> {
        None
    }

    fn uid(&self, _name: &str) -> Option<u32> {
        None
    }
}

/// The statement that reads the traffic a query is about, and its values.
pub(crate) fn plan(query: &Query, users: &dyn Users) -> Result<(String, Vec<Value>), StoreError> {
    let (columns, _) = columns(&query.by);
    select(query, &columns, users)
}

/// The statement that reads `columns` of the traffic a query is about, and the amounts.
pub(crate) fn select(
    query: &Query,
    columns: &[&str],
    users: &dyn Users,
) -> Result<(String, Vec<Value>), StoreError> {
    let mut values = Vec::new();
    let mut conditions = vec!["1".to_owned()];
    if let Some(since) = query.since {
        values.push(since.into());
        conditions.push(format!("contime >= ?{}", values.len()));
    }
    if let Some(until) = query.until {
        values.push(until.into());
        conditions.push(format!("contime < ?{}", values.len()));
    }
    for filter in &query.filters {
        conditions.push(filter.sql(&mut values, users)?);
    }
    let columns: Vec<&str> = columns.iter().copied().chain([Sums::COLUMNS]).collect();
    let sql =
        format!("SELECT {} FROM {TRAFFIC} WHERE {}", columns.join(", "), conditions.join(" AND "));
    Ok((sql, values))
}

/// What to select, each thing once, and at which of these each dimension finds its one or two
/// numbers.
pub(crate) fn columns(by: &[Dimension]) -> (Vec<&'static str>, Vec<(usize, Option<usize>)>) {
    let mut columns: Vec<&'static str> = Vec::new();
    let mut place = |column: &'static str| {
        columns.iter().position(|known| *known == column).unwrap_or_else(|| {
            columns.push(column);
            columns.len() - 1
        })
    };
    let places = by
        .iter()
        .map(|by| {
            let (first, second) = by.source().columns();
            (place(first), second.map(&mut place))
        })
        .collect();
    (columns, places)
}

/// Reads the rows of a [`plan`] and adds them up.
pub(crate) fn gather(conn: &Connection, sql: &str, values: Vec<Value>, keys: usize) -> Sql<Groups> {
    let mut groups = Groups::default();
    let mut buffer = Vec::with_capacity(keys);
    let mut stmt = conn.prepare(sql)?;
    let mut rows = stmt.query(rusqlite::params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        groups.add(row, keys, &mut buffer)?;
    }
    Ok(groups)
}

/// Turns numbers into what they stand for. Groups that then read the same become one.
pub(crate) fn name(
    conn: &Connection,
    groups: Groups,
    by: &[Dimension],
    users: &dyn Users,
) -> Sql<Vec<Answer>> {
    let mut texts = Texts::new(conn, users);
    let (_, places) = columns(by);
    let mut named: HashMap<Vec<Key>, Sums> = HashMap::with_capacity(groups.0.len().min(1 << 16));
    for (ids, sums) in groups.0 {
        let keys = by
            .iter()
            .zip(&places)
            .map(|(by, (first, second))| {
                let id = |at: usize| ids.get(at).copied().unwrap_or_default();
                texts.key(by.source(), id(*first), second.map_or(0, id))
            })
            .collect::<Sql<Vec<Key>>>()?;
        named.entry(keys).or_default().add(sums);
    }
    Ok(named
        .into_iter()
        .map(|(keys, sums)| Answer {
            keys,
            send: sums.send,
            recv: sums.recv,
            wire_send: sums.wire_send,
            wire_recv: sums.wire_recv,
            events: sums.events,
            connections: sums.connections,
            failed: sums.failed,
            retrans: sums.retrans,
            rtt_us: sums.rtt_us,
        })
        .collect())
}

/// Largest first, by bytes and then (as refused connections have none) by connections; equals by
/// what they are called.
pub(crate) fn rank(answers: &mut Vec<Answer>, limit: Option<usize>) {
    let size = |answer: &Answer| (answer.send.saturating_add(answer.recv), answer.connections);
    answers.sort_unstable_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.keys.cmp(&b.keys)));
    if let Some(limit) = limit {
        answers.truncate(limit);
    }
}

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
