//! Debian's cloud kernels: small, with BTF and SCTP; kept in the cache once unpacked.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;

use crate::apt::Package;
use crate::apt::PrivateApt;
use crate::apt::Source;
use crate::process;

/// The matrix: 6.1 has no socket length tracepoints (the fexit front), 6.12 has them, and the
/// newest shows what changes before users meet it. Those that take longest come first.
pub(crate) const SERIES: [&str; 3] = [NEWEST, "6.1", "6.12"];

/// Not a series but whatever Debian's suites have that is newest.
pub(crate) const NEWEST: &str = "newest";

/// What holds the fixed series.
const STABLE: &[Source] = &[
    ("debian", "bookworm"),
    ("debian-security", "bookworm-security"),
    ("debian", "trixie"),
    ("debian-security", "trixie-security"),
];

/// What may hold the newest kernel. Each is read by itself, since apt has reason to refuse one: a
/// mirror without it, or one that has not followed the archive for too long. Not experimental: the
/// faults of a release candidate are not ours.
const NEWER: [&[Source]; 2] = [&[("debian", "sid")], &[("debian", "trixie-backports")]];

/// Packages of an index may be gone from the archive; so many are tried, newest first.
const ATTEMPTS: usize = 6;

/// A kernel ready to boot.
pub(crate) struct Kernel {
    /// Upstream version, e.g. `6.1.192`.
    pub(crate) version: String,
    /// What `uname -r` says in it.
    pub(crate) release: String,
    /// The image for QEMU.
    pub(crate) image: PathBuf,
    /// Directory of its modules, with `modules.dep`.
    pub(crate) modules: PathBuf,
}

/// Takes the newest kernel of each series from `cache`, or from Debian if there is none yet or
/// `refresh` asks for it; beside each series what came of it.
pub(crate) fn get<'a>(
    cache: &Path,
    series: &[&'a str],
    refresh: bool,
) -> Result<Vec<(&'a str, Result<Kernel>)>> {
    if std::env::consts::ARCH != "x86_64" {
        bail!(
            "the kernel matrix runs on x86_64 only so far: set FEMTOSNITCH_SKIP_VM=1 to leave it out"
        );
    }
    // One of several test runs fetches, the others wait for it.
    let lock = File::create(cache.join("lock"))?;
    lock.lock().context("cannot lock the cache")?;
    let mut archive = Archive { lists: cache.join("apt"), read: BTreeMap::new() };
    let kernels = series
        .iter()
        .map(|series| {
            let shelf = cache.join("kernels").join(series);
            (*series, one(&mut archive, series, &shelf, refresh))
        })
        .collect();
    // Large, and outdated by the next time they are needed.
    remove(&archive.lists)?;
    Ok(kernels)
}

fn one(archive: &mut Archive, series: &str, shelf: &Path, refresh: bool) -> Result<Kernel> {
    if refresh || cached(shelf)?.is_none() {
        println!("vm {series}: fetching Debian's newest cloud kernel into {}", shelf.display());
        fetch_newest(archive, series, shelf)?;
    }
    cached(shelf)?.with_context(|| format!("{} stayed empty", shelf.display()))
}

/// Package lists, read when they are first asked for.
struct Archive {
    lists: PathBuf,
    read: BTreeMap<&'static str, PrivateApt>,
}

impl Archive {
    /// An apt for `sources`, by the name of the first suite.
    fn apt(&mut self, sources: &'static [Source]) -> Result<(&'static str, PrivateApt)> {
        let (_, suite) = *sources.first().context("no suite to look in")?;
        if let Some(apt) = self.read.get(suite) {
            return Ok((suite, apt.clone()));
        }
        let apt = PrivateApt::prepare(&self.lists.join(suite), sources)
            .with_context(|| format!("the suite {suite} cannot be read"))?;
        self.read.insert(suite, apt.clone());
        Ok((suite, apt))
    }
}

fn fetch_newest(archive: &mut Archive, series: &str, shelf: &Path) -> Result<()> {
    let groups: &[&[Source]] = if series == NEWEST { &NEWER } else { &[STABLE] };
    let mut problem = anyhow::anyhow!("Debian's package lists hold no such cloud kernel");
    let mut candidates = Vec::new();
    for sources in groups {
        let found = archive
            .apt(sources)
            .and_then(|(suite, apt)| Ok((suite, apt.packages(&package_pattern(series))?, apt)));
        match found {
            Ok((suite, packages, apt)) => {
                if packages.is_empty() {
                    println!("vm {series}: the suite {suite} has none");
                }
                candidates.extend(packages.into_iter().map(|package| (package, apt.clone())));
            }
            Err(error) => {
                println!("vm {series}: {error:#}");
                problem = error;
            }
        }
    }
    for (package, apt) in newest_first(candidates).iter().take(ATTEMPTS) {
        match fetch(apt, package, shelf) {
            Ok(()) => return Ok(()),
            Err(error) => {
                println!("vm {series}: no {} {}: {error:#}", package.name, package.version);
                problem = error;
            }
        }
    }
    Err(problem).with_context(|| format!("no kernel {series} can be had"))
}

/// Matches the images of one series: neither other series (6.1 is a prefix of 6.12), nor
/// meta-packages, nor unsigned twins.
fn package_pattern(series: &str) -> String {
    let version = if series == NEWEST { "[0-9]+".into() } else { escaped(series) };
    format!(r"^linux-image-{version}\.[0-9].*-cloud-amd64$")
}

/// Newer images are empty: what was in them is in packages of their own.
fn parts(apt: &PrivateApt, image: &Package, release: &str) -> Result<Vec<Package>> {
    let mut packages =
        apt.packages(&format!("^linux-(base|binary|modules)-{}$", escaped(release)))?;
    packages.retain(|package| package.version == image.version);
    packages.push(image.clone());
    Ok(packages)
}

/// For a regular expression.
fn escaped(text: &str) -> String {
    text.replace('.', r"\.").replace('+', r"\+")
}

/// Unpacks one kernel and puts it on the shelf in place of what was there.
fn fetch(apt: &PrivateApt, package: &Package, shelf: &Path) -> Result<()> {
    let release = package.name.trim_start_matches("linux-image-");
    let stage = shelf.with_extension("part");
    remove(&stage)?;
    let unpacked = stage.join("unpacked");
    std::fs::create_dir_all(&unpacked)?;
    for part in parts(apt, package, release)? {
        let archive = apt.download(&part, &stage)?;
        let dpkg = process::need("dpkg-deb")?;
        process::run(Command::new(dpkg).arg("-x").arg(&archive).arg(&unpacked))?;
    }

    let book = stage.join("kernel");
    let modules = book.join("lib/modules").join(release);
    std::fs::create_dir_all(book.join("lib/modules"))?;
    // Newer packages have no /lib of their own, and the image beside the modules.
    let places = ["lib/modules", "usr/lib/modules"].map(|place| unpacked.join(place).join(release));
    let packed = existing(places)?;
    std::fs::rename(packed, &modules)?;
    let old = unpacked.join("boot").join(format!("vmlinuz-{release}"));
    let image = existing([old, modules.join("vmlinuz")])?;
    std::fs::rename(image, book.join("vmlinuz"))?;
    // Packages leave this index to the installed system.
    process::run(Command::new(process::need("depmod")?).arg("-b").arg(&book).arg(release))?;
    std::fs::write(book.join("version"), upstream(&package.version))?;

    remove(shelf)?;
    std::fs::create_dir_all(shelf)?;
    std::fs::rename(&book, shelf.join(release))?;
    remove(&stage)
}

/// The kernel on the shelf, if it is complete: it got there by one rename.
fn cached(shelf: &Path) -> Result<Option<Kernel>> {
    let Ok(entries) = std::fs::read_dir(shelf) else { return Ok(None) };
    let Some(book) = entries.filter_map(Result::ok).map(|entry| entry.path()).find(|p| p.is_dir())
    else {
        return Ok(None);
    };
    let release = file_name(&book);
    Ok(Some(Kernel {
        version: std::fs::read_to_string(book.join("version"))
            .with_context(|| format!("{} is damaged: remove it", book.display()))?,
        image: book.join("vmlinuz"),
        modules: book.join("lib/modules").join(&release),
        release,
    }))
}

fn newest_first<T>(mut packages: Vec<(Package, T)>) -> Vec<(Package, T)> {
    packages.sort_by_key(|(package, _)| std::cmp::Reverse(numbers(&package.version)));
    packages.dedup_by(|(package, _), (before, _)| package == before);
    packages
}

/// `6.1.192-2` → `6.1.192`.
fn upstream(version: &str) -> &str {
    version.split(['-', '~', '+']).next().unwrap_or(version)
}

/// The numbers in a version, for ordering: those of one series differ in nothing else that
/// matters here.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// Whichever of two places is there.
fn existing(places: [PathBuf; 2]) -> Result<PathBuf> {
    let [one, other] = places;
    [&one, &other].into_iter().find(|place| place.exists()).cloned().with_context(|| {
        format!("the packages hold neither {} nor {}", one.display(), other.display())
    })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn remove(directory: &Path) -> Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(version: &str) -> (Package, ()) {
        (Package { name: format!("linux-image-{version}"), version: version.into() }, ())
    }

    #[test]
    fn newest_comes_first_by_number_not_by_letter() {
        let given = ["6.1.99-1", "6.1.192-2", "7.3.4-1", "6.1.192-1", "6.1.192-1"];
        let sorted = newest_first(given.map(package).to_vec());
        let versions: Vec<_> =
            sorted.iter().map(|(package, ())| package.version.as_str()).collect();
        assert_eq!(versions, ["7.3.4-1", "6.1.192-2", "6.1.192-1", "6.1.99-1"]);
    }

    #[test]
    fn names_of_releases_are_no_patterns() {
        assert_eq!(package_pattern("6.1"), r"^linux-image-6\.1\.[0-9].*-cloud-amd64$");
        assert_eq!(package_pattern(NEWEST), r"^linux-image-[0-9]+\.[0-9].*-cloud-amd64$");
        assert_eq!(escaped("7.3.4+deb13-cloud-amd64"), r"7\.3\.4\+deb13-cloud-amd64");
    }

    #[test]
    fn upstream_version_is_what_comes_before_debian() {
        assert_eq!(upstream("6.1.192-2"), "6.1.192");
        assert_eq!(upstream("6.12.117-1~deb12u1"), "6.12.117");
    }

    #[test]
    fn an_empty_shelf_holds_nothing_and_a_book_is_found() {
        let directory = tempfile::tempdir().unwrap();
        assert!(cached(&directory.path().join("absent")).unwrap().is_none());
        assert!(cached(directory.path()).unwrap().is_none());
        let book = directory.path().join("6.1.0-56-cloud-amd64");
        std::fs::create_dir(&book).unwrap();
        assert!(cached(directory.path()).is_err(), "a damaged book is said, not used");
        std::fs::write(book.join("version"), "6.1.192").unwrap();
        let kernel = cached(directory.path()).unwrap().unwrap();
        assert_eq!(
            (kernel.version.as_str(), kernel.release.as_str()),
            ("6.1.192", "6.1.0-56-cloud-amd64")
        );
        assert!(kernel.modules.ends_with("lib/modules/6.1.0-56-cloud-amd64"));
    }
}
