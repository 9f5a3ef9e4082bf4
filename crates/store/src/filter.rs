//! Which traffic a query looks at.

mod value;

use std::fmt;
use std::str::FromStr;

use femtosnitch_model::NameSource;
use femtosnitch_model::protocol_name;
use ipnet::IpNet;
use rusqlite::types::Value;

use crate::Dimension;
use crate::StoreError;
use crate::UnknownDimension;
use crate::Users;
use crate::dimension::Source;

/// `DIM=VALUE` or `DIM!=VALUE`, `DIM~GLOB` or `DIM!~GLOB`.
///
/// Of several with `=` or `~` and the same dimension one has to hold, of those with `!` all.
/// Numbers may be ranges (`rport=8000..8999`).
/// Texts must be equal. Addresses may be networks (`10.0.0.0/8`). Countries may be written small,
/// autonomous systems as `AS64496` or as the number alone. A domain also means everything
/// below it: `example.org` takes in `www.example.org` but not `badexample.org`. Protocols and
/// families may be named. An empty value means "unknown" or "none" (of `outcome`: still open, or no
/// connection).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    dimension: Dimension,
    negated: bool,
    value: Match,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Match {
    Text(String),
    /// As SQLite's GLOB has it.
    Glob(String),
    Number(i64),
    Range(i64, i64),
    Net(IpNet),
    /// The number of an autonomous system, 0 for unknown.
    System(u32),
    /// Reverse notation.
    Domain(String),
    /// `protocol=packet` or `xdp`: what `protocol_name` calls a family without protocols.
    Family(u16),
    User(String),
    /// A word, and its place in the dimension's list.
    Word(&'static str, usize),
}

/// Numbers from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers(pub(crate) i64, pub(crate) i64);

impl Numbers {
    pub(crate) fn contains(self, number: i64) -> bool {
        (self.0..=self.1).contains(&number)
    }
}

/// A filter that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// None of `=`, `!=`, `~` and `!~` in it.
    #[error(
        "`{0}` is no filter; write DIM=VALUE or DIM!=VALUE, as `domain=example.org`, or DIM~GLOB"
    )]
    Form(String),
    /// Before the `=` stands no dimension.
    #[error(transparent)]
    Dimension(#[from] UnknownDimension),
    /// The value does not fit the dimension.
    #[error("`{value}` is no value of {dimension}; give {wanted}")]
    Value {
        /// What is filtered.
        dimension: Dimension,
        /// What was given.
        value: String,
        /// What would be right.
        wanted: &'static str,
    },
}

impl Filter {
    /// What it filters.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// True for `!=` and `!~`.
    #[must_use]
    pub fn is_negated(&self) -> bool {
        self.negated
    }

    /// A filter on `dimension`; `negated` for `!=`.
    ///
    /// # Errors
    /// [`BadFilter::Value`].
    pub fn new(dimension: Dimension, negated: bool, value: &str) -> Result<Self, BadFilter> {
        let bad = |wanted| BadFilter::Value { dimension, value: value.to_owned(), wanted };
        let number = |wanted| value::number(value).ok_or_else(|| bad(wanted));
        let value = match dimension.source() {
            Source::Text("name_source", ..) => {
                let mut sources = NameSource::all();
                let known = sources.any(|source| source.name() == value);
                let known = known.then(|| Match::Text(value.to_owned()));
                known.ok_or_else(|| {
                    bad("how a name was learned, as dns, host-dns, tls, or nothing for no name")
                })?
            }
            Source::Location("country") => value::country(value).ok_or_else(|| {
                bad("two letters as DE, what an address is set aside for in \
                    brackets as (private), or nothing for unknown")
            })?,
            Source::System => value::system(value)
                .ok_or_else(|| bad("a number as AS64496 or 64496, or nothing for unknown"))?,
            Source::Text(.., "sha256") => Match::Text(value.to_ascii_lowercase()),
            Source::Text(..)
            | Source::Place(_)
            | Source::Script
            | Source::Version(_)
            | Source::Location(_) => Match::Text(value.to_owned()),
            Source::Word(_, words) => match words.iter().position(|word| *word == value) {
                Some(at) => Match::Word(words.get(at).copied().unwrap_or_default(), at),
                None if dimension == Dimension::Direction => {
                    return Err(bad("outgoing, incoming, listening, or nothing for unknown"));
                }
                None => {
                    return Err(bad(
                        "closed, refused, timeout, unreachable, reset, aborted, error, or nothing \
                         for still open",
                    ));
                }
            },
            Source::User | Source::Login => Match::User(value.to_owned()),
            Source::Address(_) => value::address(value)
                .ok_or_else(|| bad("an IP address or a network, as 192.0.2.1 or 2001:db8::/32"))?,
            Source::Domain => value::domain(value)
                .ok_or_else(|| bad("a domain as example.org, which takes in all names below it"))?,
            Source::Number(_) => match dimension {
                Dimension::Protocol => match value::protocol(value) {
                    Some(found) => found,
                    None => number("a name as tcp, udp, icmp, or an IP protocol number")?,
                },
                Dimension::Family => match value::family(value) {
                    Some(found) => found,
                    None => number("inet, inet6, packet, xdp, or an AF_* number")?,
                },
                Dimension::Minute | Dimension::Hour | Dimension::Day => Match::Number(
                    value.parse().map_err(|_| bad("the unix second at which it begins"))?,
                ),
                _ => number("a whole number, or two of them as 1024..2047")?,
            },
        };
        Ok(Self { dimension, negated, value })
    }

    /// A filter on texts that are like `glob`: `*` any characters, `?` one, `[a-z]` one of these;
    /// capital letters are others than small ones. Names of hosts are compared as they are read,
    /// with all their labels.
    ///
    /// # Errors
    /// [`BadFilter::Value`] for a dimension that has no texts of its own.
    pub fn like(dimension: Dimension, negated: bool, glob: &str) -> Result<Self, BadFilter> {
        match dimension.source() {
            Source::Number(_)
            | Source::Word(..)
            | Source::User
            | Source::Login
            | Source::System => {
                let value = glob.to_owned();
                let wanted = "`=` and a value: `~` is for texts, as exe~/usr/lib/*";
                Err(BadFilter::Value { dimension, value, wanted })
            }
            _ => Ok(Self { dimension, negated, value: Match::Glob(glob.to_owned()) }),
        }
    }

    /// The numbers that it takes in, of a dimension that is a row's own.
    pub(crate) fn numbers(&self) -> Option<Numbers> {
        match &self.value {
            Match::Number(number) => Some(Numbers(*number, *number)),
            Match::Range(first, last) => Some(Numbers(*first, *last)),
            Match::Word(_, at) => {
                let code = i64::try_from(*at).ok()?;
                Some(Numbers(code, code))
            }
            _ => None,
        }
    }

    /// The condition on the table of its dimension's party, as if it were not negated; its values
    /// are pushed to `values`.
    pub(crate) fn sql(
        &self,
        values: &mut Vec<Value>,
        users: &dyn Users,
    ) -> Result<String, StoreError> {
        let column = self.dimension.source().column();
        let mut value = |value: Value| {
            values.push(value);
            format!("?{}", values.len())
        };
        let condition = match &self.value {
            Match::Number(number) => format!("{column} = {}", value((*number).into())),
            Match::Range(first, last) => {
                let (first, last) = (value((*first).into()), value((*last).into()));
                format!("{column} BETWEEN {first} AND {last}")
            }
            Match::Glob(glob) => self.alike(&value(glob.clone().into())),
            Match::Word(_, at) => {
                let code = i64::try_from(*at).unwrap_or(i64::MAX);
                format!("{column} = {}", value(code.into()))
            }
            Match::Family(family) => format!("family = {}", value(i64::from(*family).into())),
            Match::User(name) => {
                let login = self.dimension.source() == Source::Login;
                if login && name.is_empty() {
                    return Ok("(login_uid = -1)".to_owned());
                }
                let uid = users.uid(name).or_else(|| name.parse().ok()).ok_or_else(|| {
                    StoreError::BadQuery(format!("there is no user `{name}`; see `getent passwd`"))
                })?;
                let uid = value(i64::from(uid).into());
                format!("{} = {uid}", if login { "login_uid" } else { "uid" })
            }
            Match::Text(text) => {
                let text_is_empty = text.is_empty();
                let mut text = || value(text.clone().into());
                match self.dimension.source() {
                    Source::Text(_, table, field) => {
                        format!("{column} IN (SELECT id FROM {table} WHERE {field} = {})", text())
                    }
                    Source::Location(field) => located(&format!("{field} = {}", text())),
                    Source::Place(field) => {
                        let places = format!("SELECT id FROM places WHERE {field} = {}", text());
                        format!("place_id IN ({places})")
                    }
                    Source::Script => {
                        let scripts = format!("SELECT id FROM executables WHERE exe = {}", text());
                        format!("script_id IN ({scripts})")
                    }
                    Source::Version(field) if text_is_empty => {
                        format!("NOT {}", of_version(field, "<> ''"))
                    }
                    Source::Version(field) => of_version(field, &format!("= {}", text())),
                    // An empty address: unknown.
                    _ => format!("{column} = 0"),
                }
            }
            Match::System(number) => {
                located(&format!("asn = {}", value(i64::from(*number).into())))
            }
            Match::Net(net) if net.prefix_len() == net.max_prefix_len() => {
                let value = value(net.addr().to_string().into());
                format!("{column} IN (SELECT id FROM addresses WHERE addr = {value})")
            }
            Match::Net(net) => {
                let value = value(net.to_string().into());
                format!("{column} IN (SELECT id FROM addresses WHERE in_network(addr, {value}))")
            }
            Match::Domain(name) if name.is_empty() => format!("{column} = 0"),
            Match::Domain(name) => {
                let exact = value(name.clone().into());
                // '/' is the character after '.': all that begins with "name.".
                let from = value(format!("{name}.").into());
                let to = value(format!("{name}/").into());
                format!(
                    "{column} IN (SELECT id FROM domains WHERE domain = {exact}
                       OR (domain >= {from} AND domain < {to}))"
                )
            }
        };
        Ok(format!("({condition})"))
    }

    /// The condition that a text is like the glob at this place among the values.
    fn alike(&self, glob: &str) -> String {
        let source = self.dimension.source();
        let column = source.column();
        match source {
            Source::Text(_, table, field) => {
                format!("{column} IN (SELECT id FROM {table} WHERE {field} GLOB {glob})")
            }
            Source::Address(_) => {
                format!("{column} IN (SELECT id FROM addresses WHERE addr GLOB {glob})")
            }
            Source::Domain => {
                format!("{column} IN (SELECT id FROM domains WHERE plain_name(domain) GLOB {glob})")
            }
            Source::Location(field) => located(&format!("{field} GLOB {glob}")),
            Source::Place(field) => {
                format!("place_id IN (SELECT id FROM places WHERE {field} GLOB {glob})")
            }
            Source::Script => {
                format!("script_id IN (SELECT id FROM executables WHERE exe GLOB {glob})")
            }
            Source::Version(field) => of_version(field, &format!("GLOB {glob}")),
            // Refused when the filter was made.
            Source::Number(_)
            | Source::Word(..)
            | Source::User
            | Source::Login
            | Source::System => "0".to_owned(),
        }
    }
}

impl FromStr for Filter {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = text.find(['=', '~']).ok_or_else(|| BadFilter::Form(text.to_owned()))?;
        let (name, value) = text.split_at(at);
        let (name, negated) = match name.strip_suffix('!') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let dimension = name.trim().parse()?;
        match value.split_at_checked(1) {
            Some(("~", glob)) => Self::like(dimension, negated, glob),
            Some((_, value)) => Self::new(dimension, negated, value),
            None => Err(BadFilter::Form(text.to_owned())),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "!" } else { "" };
        let sign = if matches!(self.value, Match::Glob(_)) { '~' } else { '=' };
        write!(f, "{}{not}{sign}", self.dimension)?;
        match &self.value {
            Match::Text(text) | Match::User(text) | Match::Glob(text) => f.write_str(text),
            Match::Range(first, last) => write!(f, "{first}..{last}"),
            Match::Number(number) => number.fmt(f),
            Match::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Match::Net(net) => net.fmt(f),
            Match::System(0) => Ok(()),
            Match::System(number) => write!(f, "AS{number}"),
            Match::Domain(name) => f.write_str(&reversed(name)),
            Match::Family(family) => f.write_str(&protocol_name(*family, 0)),
            Match::Word(word, _) => f.write_str(word),
        }
    }
}

/// `com.example.www` from `www.example.com`, and back.
pub(crate) fn reversed(name: &str) -> String {
    let mut labels: Vec<&str> = name.split('.').collect();
    labels.reverse();
    labels.join(".")
}

/// The other end is where this holds of `locations`.
fn located(condition: &str) -> String {
    format!(
        "raddr_id IN (SELECT id FROM addresses
           WHERE location_id IN (SELECT id FROM locations WHERE {condition}))"
    )
}

/// What is known of the executable has such a value. Nothing is known where there is no version.
fn of_version(field: &str, condition: &str) -> String {
    let (exe, place) = Source::Version("").columns();
    let place = place.unwrap_or_default();
    format!(
        "({exe}, {place}) IN (SELECT e.id, places.id FROM versions AS v
           JOIN executables AS e ON e.sha256 = v.sha256 AND program_path(e.exe) = v.exe
           JOIN places ON places.realm = v.realm WHERE v.{field} {condition})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Filter {
        text.parse().unwrap()
    }

    #[test]
    fn filters_read_as_they_are_written() {
        for text in [
            "exe=/usr/bin/a=b",
            "exe!=/usr/bin/curl",
            "rport!=443",
            "raddr=10.0.0.0/8",
            "raddr=2001:db8::1",
            "raddr=",
            "domain=example.org",
            "domain!=",
            "user=root",
            "protocol=packet",
            "protocol=xdp",
            "pexe=/bin/sh",
            "direction=incoming",
            "outcome=refused",
            "outcome!=",
            "country=DE",
            "country!=(private)",
            "country=",
            "asn=AS64496",
            "asn!=",
            "org=Example Networks",
            "namesource=host-dns",
            "namesource=",
        ] {
            assert_eq!(parsed(text).to_string(), text);
        }
        assert_eq!(parsed("raddr=10.1.2.3/8"), parsed("raddr=10.0.0.0/8"));
        assert_eq!(parsed("raddr=::ffff:192.0.2.1"), parsed("raddr=192.0.2.1"));
        assert_eq!(parsed("raddr=::ffff:192.0.2.0/120"), parsed("raddr=192.0.2.0/24"));
        assert_eq!(parsed("protocol=TCP"), parsed("protocol=6"));
        assert_eq!(parsed("protocol=mptcp"), parsed("protocol=262"));
        assert_eq!(parsed("domain=Example.ORG."), parsed("domain=example.org"));
        assert_eq!(parsed("country=de"), parsed("country=DE"));
        assert_eq!(parsed("asn=64496"), parsed("asn=AS64496"));
        assert_eq!(parsed("asn=as64496"), parsed("asn=AS64496"));
        assert_eq!(parsed("asn=0"), parsed("asn="));
        assert_eq!(parsed("sha256=AB"), parsed("sha256=ab"));
        assert_eq!(parsed("parent=/bin/sh"), parsed("pexe=/bin/sh"));
    }

    #[test]
    fn nonsense_is_answered_with_what_would_be_right() {
        for (text, part) in [
            ("exe", "DIM=VALUE"),
            ("exee=1", "choose from"),
            ("verdict=1", "later version"),
            ("asn=x", "AS64496"),
            ("asn=AS", "AS64496"),
            ("asn=4294967296", "AS64496"),
            ("country=Germany", "two letters"),
            ("country=()", "two letters"),
            ("country=D", "two letters"),
            ("namesource=dsn", "host-dns"),
            ("rport=http", "whole number"),
            ("rport=-1", "whole number"),
            ("raddr=10.0.0.0/33", "192.0.2.1"),
            ("raddr=example.org", "IP address"),
            ("domain=*.example.org", "below it"),
            ("domain=a..b", "example.org"),
            ("protocol=tpc", "tcp, udp"),
            ("family=ip", "inet6"),
            ("direction=up", "outgoing, incoming"),
            ("outcome=ok", "closed, refused"),
        ] {
            let error = text.parse::<Filter>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn domains_turn_round() {
        assert_eq!(reversed("www.example.org"), "org.example.www");
        assert_eq!(reversed(&reversed("a.b")), "a.b");
        assert_eq!(reversed(""), "");
    }
}
