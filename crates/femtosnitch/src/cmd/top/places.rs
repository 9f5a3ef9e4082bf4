//! Countries of addresses, by the database that the daemon uses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use femtosnitch_geo::{Choice, Databases, Places, Search};

/// Addresses that are remembered; then all are forgotten at once.
const MOST: usize = 16_384;

/// What is known of where addresses are.
#[derive(Debug, Default)]
pub(super) struct Countries {
    path: String,
    places: Places,
    known: HashMap<IpAddr, Arc<str>>,
}

impl Countries {
    /// The country's code, a bracketed kind, or '', by the database at this path ('' for none).
    /// What an address is set aside for is known without one.
    pub(super) fn of(&mut self, database: &str, addr: IpAddr) -> Arc<str> {
        if self.path != database {
            database.clone_into(&mut self.path);
            self.places = open(database);
            self.known.clear();
        }
        if let Some(known) = self.known.get(&addr) {
            return Arc::clone(known);
        }
        if self.known.len() >= MOST {
            self.known.clear();
        }
        // Every record was read when the file was opened: none is damaged.
        let place = self.places.find(addr).unwrap_or_default();
        let country: Arc<str> = match (place.kind, place.answer.country) {
            (Some(kind), _) => format!("({kind})").into(),
            (None, Some(country)) => country.as_str().into(),
            (None, None) => "".into(),
        };
        self.known.insert(addr, Arc::clone(&country));
        country
    }
}

/// A file that cannot be read has no answers: the daemon tells what is wrong with it.
fn open(path: &str) -> Places {
    if path.is_empty() {
        return Places::default();
    }
    let search = Search {
        country: Choice::File(PathBuf::from(path)),
        asn: Choice::Nothing,
        directories: Vec::new(),
        fallback: Vec::new(),
    };
    Databases::open(&search).places()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_needs_no_database() {
        let mut countries = Countries::default();
        for path in ["", "/nowhere/countries.mmdb"] {
            assert_eq!(&*countries.of(path, "127.0.0.1".parse().unwrap()), "(loopback)");
            assert_eq!(&*countries.of(path, "192.168.1.1".parse().unwrap()), "(private)");
            assert_eq!(&*countries.of(path, "9.9.9.9".parse().unwrap()), "");
        }
    }
}
