//! The databases in use: where they are looked for, and when they are read again.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::About;
use crate::Database;
use crate::Error;
use crate::Keep;
use crate::Places;
use crate::file::Stamp;

/// Where updaters and distributions put databases, what is kept up to date first: geoipupdate's
/// as Debian sets it, what the administrator put there, what came with a package.
const DIRECTORIES: [&str; 3] = ["/var/lib/GeoIP", "/usr/local/share/GeoIP", "/usr/share/GeoIP"];

/// Files with countries, those that have little else first.
const COUNTRIES: [&str; 8] = [
    "GeoIP2-Country.mmdb",
    "GeoLite2-Country.mmdb",
    "dbip-country-lite.mmdb",
    "dbip-country.mmdb",
    "ipinfo_lite.mmdb",
    "country.mmdb",
    "GeoIP2-City.mmdb",
    "GeoLite2-City.mmdb",
];

/// Files with autonomous systems.
const SYSTEMS: [&str; 6] = [
    "GeoIP2-ISP.mmdb",
    "GeoLite2-ASN.mmdb",
    "dbip-asn-lite.mmdb",
    "dbip-asn.mmdb",
    "ipinfo_lite.mmdb",
    "asn.mmdb",
];

/// Which file is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first good one in the usual places.
    #[default]
    Usual,
    /// The one that the user named. No other is looked for then.
    File(PathBuf),
    /// None.
    Nothing,
}

/// Where to look for databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The file with countries.
    pub country: Choice,
    /// The file with autonomous systems.
    pub asn: Choice,
    /// Directories in which files are looked for by the names that publishers give them.
    pub directories: Vec<PathBuf>,
    /// Where a file with countries that came with femtosnitch may be, used if there is no other.
    pub fallback: Vec<PathBuf>,
}

impl Default for Search {
    /// The places where distributions put them, nothing else.
    fn default() -> Self {
        let directories = DIRECTORIES.map(PathBuf::from).into();
        Self { country: Choice::Usual, asn: Choice::Usual, directories, fallback: Vec::new() }
    }
}

/// Why a file is not used, or an old one still is.
#[derive(Debug)]
pub struct Problem {
    /// What is wrong.
    pub error: Error,
    /// Whether what was read of this file before is used on.
    pub kept: bool,
}

/// The databases in use. One thread refreshes them; others ask through [`Places`].
#[derive(Debug)]
pub struct Databases {
    country: Slot,
    asn: Slot,
    keep: Keep,
}

impl Databases {
    /// Finds and opens what `search` names. What is wrong is in [`Self::problems`]: without a
    /// database nothing but the place is unknown.
    #[must_use]
    pub fn open(search: &Search) -> Self {
        Self::open_with(search, Keep::default())
    }

    /// As [`Self::open`]; the bytes of what is opened, now and later, are where `keep` says.
    #[must_use]
    pub fn open_with(search: &Search, keep: Keep) -> Self {
        let candidates = |choice: &Choice, names: &[&str], fallback: &[PathBuf]| {
            match choice {
                Choice::Usual => {}
                Choice::File(path) => return vec![path.clone()],
                Choice::Nothing => return Vec::new(),
            }
            let within = |directory: &PathBuf| -> Vec<PathBuf> {
                names.iter().map(|name| directory.join(name)).collect()
            };
            search.directories.iter().flat_map(within).chain(fallback.iter().cloned()).collect()
        };
        let country = candidates(&search.country, &COUNTRIES, &search.fallback);
        let asn = candidates(&search.asn, &SYSTEMS, &[]);
        let named = |choice: &Choice| matches!(choice, Choice::File(_));
        let mut databases = Self {
            country: Slot::new(Wanted::Countries, country, named(&search.country)),
            asn: Slot::new(Wanted::Systems, asn, named(&search.asn)),
            keep,
        };
        databases.refresh_if_changed();
        databases
    }

    /// Looks at the files (a `stat` each), and reads those that are new or changed. The old one is
    /// kept where the new one is bad, which is then not read again until it changes. True if
    /// [`Self::places`] is another now.
    pub fn refresh_if_changed(&mut self) -> bool {
        let country = self.country.refresh(None, &self.keep);
        let asn = self.asn.refresh(self.country.current.as_ref(), &self.keep);
        country || asn
    }

    /// The databases as they are now.
    #[must_use]
    pub fn places(&self) -> Places {
        Places { country: self.country.current.clone(), asn: self.asn.current.clone() }
    }

    /// What is wrong with files as of the last look; empty if nothing is.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.country.problems().chain(self.asn.problems())
    }

    /// What is to be said of the databases in use; a file that serves for both is there twice.
    pub fn about(&self) -> impl Iterator<Item = &About> {
        [&self.country, &self.asn]
            .into_iter()
            .filter_map(|slot| Some(slot.current.as_ref()?.about()))
    }
}

/// What a slot's file has to know.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Countries,
    Systems,
}

/// One database, and the files that it may come from, best first.
#[derive(Debug)]
struct Slot {
    wanted: Wanted,
    candidates: Vec<PathBuf>,
    /// Whether the user named the file: that it is missing is a problem then.
    named: bool,
    current: Option<Arc<Database>>,
    bad: Vec<Bad>,
}

/// A file that is not used, as it was when that was found.
#[derive(Debug)]
struct Bad {
    path: PathBuf,
    /// `None` where nothing could be learned of it: it is tried again each time.
    stamp: Option<Stamp>,
    problem: Problem,
}

impl Slot {
    fn new(wanted: Wanted, candidates: Vec<PathBuf>, named: bool) -> Self {
        Self { wanted, candidates, named, current: None, bad: Vec::new() }
    }

    fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.bad.iter().map(|bad| &bad.problem)
    }

    /// Takes the first candidate that is good; true if that is another than before. `sibling` is
    /// what the other slot has: a file that serves for both is in memory once.
    fn refresh(&mut self, sibling: Option<&Arc<Database>>, keep: &Keep) -> bool {
        let mut known_bad = std::mem::take(&mut self.bad);
        for path in self.candidates.clone() {
            let current = self.current.as_ref().filter(|current| current.about().path == path);
            let kept = current.is_some();
            let stamp = match Stamp::of(&path) {
                Ok(stamp) => stamp,
                Err(error) => {
                    self.bad.push(Bad { path, stamp: None, problem: Problem { error, kept } });
                    if kept {
                        return false;
                    }
                    continue;
                }
            };
            let Some(stamp) = stamp else {
                if self.named || kept {
                    let source = std::io::ErrorKind::NotFound.into();
                    let error = Error::Unreadable { path: path.clone(), source };
                    self.bad.push(Bad { path, stamp: None, problem: Problem { error, kept } });
                }
                continue;
            };
            if current.is_some_and(|current| current.stamp() == stamp) {
                return false;
            }
            let known =
                known_bad.iter().position(|bad| bad.path == path && bad.stamp == Some(stamp));
            let outcome = match known {
                Some(index) => Err(known_bad.swap_remove(index).problem.error),
                None => self.open(&path, stamp, sibling, keep),
            };
            match outcome {
                Ok(database) => {
                    self.current = Some(database);
                    // The file of the one before is gone, and not missed any more.
                    self.bad.retain(|bad| !bad.problem.kept);
                    return true;
                }
                Err(error) => {
                    let problem = Problem { error, kept };
                    self.bad.push(Bad { path, stamp: Some(stamp), problem });
                    // Better last month's than another publisher's.
                    if kept {
                        return false;
                    }
                }
            }
        }
        false
    }

    fn open(
        &self,
        path: &Path,
        stamp: Stamp,
        sibling: Option<&Arc<Database>>,
        keep: &Keep,
    ) -> Result<Arc<Database>, Error> {
        let database = match sibling {
            Some(same) if same.about().path == path && same.stamp() == stamp => Arc::clone(same),
            _ => Arc::new(Database::open_with(path, keep)?),
        };
        let about = database.about();
        let (has, wanted) = match self.wanted {
            Wanted::Countries => (about.has_countries, "country"),
            Wanted::Systems => (about.has_networks, "autonomous system"),
        };
        if has { Ok(database) } else { Err(Error::NothingInIt { path: path.into(), wanted }) }
    }
}
