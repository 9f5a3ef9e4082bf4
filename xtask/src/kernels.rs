//! Debian's cloud kernels: small, with BTF, one package each; kept in the cache once unpacked.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;

use crate::apt::Package;
use crate::apt::PrivateApt;
use crate::process;

/// The matrix: 6.1 has no socket length tracepoints (the fexit front), 6.12 has them.
pub(crate) const SERIES: [&str; 2] = ["6.1", "6.12"];

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
/// `refresh` asks for it.
pub(crate) fn get(cache: &Path, series: &[&str], refresh: bool) -> Result<Vec<Kernel>> {
    if std::env::consts::ARCH != "x86_64" {
        bail!(
            "the kernel matrix runs on x86_64 only so far: set FEMTOSNITCH_SKIP_VM=1 to leave it out"
        );
    }
    // One of several test runs fetches, the others wait for it.
    let lock = File::create(cache.join("lock"))?;
    lock.lock().context("cannot lock the cache")?;
    let lists = cache.join("apt");
    let mut apt = None;
    let mut kernels = Vec::new();
    for series in series {
        let shelf = cache.join("kernels").join(series);
        if refresh || cached(&shelf)?.is_none() {
            println!("vm {series}: fetching Debian's newest cloud kernel into {}", shelf.display());
            let apt = match &apt {
                Some(apt) => apt,
                None => apt.insert(PrivateApt::prepare(&lists)?),
            };
            fetch_newest(apt, series, &shelf)?;
        }
        kernels.push(cached(&shelf)?.with_context(|| format!("{} stayed empty", shelf.display()))?);
    }
    if apt.is_some() {
        // Large, and outdated by the next time they are needed.
        remove(&lists)?;
    }
    Ok(kernels)
}

fn fetch_newest(apt: &PrivateApt, series: &str, shelf: &Path) -> Result<()> {
    let candidates = newest_first(apt.packages(&package_pattern(series))?);
    let mut problem = anyhow::anyhow!("Debian's package lists hold no cloud kernel {series}");
    for package in candidates.iter().take(ATTEMPTS) {
        match fetch(apt, package, shelf) {
            Ok(()) => return Ok(()),
            Err(error) => {
                println!("vm {series}: no {} {}: {error:#}", package.name, package.version);
                problem = error;
            }
        }
    }
    Err(problem).with_context(|| format!("no kernel of series {series} can be had"))
}

/// Matches the images of one series: neither other series (6.1 is a prefix of 6.12), nor
/// meta-packages, nor unsigned twins.
fn package_pattern(series: &str) -> String {
    format!(r"^linux-image-{}\.[0-9].*-cloud-amd64$", series.replace('.', r"\."))
}

/// Unpacks one package and puts it on the shelf in place of what was there.
fn fetch(apt: &PrivateApt, package: &Package, shelf: &Path) -> Result<()> {
    let stage = shelf.with_extension("part");
    remove(&stage)?;
    let unpacked = stage.join("unpacked");
    std::fs::create_dir_all(&unpacked)?;
    let archive = apt.download(package, &stage)?;
    process::run(Command::new(process::need("dpkg-deb")?).arg("-x").arg(&archive).arg(&unpacked))?;

    let image = entry_with_prefix(&unpacked.join("boot"), "vmlinuz-")?;
    let release = file_name(&image).trim_start_matches("vmlinuz-").to_owned();
    let book = stage.join("kernel");
    let modules = book.join("lib/modules");
    std::fs::create_dir_all(&modules)?;
    // Newer packages have no /lib of their own.
    let packed = ["lib/modules", "usr/lib/modules"]
        .map(|place| unpacked.join(place).join(&release))
        .into_iter()
        .find(|place| place.is_dir())
        .with_context(|| format!("{} has no modules inside", package.name))?;
    std::fs::rename(packed, modules.join(&release))?;
    std::fs::rename(image, book.join("vmlinuz"))?;
    // Packages leave this index to the installed system.
    process::run(Command::new(process::need("depmod")?).arg("-b").arg(&book).arg(&release))?;
    std::fs::write(book.join("version"), upstream(&package.version))?;

    remove(shelf)?;
    std::fs::create_dir_all(shelf)?;
    std::fs::rename(&book, shelf.join(&release))?;
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

fn newest_first(mut packages: Vec<Package>) -> Vec<Package> {
    packages.sort_by_key(|package| std::cmp::Reverse(numbers(&package.version)));
    packages.dedup();
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

fn entry_with_prefix(directory: &Path, prefix: &str) -> Result<PathBuf> {
    std::fs::read_dir(directory)
        .with_context(|| format!("the package has no {}", file_name(directory)))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| file_name(path).starts_with(prefix))
        .with_context(|| format!("no {prefix}* in the package"))
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

    fn package(version: &str) -> Package {
        Package { name: format!("linux-image-{version}"), version: version.into() }
    }

    #[test]
    fn newest_comes_first_by_number_not_by_letter() {
        let sorted = newest_first(["6.1.99-1", "6.1.192-2", "6.1.192-1"].map(package).to_vec());
        let versions: Vec<_> = sorted.iter().map(|package| package.version.as_str()).collect();
        assert_eq!(versions, ["6.1.192-2", "6.1.192-1", "6.1.99-1"]);
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
