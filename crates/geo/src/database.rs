//! One file in the MaxMind DB format.
//!
//! It is read into memory, not mapped: whoever truncates a mapped file (`cp` over it does) kills
//! its readers with SIGBUS, and whoever overwrites it changes bytes under a parser that took them
//! for constant, which is why mapping is `unsafe`. Where its bytes are once they are checked is
//! [`Keep`]'s to say: of all countries (8 MB) they take 8.0 MiB of memory there, and a mapped file
//! of one's own 3.5 MiB after a million look-ups, answering no faster.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use maxminddb::MaxMindDbError;
use maxminddb::Reader;
use maxminddb::WithinOptions;

use crate::About;
use crate::Answer;
use crate::Error;
use crate::file;
use crate::file::Stamp;
use crate::keep::Keep;
use crate::keep::Kept;
use crate::record::Record;

/// How long checking may take. A sound file of the largest size takes seconds; one whose records
/// lie within each other could take hours.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database of countries, autonomous systems, or both. Answers by itself, whatever happens to
/// the file meanwhile.
#[derive(Debug)]
pub struct Database {
    reader: Reader<Kept>,
    about: About,
    stamp: Stamp,
}

impl Database {
    /// Reads the file, and every record in it once: what opens answers. That takes a tenth of a
    /// second for a million networks.
    ///
    /// # Errors
    /// If it cannot be read, changes meanwhile, is damaged, or knows neither countries nor
    /// autonomous systems.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, &Keep::default())
    }

    /// As [`Self::open`]; its bytes are where `keep` says.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(path: &Path, keep: &Keep) -> Result<Self, Error> {
        let (bytes, stamp) = file::read(path)?;
        let malformed = |error| malformed(path, &error);
        let reader = Reader::from_source(bytes.as_slice()).map_err(malformed)?;
        let mut about = About::new(path, reader.metadata());
        check(&reader, &mut about)?;
        let reader = Reader::from_source(keep.keep(bytes)).map_err(malformed)?;
        Ok(Self { reader, about, stamp })
    }

    /// What it says of `address`, taken as it is: [`crate::special`] is the caller's to ask.
    ///
    /// # Errors
    /// If the record is damaged, which `open` would have found.
    pub fn find(&self, address: IpAddr) -> Result<Answer<'_>, Error> {
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(Answer::default());
        }
        let malformed = |error| malformed(&self.about.path, &error);
        let found = self.reader.lookup(address).map_err(malformed)?;
        match found.decode::<Record<'_>>().map_err(malformed)? {
            Some(record) => record.answer().map_err(|why| wrong(&self.about.path, why)),
            None => Ok(Answer::default()),
        }
    }

    /// Its name, age and terms.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }
}

/// Walks the whole tree, and decodes each record that it leads to once.
fn check(reader: &Reader<&[u8]>, about: &mut About) -> Result<(), Error> {
    let path = &about.path;
    let malformed = |error| malformed(path, &error);
    // Empty networks are counted, too: a tree whose branches meet again has more ways through
    // it than can be walked. A sound one has one leaf more than it has nodes.
    let options = WithinOptions::default().include_networks_without_data();
    let most = u64::from(reader.metadata().node_count) + 1;
    let mut networks = 0_u64;
    let mut seen = HashSet::new();
    let begun = Instant::now();
    let (mut countries, mut systems) = (false, false);
    for network in reader.networks(options).map_err(malformed)? {
        let network = network.map_err(malformed)?;
        networks += 1;
        if networks > most {
            return Err(wrong(path, "its search tree is none".into()));
        }
        let Some(offset) = network.offset() else { continue };
        if !seen.insert(offset) {
            continue;
        }
        if seen.len().is_multiple_of(256) && begun.elapsed() > PATIENCE {
            let seconds = PATIENCE.as_secs();
            return Err(wrong(path, format!("checking it takes more than {seconds} s")));
        }
        if let Some(record) = network.decode::<Record<'_>>().map_err(malformed)? {
            let answer = record.answer().map_err(|why| wrong(path, why))?;
            countries |= answer.country.is_some();
            systems |= answer.asn.is_some();
        }
    }
    if !countries && !systems {
        let wanted = "country and no autonomous system";
        return Err(Error::NothingInIt { path: path.clone(), wanted });
    }
    about.has_countries = countries;
    about.has_networks = systems;
    Ok(())
}

fn wrong(path: &Path, why: String) -> Error {
    Error::Malformed { path: path.into(), why }
}

fn malformed(path: &Path, error: &MaxMindDbError) -> Error {
    let why = crate::text::clean(&error.to_string(), 256).into_owned();
    Error::Malformed { path: path.into(), why }
}
