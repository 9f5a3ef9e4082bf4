//! Where an address is, by the databases in use.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Answer;
use crate::Database;
use crate::Error;
use crate::special;
use crate::special::Kind;

/// The databases that were in use when it was asked for. Cloning it costs two counters; whoever
/// keeps it keeps them.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub(crate) country: Option<Arc<Database>>,
    pub(crate) asn: Option<Arc<Database>>,
}

/// Where an address is, or why it is nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// For what the address is set aside. The answer is empty then.
    pub kind: Option<Kind>,
    /// What the databases say.
    pub answer: Answer<'a>,
}

impl Places {
    /// Where `address` is. What is set aside is not looked up; what carries an IPv4 address is
    /// looked up by that ([`special::classify`]).
    ///
    /// # Errors
    /// If a record is damaged.
    pub fn find(&self, address: IpAddr) -> Result<Place<'_>, Error> {
        let class = special::classify(address);
        let Some(address) = class.located_by else {
            return Ok(Place { kind: class.kind, answer: Answer::default() });
        };
        let mut answer =
            self.country.as_ref().map_or(Ok(Answer::default()), |c| c.find(address))?;
        if let Some(asn) = &self.asn {
            let found = asn.find(address)?;
            answer.asn = found.asn;
            answer.org = found.org;
        }
        Ok(Place { kind: None, answer })
    }

    /// The database that countries are from.
    #[must_use]
    pub fn country(&self) -> Option<&Database> {
        self.country.as_deref()
    }

    /// The database that autonomous systems are from. If there is none, the countries' answers
    /// for those as well where it can.
    #[must_use]
    pub fn asn(&self) -> Option<&Database> {
        self.asn.as_deref()
    }
}
