//! From a row of theirs to one of ours.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use femtosnitch_model::Connections;
use femtosnitch_model::Digest;
use femtosnitch_model::Direction;
use femtosnitch_model::Executable;
use femtosnitch_model::Image;
use femtosnitch_model::ImageId;
use femtosnitch_model::Lineage;
use femtosnitch_model::NameSource;
use femtosnitch_model::Quality;
use femtosnitch_model::Row;
use femtosnitch_model::Unhashed;
use femtosnitch_model::escape_bytes;

use super::words;

/// As long as the kernel's own paths may be, and as command lines are kept.
const LONGEST_PATH: usize = 4_096;
const LONGEST_CMDLINE: usize = 4_096;
/// The kernel's names have 15 bytes.
const LONGEST_NAME: usize = 64;
/// Of a hash, which may be the text of an error.
const LONGEST_HASH: usize = 256;
/// Executables remembered; a forgotten one is looked up again.
const REMEMBERED: usize = 4_096;
/// Clocks may differ by a day, and by no more.
const AHEAD: i64 = 86_400;
/// `(uid_t) -1`: nobody knows who.
const NOBODY_KNOWS: u32 = u32::MAX;
/// `AF_INET`, `AF_INET6`
const INET: u16 = 2;
const INET6: u16 = 10;

/// Makes a line of arguments that are separated by NUL; true if they were cut.
pub type CommandLine = dyn Fn(&[u8], bool) -> String + Send;

/// What of the rows is kept: the configuration's `[privacy]`.
pub struct Keep {
    /// Addresses of both ends.
    pub addresses: bool,
    /// Ports of both ends.
    pub ports: bool,
    /// Remote names.
    pub names: bool,
    /// What is stored of command lines.
    pub cmdline: Box<CommandLine>,
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addresses, ports, names, cmdline: _ } = self;
        write!(f, "Keep {{ addresses: {addresses}, ports: {ports}, names: {names} }}")
    }
}

/// Why a row was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// The start of a program, which picosnitch can log as a connection of port -1.
    Exec,
    /// No time, or one that is still to come.
    Time,
    /// Amounts of bytes that are none.
    Amount,
    /// Ports that are none.
    Port,
    /// A user that is none.
    User,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exec => "starts of programs, which moved nothing",
            Self::Time => "without a time that makes sense",
            Self::Amount => "with amounts that are no numbers of bytes",
            Self::Port => "with ports that are none",
            Self::User => "with users that are none",
        })
    }
}

/// What was left unknown in a row that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blank {
    /// An address that is none.
    Address,
    /// A name that is none.
    Name,
    /// An executable whose hash is neither one nor a known error.
    Digest,
    /// A reference to an executable or text that is not there.
    Reference,
    /// A path that is none.
    Path,
}

impl fmt::Display for Blank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "addresses that are none",
            Self::Name => "names that are none",
            Self::Digest => "executables whose hash is none",
            Self::Reference => "references to what is not there",
            Self::Path => "executables without an absolute path",
        })
    }
}

/// A row as the source has it. Numbers are `None` where something else stands.
#[derive(Debug)]
pub(super) struct Raw<'a> {
    pub(super) contime: Option<i64>,
    pub(super) send: Option<i64>,
    pub(super) recv: Option<i64>,
    pub(super) events: Option<i64>,
    pub(super) uid: Option<i64>,
    pub(super) family: Option<i64>,
    pub(super) protocol: Option<i64>,
    pub(super) lport: Option<i64>,
    pub(super) rport: Option<i64>,
    pub(super) netns: Option<i64>,
    /// `None` where there is no text.
    pub(super) laddr: Option<&'a [u8]>,
    pub(super) raddr: Option<&'a [u8]>,
    pub(super) domain: Option<&'a [u8]>,
    /// The program, its parent and its grandparent.
    pub(super) who: [Option<Executable>; 3],
    /// The versions before 4 do not tell.
    pub(super) tells_family: bool,
}

/// The four texts of an executable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) exe: &'a [u8],
    pub(super) name: &'a [u8],
    pub(super) cmdline: &'a [u8],
    pub(super) sha256: &'a [u8],
}

impl Texts<'_> {
    /// What they are remembered by: as much of them as makes a difference.
    pub(super) fn key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        for (text, longest) in [
            (self.exe, LONGEST_PATH),
            (self.name, LONGEST_NAME),
            (self.cmdline, LONGEST_CMDLINE),
            (self.sha256, LONGEST_HASH),
        ] {
            let (start, was_cut) = words::cut(text, longest);
            key.extend_from_slice(start);
            key.extend_from_slice(&[0, u8::from(was_cut)]);
        }
        key
    }
}

/// What an executable is remembered by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Its number in the source.
    Id(i64),
    /// Its texts, where they stand in the row.
    Texts(Vec<u8>),
}

/// Remembers executables, and counts what cannot be carried.
#[derive(Debug)]
pub(super) struct Translator {
    keep: Keep,
    latest: i64,
    executables: HashMap<Key, Option<Executable>>,
    images: u64,
    skipped: BTreeMap<Skip, u64>,
    blanked: BTreeMap<Blank, u64>,
}

impl Translator {
    pub(super) fn new(keep: Keep, now: i64) -> Self {
        Self {
            keep,
            latest: now.saturating_add(AHEAD),
            executables: HashMap::new(),
            images: 0,
            skipped: BTreeMap::new(),
            blanked: BTreeMap::new(),
        }
    }

    /// Rows that were left out, by the reason.
    pub(super) fn skipped(&self) -> Vec<(Skip, u64)> {
        self.skipped.iter().map(|(reason, rows)| (*reason, *rows)).collect()
    }

    /// What was left unknown.
    pub(super) fn blanked(&self) -> Vec<(Blank, u64)> {
        self.blanked.iter().map(|(what, times)| (*what, *times)).collect()
    }

    pub(super) fn blank(&mut self, what: Blank) {
        *self.blanked.entry(what).or_default() += 1;
    }

    /// An executable that was met before; `Some(None)`: it stands for none.
    pub(super) fn known(&self, key: &Key) -> Option<Option<Executable>> {
        self.executables.get(key).cloned()
    }

    /// Remembers an executable; `None` if it stands for none.
    pub(super) fn executable(&mut self, key: Key, texts: Option<Texts<'_>>) -> Option<Executable> {
        let made = match texts {
            Some(texts) => self.make(texts),
            None => {
                self.blank(Blank::Reference);
                None
            }
        };
        if self.executables.len() >= REMEMBERED {
            self.executables.clear();
        }
        self.executables.insert(key, made.clone());
        made
    }

    fn make(&mut self, texts: Texts<'_>) -> Option<Executable> {
        let Texts { exe, name, cmdline, sha256 } = texts;
        // An empty command line was stored as an empty argument, in quotes.
        let cmdline = if cmdline == b"''" { &[] } else { cmdline };
        if [exe, name, cmdline, sha256].iter().all(|text| text.is_empty()) {
            return None;
        }
        let path = match exe.strip_suffix(b" (deleted)") {
            Some(path) if path.len() > 1 => path,
            _ => exe,
        };
        let path = if path.starts_with(b"/") {
            escape_bytes(words::cut(path, LONGEST_PATH).0)
        } else {
            // Besides '' there are bracketed words for files that have several names.
            if !path.is_empty() && !path.starts_with(b"<") {
                self.blank(Blank::Path);
            }
            "(unknown)".to_owned()
        };
        let name = escape_bytes(words::cut(name, LONGEST_NAME).0);
        let (cmdline, was_cut) = words::cut(cmdline, LONGEST_CMDLINE);
        let cmdline = (self.keep.cmdline)(&words::arguments(cmdline), was_cut);
        let digest = words::digest(sha256).unwrap_or_else(|| {
            self.blank(Blank::Digest);
            Digest::Missing(Unhashed::Unknown)
        });
        Some(self.image(path, name, cmdline, digest))
    }

    fn image(&mut self, path: String, name: String, cmdline: String, digest: Digest) -> Executable {
        let id = ImageId(self.images);
        self.images += 1;
        Executable { image: Arc::new(Image { id, path, name, cmdline, file: None }), digest }
    }

    /// The same traffic as a row of ours; `None` if it is left out, which is counted.
    pub(super) fn row(&mut self, raw: Raw<'_>) -> Option<Row> {
        match self.try_row(raw) {
            Ok(row) => Some(row),
            Err(skip) => {
                *self.skipped.entry(skip).or_default() += 1;
                None
            }
        }
    }

    fn try_row(&mut self, raw: Raw<'_>) -> Result<Row, Skip> {
        let bytes =
            |count: Option<i64>| count.and_then(|it| u64::try_from(it).ok()).ok_or(Skip::Amount);
        let (send, recv) = (bytes(raw.send)?, bytes(raw.recv)?);
        if (raw.lport == Some(-1) || raw.rport == Some(-1)) && send == 0 && recv == 0 {
            return Err(Skip::Exec);
        }
        let contime = raw.contime.filter(|time| (0..=self.latest).contains(time));
        let contime = contime.ok_or(Skip::Time)?;
        let uid = match raw.uid {
            Some(-1) => NOBODY_KNOWS,
            uid => uid.and_then(|uid| u32::try_from(uid).ok()).ok_or(Skip::User)?,
        };
        let (lport, rport) = (port(raw.lport)?, port(raw.rport)?);
        let (laddr, raddr) = (self.address(raw.laddr), self.address(raw.raddr));
        let family = match (raw.tells_family, raddr.or(laddr)) {
            (true, _) => small(raw.family),
            (false, Some(IpAddr::V4(_))) => INET,
            (false, Some(IpAddr::V6(_))) => INET6,
            (false, None) => 0,
        };
        let domain = raw.domain.map_or(Some(String::new()), words::domain).unwrap_or_else(|| {
            self.blank(Blank::Name);
            String::new()
        });
        let [exe, parent, grandparent] = raw.who;
        let exe = match exe {
            Some(exe) => exe,
            None => self.unknown(),
        };
        let keep = &self.keep;
        Ok(Row {
            contime,
            send,
            recv,
            wire_send: None,
            wire_recv: None,
            events: raw.events.and_then(|events| u64::try_from(events).ok()).unwrap_or(0),
            direction: Direction::default(),
            connections: Connections::default(),
            quality: Quality::default(),
            lineage: Lineage::default(),
            exe,
            parent,
            grandparent,
            uid,
            pid: 0,
            family,
            protocol: small(raw.protocol),
            laddr: laddr.filter(|_| keep.addresses),
            raddr: raddr.filter(|_| keep.addresses),
            lport: if keep.ports { lport } else { 0 },
            rport: if keep.ports { rport } else { 0 },
            domain: if keep.names { domain.into() } else { "".into() },
            // Nobody can tell any more whether a program was told the name or the address' owner
            // gave it.
            name_source: NameSource::NONE,
            netns: raw.netns.and_then(|netns| u32::try_from(netns).ok()).unwrap_or(0),
            container: "".into(),
        })
    }

    /// Stands where nothing is known of a program.
    fn unknown(&mut self) -> Executable {
        let key = Key::Texts(Vec::new());
        if let Some(Some(known)) = self.known(&key) {
            return known;
        }
        let missing = Digest::Missing(Unhashed::Unknown);
        let made = self.image("(unknown)".to_owned(), String::new(), String::new(), missing);
        self.executables.insert(key, Some(made.clone()));
        made
    }

    fn address(&mut self, text: Option<&[u8]>) -> Option<IpAddr> {
        let text = text.filter(|text| !text.is_empty())?;
        let address = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        if address.is_none() {
            self.blank(Blank::Address);
        }
        address
    }
}

fn port(port: Option<i64>) -> Result<u16, Skip> {
    match port {
        Some(-1) => Ok(0),
        port => port.and_then(|port| u16::try_from(port).ok()).ok_or(Skip::Port),
    }
}

fn small(number: Option<i64>) -> u16 {
    number.and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
}
