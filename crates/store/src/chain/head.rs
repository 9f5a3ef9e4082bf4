//! The hash to note down elsewhere.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use serde::Serialize;

use crate::Reader;
use crate::StoreError;
use crate::Writer;
use crate::classify::At;
use crate::classify::Sql;

use super::link;
use super::link::Kind;

/// The latest link of the chain that will stay. Whoever keeps its hash elsewhere can tell later
/// whether what was written before is still what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainHead {
    /// 64 hexadecimal digits.
    pub hash: String,
    /// Its number in the chain.
    pub link: i64,
    /// Unix second at which it was written.
    pub at: i64,
    /// What is written now is vouched for as well.
    pub on: bool,
}

fn read(conn: &Connection) -> Sql<Option<ChainHead>> {
    if !link::exists(conn)? {
        return Ok(None);
    }
    let on = link::is_on(conn)?;
    conn.query_row(
        "SELECT id, time, hash FROM chain WHERE kind <> ?1 ORDER BY id DESC LIMIT 1",
        [Kind::Batch as i64],
        |row| {
            let hash = link::hex(&row.get::<_, Vec<u8>>(2)?);
            Ok(ChainHead { hash, link: row.get(0)?, at: row.get(1)?, on })
        },
    )
    .optional()
}

impl Reader {
    /// The head of the chain; `None` if the history never had one.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn chain_head(&self) -> Result<Option<ChainHead>, StoreError> {
        self.consistently(read).at(self.path())
    }
}

impl Writer {
    /// Adds a link that vouches for all that is written, if the latest does not, and returns it;
    /// `None` while tamper evidence is off.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn mark_chain(&mut self) -> Result<Option<ChainHead>, StoreError> {
        self.ledger.mark(&mut self.db.conn).at(&self.path)?;
        let head = read(&self.db.conn).at(&self.path)?;
        Ok(head.filter(|head| head.on))
    }

    /// Switches tamper evidence on or off. Does nothing if it is.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn set_tamper_evidence(&mut self, on: bool) -> Result<(), StoreError> {
        self.options.tamper_evidence = on;
        self.ledger.switch(&mut self.db.conn, on).at(&self.path)
    }
}
