//! What history can be grouped and filtered by.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde::Serializer;

/// A property of traffic. The names are the same in the CLI, the API and every face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "one per name in the table below, which says what each is")]
pub enum Dimension {
    Exe,
    Name,
    Cmdline,
    Sha256,
    Pexe,
    Pname,
    Pcmdline,
    Psha256,
    Gpexe,
    Gpname,
    Gpcmdline,
    Gpsha256,
    Uid,
    User,
    Container,
    Ctname,
    Image,
    Pod,
    Unit,
    App,
    Login,
    Script,
    Package,
    State,
    Domain,
    Namesource,
    Raddr,
    Rport,
    Country,
    Asn,
    Org,
    Laddr,
    Lport,
    Protocol,
    Family,
    Netns,
    Pid,
    Direction,
    Outcome,
    Minute,
    Hour,
    Day,
}

/// How a dimension is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// An expression that is the number itself.
    Number(&'static str),
    /// An expression that is a place in a list of words.
    Word(&'static str, &'static [&'static str]),
    /// A user id, shown by name.
    User,
    /// An id, and the table and column that hold the text.
    Text(&'static str, &'static str, &'static str),
    /// Likewise, an IP address.
    Address(&'static str),
    /// A column of `locations`: where the other end is.
    Location(&'static str),
    /// Its autonomous system, as `AS64496`.
    System,
    /// Likewise, a domain in reverse notation.
    Domain,
    /// A column of `places`, where the process ran.
    Place(&'static str),
    /// The path of the script that the process runs.
    Script,
    /// Who logged in, by name.
    Login,
    /// A column of `versions`: what is known of the executable, at its path in its realm.
    Version(&'static str),
}

/// Of what a dimension is a property: where its number is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    /// A column of `actors`.
    Actor,
    /// A column of `peers`.
    Peer,
    /// The row itself.
    Row,
}

/// Without a known run the realm is not known, and so the executable.
const PLACED_EXE: &str = "exe_id * placed";

impl Source {
    /// Where its numbers are found.
    pub(crate) fn party(self) -> Party {
        match self {
            Self::User
            | Self::Login
            | Self::Script
            | Self::Place(_)
            | Self::Version(_)
            | Self::Number("uid" | "netns") => Party::Actor,
            Self::Text("name_source", ..) => Party::Peer,
            Self::Text(..) | Self::Address("laddr_id") => Party::Actor,
            Self::Number("protocol" | "family")
            | Self::Word("direction", _)
            | Self::Address(_)
            | Self::Location(_)
            | Self::System
            | Self::Domain => Party::Peer,
            Self::Number(_) | Self::Word(..) => Party::Row,
        }
    }

    /// True if it is a property of the other end's address and name.
    pub(crate) fn is_of_host(self) -> bool {
        matches!(self, Self::Address("raddr_id") | Self::Location(_) | Self::System | Self::Domain)
    }

    /// What to select from the table of its [`Party`], and what else.
    pub(crate) fn columns(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Version(_) => (PLACED_EXE, Some("place_id")),
            _ => (self.column(), None),
        }
    }

    /// What to select from the table of its [`Party`].
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Number(column)
            | Self::Word(column, _)
            | Self::Text(column, ..)
            | Self::Address(column) => column,
            Self::User => "uid",
            Self::Location(_) | Self::System => "raddr_id",
            Self::Domain => "domain_id",
            Self::Place(_) => "place_id",
            Self::Script => "script_id",
            Self::Login => "login_uid",
            Self::Version(_) => PLACED_EXE,
        }
    }
}

const fn exe(id: &'static str, column: &'static str) -> Source {
    Source::Text(id, "executables", column)
}

const fn container(column: &'static str) -> Source {
    Source::Text("container_id", "containers", column)
}

/// Who began the conversation, by [`femtosnitch_model::Direction::code`] (tested).
const DIRECTIONS: &[&str] = &["", "outgoing", "incoming", "listening"];

/// What became of a connection; '' is still open, or no connection. `aborted` failed for another
/// reason or for none that is known, `error` was a connection and broke off for another reason. Which
/// it is: [`crate::blocks::outcome`].
pub(crate) const OUTCOMES: &[&str] =
    &["", "closed", "refused", "timeout", "unreachable", "reset", "aborted", "error", "unknown"];
/// The last of them: of a time that is only kept in sums that do not tell it.
pub(crate) const UNKNOWN_OUTCOME: u64 = OUTCOMES.len() as u64 - 1;

/// Names (the first is the canonical one) and sources.
const TABLE: &[(Dimension, &[&str], Source)] = &[
    // The program that moved the bytes: path, process name, command line, digest of the file.
    (Dimension::Exe, &["exe"], exe("exe_id", "exe")),
    (Dimension::Name, &["name"], exe("exe_id", "name")),
    (Dimension::Cmdline, &["cmdline"], exe("exe_id", "cmdline")),
    (Dimension::Sha256, &["sha256"], exe("exe_id", "sha256")),
    // The program that launched it.
    (Dimension::Pexe, &["pexe", "parent"], exe("pexe_id", "exe")),
    (Dimension::Pname, &["pname"], exe("pexe_id", "name")),
    (Dimension::Pcmdline, &["pcmdline"], exe("pexe_id", "cmdline")),
    (Dimension::Psha256, &["psha256"], exe("pexe_id", "sha256")),
    // The program that launched that one.
    (Dimension::Gpexe, &["gpexe", "grandparent"], exe("gpexe_id", "exe")),
    (Dimension::Gpname, &["gpname"], exe("gpexe_id", "name")),
    (Dimension::Gpcmdline, &["gpcmdline"], exe("gpexe_id", "cmdline")),
    (Dimension::Gpsha256, &["gpsha256"], exe("gpexe_id", "sha256")),
    // Real user id, and its name.
    (Dimension::Uid, &["uid"], Source::Number("uid")),
    (Dimension::User, &["user"], Source::User),
    // Container id; the container's name, image and Kubernetes pod.
    (Dimension::Container, &["container"], container("container")),
    (Dimension::Ctname, &["ctname"], container("name")),
    (Dimension::Image, &["image"], container("image")),
    (Dimension::Pod, &["pod"], container("pod")),
    // systemd unit and desktop application of the process.
    (Dimension::Unit, &["unit"], Source::Place("unit")),
    (Dimension::App, &["app"], Source::Place("app")),
    // Who logged in, whatever `su` and `sudo` did since.
    (Dimension::Login, &["login"], Source::Login),
    // The script that an interpreter runs.
    (Dimension::Script, &["script"], Source::Script),
    // The package that the executable belongs to, and whether it is what that shipped.
    (Dimension::Package, &["package"], Source::Version("package")),
    (Dimension::State, &["state"], Source::Version("state")),
    (Dimension::Domain, &["domain"], Source::Domain),
    // How the domain is known.
    (Dimension::Namesource, &["namesource"], Source::Text("name_source", "name_sources", "name")),
    // The other end, and this machine's.
    (Dimension::Raddr, &["raddr"], Source::Address("raddr_id")),
    (Dimension::Rport, &["rport"], Source::Number("rport")),
    // Where the other end was on that day: country, autonomous system, and who runs that.
    (Dimension::Country, &["country"], Source::Location("country")),
    (Dimension::Asn, &["asn"], Source::System),
    (Dimension::Org, &["org"], Source::Location("org")),
    (Dimension::Laddr, &["laddr"], Source::Address("laddr_id")),
    (Dimension::Lport, &["lport"], Source::Number("lport")),
    // IPPROTO_* and AF_* numbers.
    (Dimension::Protocol, &["protocol"], Source::Number("protocol")),
    (Dimension::Family, &["family"], Source::Number("family")),
    // Inode of the network namespace.
    (Dimension::Netns, &["netns"], Source::Number("netns")),
    (Dimension::Pid, &["pid"], Source::Number("pid")),
    // Who began the conversation, and what became of it.
    (Dimension::Direction, &["direction"], Source::Word("direction", DIRECTIONS)),
    (Dimension::Outcome, &["outcome"], Source::Word("outcome", OUTCOMES)),
    // Unix second at which the minute, hour or day (UTC) begins.
    (Dimension::Minute, &["minute"], Source::Number("minute")),
    (Dimension::Hour, &["hour"], Source::Number("hour")),
    (Dimension::Day, &["day"], Source::Number("day")),
];

/// Named in the interface, not recorded yet.
const LATER: &[&str] = &["verdict"];

impl Dimension {
    /// All of them, in the order in which they are best listed.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(dimension, ..)| *dimension)
    }

    /// The canonical name: `pexe` for what may also be called `parent`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().and_then(|(_, names, _)| names.first().copied()).unwrap_or_default()
    }

    pub(crate) fn source(self) -> Source {
        // Every variant is in the table (tested).
        self.entry().map_or(Source::Number("0"), |(.., source)| *source)
    }

    fn entry(self) -> Option<&'static (Self, &'static [&'static str], Source)> {
        TABLE.iter().find(|(dimension, ..)| *dimension == self)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Dimension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A name that is no dimension, or not one yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownDimension {
    /// A future one.
    #[error("`{0}` is not recorded yet; it comes with a later version")]
    Later(String),
    /// Not one at all.
    #[error("`{0}` is not a dimension; choose from {list}", list = listed())]
    Unknown(String),
}

fn listed() -> String {
    let names: Vec<&str> = TABLE.iter().flat_map(|(_, names, _)| names.iter().copied()).collect();
    format!("{} (later also {})", names.join(", "), LATER.join(", "))
}

impl FromStr for Dimension {
    type Err = UnknownDimension;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = TABLE.iter().find(|(_, names, _)| names.contains(&name));
        match found {
            Some((dimension, ..)) => Ok(*dimension),
            None if LATER.contains(&name) => Err(UnknownDimension::Later(name.to_owned())),
            None => Err(UnknownDimension::Unknown(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_dimension() {
        for dimension in Dimension::all() {
            assert_eq!(dimension.name().parse(), Ok(dimension));
            assert_eq!(dimension.to_string(), dimension.name());
            assert!(!dimension.name().is_empty());
        }
        // One line of the table per variant.
        assert_eq!(TABLE.len(), Dimension::Day as usize + 1);
        for (at, dimension) in Dimension::all().enumerate() {
            assert_eq!(dimension as usize, at);
        }
        assert_eq!("parent".parse(), Ok(Dimension::Pexe));
        assert_eq!("grandparent".parse(), Ok(Dimension::Gpexe));
    }

    #[test]
    fn directions_are_where_their_codes_say() {
        for direction in femtosnitch_model::Direction::ALL {
            let word = DIRECTIONS.get(usize::from(direction.code()));
            assert_eq!(word, Some(&direction.name()));
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let error = "exee".parse::<Dimension>().unwrap_err().to_string();
        assert!(error.contains("`exee`") && error.contains("exe, name,"), "{error}");
        assert!(error.contains("parent") && error.contains("verdict"), "{error}");
        let error = "verdict".parse::<Dimension>().unwrap_err().to_string();
        assert!(error.contains("later version"), "{error}");
    }
}
