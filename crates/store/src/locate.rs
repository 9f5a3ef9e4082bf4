//! Where addresses are: who is asked, and what is stored of the answers.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;

use femtosnitch_model::Location;
use rusqlite::Transaction;
use rusqlite::params;

use crate::classify::Sql;
use crate::intern::Interner;
use crate::intern::PEER_STEP;
use crate::intern::Seen;
use crate::intern::remember;
use crate::intern::round_up_to;

/// Knows where addresses are.
pub trait Locate: fmt::Debug + Send {
    /// Called before each batch is written: the time to look whether there is news. True if
    /// answers may be others than before.
    fn refresh(&mut self) -> bool;

    /// Where `addr` is now; the default if that is not known. Asked once an hour and address.
    fn locate(&mut self, addr: IpAddr) -> Location;
}

/// Shared by the writers that follow each other.
pub type Locator = Arc<Mutex<dyn Locate>>;

/// Knows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nowhere;

impl Locate for Nowhere {
    fn refresh(&mut self) -> bool {
        false
    }

    fn locate(&mut self, _addr: IpAddr) -> Location {
        Location::default()
    }
}

impl Interner {
    /// Id of an address, with where it is now; 0 if unknown.
    pub(crate) fn address(
        &mut self,
        tx: &Transaction<'_>,
        locator: &mut dyn Locate,
        addr: Option<IpAddr>,
        contime: i64,
    ) -> Sql<i64> {
        let Some(addr) = addr.map(|addr| addr.to_canonical()) else { return Ok(0) };
        if let Some(seen) = self.addresses.get(&addr)
            && contime <= seen.last
        {
            return Ok(seen.id);
        }
        // Together with the address, so that it is never forgotten before it.
        let location = self.location(tx, locator.locate(addr), contime)?;
        let (text, last) = (addr.to_string(), round_up_to(PEER_STEP, contime));
        let (id, last) = tx
            .prepare_cached(
                "INSERT INTO addresses(addr, location_id, last_seen) VALUES (?1, ?2, ?3)
                 ON CONFLICT(addr, location_id)
                   DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)
                 RETURNING id, last_seen",
            )?
            .query_row(params![text, location, last], |row| Ok((row.get(0)?, row.get(1)?)))?;
        remember(&mut self.addresses, addr, Seen { id, first: 0, last });
        Ok(id)
    }

    /// Id of a location; 0 if unknown.
    fn location(&mut self, tx: &Transaction<'_>, location: Location, contime: i64) -> Sql<i64> {
        if location == Location::default() {
            return Ok(0);
        }
        if let Some(seen) = self.locations.get(&location)
            && contime <= seen.last
        {
            return Ok(seen.id);
        }
        let Location { country, asn, org } = &location;
        let (id, last) = tx
            .prepare_cached(
                "INSERT INTO locations(country, asn, org, last_seen) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT(asn, country, org)
                   DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)
                 RETURNING id, last_seen",
            )?
            .query_row(params![country, asn, org, round_up_to(PEER_STEP, contime)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        remember(&mut self.locations, location, Seen { id, first: 0, last });
        Ok(id)
    }
}
