//! What is to be said of a database: its name, its age, and whose data it is.

use std::path::Path;
use std::path::PathBuf;

use maxminddb::Metadata;

use crate::file;
use crate::text;

/// Longest text that is handed out, in bytes.
const TEXT: usize = 4096;

/// A database as `status` and the dashboard show it. Texts have nothing in them that harms a
/// terminal; those from files beside it keep their line breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The file.
    pub path: PathBuf,
    /// What its publisher calls it, like `GeoLite2-Country`.
    pub name: String,
    /// When it was built, in seconds since 1970.
    pub built: u64,
    /// What its publisher says of it; English, where it is said in several languages.
    pub description: Option<String>,
    /// Whom to name where its answers are shown: `NAME.attribution` beside `NAME.mmdb`, or what
    /// its publisher is known to ask for.
    pub attribution: Option<String>,
    /// On which terms it may be used: the beginning of `NAME.LICENSE` beside `NAME.mmdb`.
    pub licence: Option<String>,
    /// Whether it knows countries.
    pub has_countries: bool,
    /// Whether it knows autonomous systems.
    pub has_networks: bool,
}

impl About {
    pub(crate) fn new(path: &Path, metadata: &Metadata) -> Self {
        let description = &metadata.description;
        let said = description.get("en").or_else(|| description.values().next());
        Self {
            path: path.into(),
            name: text::clean(&metadata.database_type, text::NAME).into_owned(),
            built: metadata.build_epoch,
            description: said
                .filter(|said| !said.is_empty())
                .map(|said| text::clean(said, TEXT).into_owned()),
            attribution: beside(path, "attribution")
                .or_else(|| asked_for(&metadata.database_type).map(str::to_owned)),
            licence: beside(path, "LICENSE"),
            has_countries: false,
            has_networks: false,
        }
    }
}

/// What publishers of databases that cost nothing ask for in their terms, by how they begin a
/// database's name.
fn asked_for(name: &str) -> Option<&'static str> {
    const PUBLISHERS: [(&str, &str); 3] = [
        ("DBIP-", "IP Geolocation by DB-IP (https://db-ip.com)"),
        (
            "GeoLite2-",
            "This product includes GeoLite2 Data created by MaxMind, available from \
             https://www.maxmind.com",
        ),
        ("ipinfo ", "IP address data powered by IPinfo (https://ipinfo.io)"),
    ];
    let mut publishers = PUBLISHERS.iter();
    publishers.find(|(prefix, _)| name.starts_with(prefix)).map(|(_, text)| *text)
}

/// Only a file that bears the database's name: in a directory of many, a plain `LICENSE` may be
/// that of another.
fn beside(path: &Path, extension: &str) -> Option<String> {
    let said = file::beginning(&path.with_extension(extension), TEXT as u64)?;
    let lines: Vec<_> =
        said.trim().lines().map(|line| text::clean(line.trim_end(), TEXT)).collect();
    Some(lines.join("\n")).filter(|said| !said.is_empty())
}
