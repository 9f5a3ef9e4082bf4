//! Where addresses are: the databases in use. They live on the writer thread, which asks once for an
//! address and hour; capturing never waits for a file.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use femtosnitch_api::{GeoDatabase, GeoIp};
use femtosnitch_geo::{About, Bytes, Choice, Database, Databases, Keep, Places, Problem, Search};
use femtosnitch_model::Location;
use femtosnitch_store::{Locate, Locator};
use femtosnitch_sys::copies::Copies;

use super::report::Report;
use crate::config::{self, GeoFile, Paths};

/// Between two looks at whether files have changed: a `stat` each.
const LOOK: Duration = Duration::from_secs(60);

/// What the configuration says, below the root.
pub(super) fn search(paths: &Paths, config: &config::GeoIp) -> Search {
    let choice = |file: &GeoFile| match file {
        GeoFile::Auto => Choice::Usual,
        GeoFile::Off => Choice::Nothing,
        GeoFile::File(path) => Choice::File(paths.below(path)),
    };
    let usual = Search::default().directories;
    Search {
        country: choice(&config.country),
        asn: choice(&config.asn),
        directories: usual.iter().map(|directory| paths.below(directory)).collect(),
        fallback: paths.default_countries(),
    }
}

/// What the databases are to be from now on; taken with the next batch.
#[derive(Debug, Clone, Default)]
pub(super) struct Asks(Arc<Mutex<Option<Search>>>);

impl Asks {
    /// Also looks at files that have stayed the same choice.
    pub(super) fn send(&self, search: Search) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(search);
    }

    fn take(&self) -> Option<Search> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Who tells the writer where addresses are, and the end that changes by what.
pub(super) fn locator(
    paths: &Paths,
    config: &config::GeoIp,
    report: &Arc<Report>,
) -> (Locator, Asks) {
    let locations = Locations::new(paths, config, report);
    let asks = locations.asks.clone();
    (Arc::new(Mutex::new(locations)), asks)
}

/// See the module's documentation.
struct Locations {
    search: Search,
    asks: Asks,
    /// `None` until the first look.
    databases: Option<Databases>,
    places: Places,
    copies: Arc<Copies>,
    looked: Option<Instant>,
    report: Arc<Report>,
}

impl Locations {
    /// Opens nothing yet.
    fn new(paths: &Paths, config: &config::GeoIp, report: &Arc<Report>) -> Self {
        Self {
            search: search(paths, config),
            asks: Asks::default(),
            databases: None,
            places: Places::default(),
            copies: Arc::new(Copies::new(&paths.geoip_copies())),
            looked: None,
            report: Arc::clone(report),
        }
    }
}

impl fmt::Debug for Locations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locations").field("search", &self.search).finish_non_exhaustive()
    }
}

impl Locate for Locations {
    fn refresh(&mut self) -> bool {
        let asked = self.asks.take();
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK);
        if asked.is_none() && !is_due {
            return false;
        }
        self.looked = Some(Instant::now());
        if let Some(search) = asked.filter(|asked| *asked != self.search) {
            self.search = search;
            self.databases = None;
        }
        let (databases, has_changed) = match &mut self.databases {
            Some(databases) => {
                let has_changed = databases.refresh_if_changed();
                (databases, has_changed)
            }
            none => (none.insert(Databases::open_with(&self.search, keep(&self.copies))), true),
        };
        self.places = databases.places();
        let geoip = GeoIp {
            country: self.places.country().map(described),
            asn: self.places.asn().map(described),
            problems: databases.problems().map(said).collect(),
        };
        if has_changed {
            if let Err(error) = self.copies.remove_unused() {
                tracing::debug!(%error, "copies of databases that are not used any more stay");
            }
            for (what, database) in [("countries", &geoip.country), ("systems", &geoip.asn)] {
                if let Some(GeoDatabase { path, name, .. }) = database {
                    tracing::info!(path, name, "database of {what}");
                }
            }
        }
        self.report.located(geoip);
        has_changed
    }

    fn locate(&mut self, addr: IpAddr) -> Location {
        // Every record was read when the file was opened: none is damaged.
        let place = self.places.find(addr).unwrap_or_default();
        let mut location = Location::default();
        if self.search.country != Choice::Nothing {
            match (place.kind, place.answer.country) {
                (Some(kind), _) => location.country = format!("({kind})").into(),
                (None, Some(country)) => location.country = country.as_str().into(),
                (None, None) => {}
            }
        }
        if self.search.asn != Choice::Nothing {
            location.asn = place.answer.asn.unwrap_or(0);
            location.org = place.answer.org.as_deref().unwrap_or_default().into();
        }
        location
    }
}

/// Once checked, a database is read from a copy of our own, of which only what is looked up takes
/// memory, and none that the system could not take back.
fn keep(copies: &Arc<Copies>) -> Keep {
    let copies = Arc::clone(copies);
    Keep::by(move |bytes| match copies.keep(&bytes) {
        Ok(copy) => copy,
        Err(error) => {
            tracing::debug!(%error, "no copy of a database on disk: it is kept in memory");
            Arc::new(bytes) as Bytes
        }
    })
}

fn described(database: &Database) -> GeoDatabase {
    let About { path, name, built, attribution, .. } = database.about();
    GeoDatabase {
        path: path.display().to_string(),
        name: name.clone(),
        built: *built,
        // One line, also where a file beside the database has more.
        attribution: attribution.as_deref().unwrap_or_default().replace('\n', " "),
    }
}

fn said(problem: &Problem) -> String {
    let meanwhile =
        if problem.kept { "meanwhile the one read before is used" } else { "it is not used" };
    format!("geoip: {}; {meanwhile}", problem.error)
}

#[cfg(test)]
#[path = "../../../geo/tests/it/mmdb.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, reason = "writes for tests only")]
mod mmdb;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::settings::InForce;
    use std::path::Path;

    fn located(config: &config::GeoIp, addr: &str) -> Location {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path());
        let report = Arc::new(Report::new(&paths, InForce::defaults()));
        let mut locations = Locations::new(&paths, config, &report);
        assert!(locations.refresh(), "the first look is news");
        assert!(!locations.refresh());
        locations.asks.send(search(&paths, &config::GeoIp::default()));
        assert_eq!(locations.refresh(), *config != config::GeoIp::default());
        locations.asks.send(search(&paths, config));
        locations.refresh();
        locations.locate(addr.parse().unwrap())
    }

    #[test]
    fn what_is_set_aside_is_known_without_any_database() {
        let auto = config::GeoIp::default();
        for (addr, country) in [
            ("127.0.0.1", "(loopback)"),
            ("192.168.7.7", "(private)"),
            ("100.64.0.1", "(shared)"),
            ("ff02::fb", "(multicast)"),
            ("fe80::1", "(link-local)"),
            ("203.0.113.9", "(documentation)"),
            ("8.8.8.8", ""),
        ] {
            assert_eq!(&*located(&auto, addr).country, country, "{addr}");
        }
        let off = config::GeoIp { country: GeoFile::Off, asn: GeoFile::Auto };
        assert_eq!(located(&off, "127.0.0.1"), Location::default());
    }

    #[test]
    fn a_root_moves_all_places() {
        let file = GeoFile::File("/srv/geo/asn.mmdb".into());
        let config = config::GeoIp { country: GeoFile::Auto, asn: file };
        let search = search(&Paths::new(Path::new("/tmp/x")), &config);
        assert_eq!(search.asn, Choice::File("/tmp/x/srv/geo/asn.mmdb".into()));
        assert!(search.directories.contains(&"/tmp/x/var/lib/GeoIP".into()));
        let all = search.directories.iter().chain(&search.fallback);
        assert!(all.into_iter().all(|path| path.starts_with("/tmp/x")));
    }

    #[test]
    fn a_database_is_read_from_a_copy_or_else_from_memory() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path());
        let report = Arc::new(Report::new(&paths, InForce::defaults()));
        let file = root.path().join("x.mmdb");
        let config = config::GeoIp { country: GeoFile::File("/x.mmdb".into()), asn: GeoFile::Off };
        let mut locations = Locations::new(&paths, &config, &report);
        let copies = || std::fs::read_dir(paths.geoip_copies()).unwrap().count();
        let mut located = |country: &str| {
            let record = mmdb::map([("country_code", mmdb::text(country))]);
            let bytes = mmdb::Writer::new(24, 4).with("8.0.0.0/8", record).bytes();
            let fresh = file.with_extension("new");
            std::fs::write(&fresh, bytes).unwrap();
            std::fs::rename(&fresh, &file).unwrap();
            locations.looked = None;
            assert!(locations.refresh());
            locations.locate("8.8.8.8".parse().unwrap()).country
        };
        assert_eq!(&*located("DE"), "DE");
        assert_eq!(copies(), 1);
        assert_eq!(&*located("FR"), "FR");
        assert_eq!(copies(), 1, "that of the one before is removed");
        // Nothing can be made in a plain file.
        std::fs::remove_dir_all(paths.cache_dir()).unwrap();
        std::fs::write(paths.cache_dir(), "").unwrap();
        assert_eq!(&*located("NL"), "NL");
    }
}
