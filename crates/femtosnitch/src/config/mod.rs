//! The configuration: a TOML or JSON file read into [`Config`], or into every problem it has.
//!
//! A file that is not there means the defaults. A file that is there and wrong in any way is an
//! error: a daemon that started in spite of it could delete history that somebody wanted to keep.

mod amount;
mod changes;
#[cfg(test)]
mod documented;
mod items;
mod json_tree;
mod node;
mod paths;
mod problem;
mod resolve;
mod retention;
mod rules;
mod section;
mod suggest;
mod toml_tree;

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use femtosnitch_engine::Lists;

pub use amount::{parse_duration, parse_size};
pub use changes::for_the_next_start;
pub use paths::Paths;
pub use problem::{ConfigError, Problem};

/// No configuration is this long; what is longer is some other file.
const LONGEST_FILE: u64 = 4 << 20;

/// Everything that can be configured, checked and with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// What the kernel side keeps.
    pub capture: Capture,
    /// The history.
    pub store: Store,
    /// Traffic that is left out of the history.
    pub ignore: Lists,
    /// The only traffic that is kept in it.
    pub only: Lists,
    /// What is kept of it.
    pub privacy: Privacy,
    /// Where addresses are.
    pub geoip: GeoIp,
    /// How executables are identified.
    pub identity: Identity,
    /// What remote hosts are called.
    pub names: Names,
    /// The log of connections.
    pub log: Log,
    /// The live feed.
    pub live: Live,
    /// Who may read.
    pub access: Access,
    /// The dashboard.
    pub web: Web,
}

/// Which kernel hooks to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Front {
    /// Whatever this kernel offers, tracepoints first.
    #[default]
    Auto,
    /// Tracepoints only (Linux 6.3 or newer); refuse to start without them.
    Tracepoint,
    /// Function exits only (Linux 5.17 to 6.2); refuse to start without them.
    Fexit,
}

/// When to find out who sent a datagram that a program receives without asking for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Senders {
    /// From the first such datagram on.
    #[default]
    Auto,
    /// From the start.
    Always,
    /// Never: they stay unknown.
    Never,
}

/// When TCP is watched where it is read by splice or zero copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Splices {
    /// Once a program does so.
    Auto,
    /// From the start.
    Always,
}

/// `[capture]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Kernel hooks.
    pub front: Front,
    /// Live (socket, process, peer) counters kept in the kernel at most.
    pub max_flows: u32,
    /// Per-process counters for what does not fit into `max_flows`.
    pub max_overflow: u32,
    /// New peers per socket and minute before they are counted as one.
    pub max_peers_per_socket: u32,
    /// Senders that nobody asks for.
    pub senders: Senders,
    /// TCP that is read by other means than calls that receive.
    pub splices: Splices,
    /// Bytes between kernel and daemon for events; a power of two.
    pub event_buffer: u32,
    /// How often a busy socket's counters are reported.
    pub sample_interval: Duration,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            front: Front::Auto,
            max_flows: 65_536,
            max_overflow: 1_024,
            max_peers_per_socket: 512,
            senders: Senders::Auto,
            splices: Splices::Auto,
            event_buffer: 1 << 20,
            sample_interval: Duration::from_secs(1),
        }
    }
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// How often traffic is written to the database.
    pub write_interval: Duration,
    /// How long single rows are kept; `None` for ever.
    pub retention: Option<Duration>,
    /// Likewise sums by minute; never shorter than rows.
    pub retention_minutes: Option<Duration>,
    /// Likewise sums by hour; never shorter than those by minute.
    pub retention_hours: Option<Duration>,
    /// Likewise sums by day; never shorter than those by hour.
    pub retention_days: Option<Duration>,
    /// Bytes that the history may take; `None` for any number.
    pub max_size: Option<u64>,
    /// Each transaction leaves a link that vouches for what it wrote.
    pub tamper_evidence: bool,
    /// Rows kept in memory at most while the database cannot be written.
    pub spool_rows: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            write_interval: Duration::from_secs(10),
            retention: Some(Duration::from_secs(30 * 86_400)),
            retention_minutes: Some(Duration::from_secs(30 * 86_400)),
            retention_hours: Some(Duration::from_secs(400 * 86_400)),
            retention_days: None,
            max_size: Some(2 << 30),
            tamper_evidence: false,
            spool_rows: 200_000,
        }
    }
}

/// `[privacy]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privacy {
    /// Addresses are kept.
    pub addresses: bool,
    /// Ports are kept.
    pub ports: bool,
    /// Remote names are kept.
    pub names: bool,
    /// Command lines are kept.
    pub cmdlines: bool,
    /// Secrets are taken out of command lines.
    pub redact: bool,
    /// Flags that a secret follows, besides those that are known.
    pub redact_patterns: Vec<String>,
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            addresses: true,
            ports: true,
            names: true,
            cmdlines: true,
            redact: true,
            redact_patterns: Vec::new(),
        }
    }
}

/// `[geoip]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GeoIp {
    /// The database of countries.
    pub country: GeoFile,
    /// The database of autonomous systems.
    pub asn: GeoFile,
}

/// Which database is used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum GeoFile {
    /// What lies in the usual places, or came with femtosnitch.
    #[default]
    Auto,
    /// None.
    Off,
    /// This one; an absolute path, which `--root` moves.
    File(PathBuf),
}

/// `[identity]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Threads that hash executables, 1 to 16; `None` lets the daemon choose.
    pub hash_threads: Option<usize>,
    /// Processes remembered at most.
    pub processes: u32,
}

impl Default for Identity {
    fn default() -> Self {
        Self { hash_threads: None, processes: 65_536 }
    }
}

/// `[names]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Whether the kernel side copies what may tell names.
    pub capture: bool,
    /// Bytes between kernel and daemon for that; a power of two.
    pub buffer: u32,
    /// Servers whose answers are believed besides those of /etc/resolv.conf.
    pub resolvers: Vec<IpAddr>,
    /// Whether what the owner of an address says it is called counts, if nothing else is known.
    pub ptr: bool,
}

impl Default for Names {
    fn default() -> Self {
        Self { capture: true, buffer: 512 << 10, resolvers: Vec::new(), ptr: false }
    }
}

/// How connections are logged besides the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Not at all.
    #[default]
    Off,
    /// Comma-separated values.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Whether connections are logged, and how.
    pub connections: LogFormat,
    /// Bytes of a file before another is begun.
    pub max_size: u32,
    /// Files kept besides the one that is written.
    pub keep: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { connections: LogFormat::Off, max_size: 64 << 20, keep: 5 }
    }
}

/// `[live]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Readers of the live feed at one time.
    pub max_readers: u32,
    /// Bytes kept for a reader that does not keep up, before events are dropped for it.
    pub reader_buffer: u32,
}

impl Default for Live {
    fn default() -> Self {
        Self { max_readers: 32, reader_buffer: 8 << 20 }
    }
}

/// `[access]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The group that may read history and live feed, if the system has it; `None` for root
    /// only.
    pub group: Option<String>,
}

impl Default for Access {
    fn default() -> Self {
        Self { group: Some("femtosnitch".to_owned()) }
    }
}

/// How the dashboard's connections are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WebTls {
    /// Not at all; only on loopback.
    #[default]
    Off,
    /// By a certificate that femtosnitch makes for itself.
    Own,
    /// By this one, in PEM form; an absolute path, which `--root` moves.
    File(PathBuf),
}

/// `[web]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Names under which browsers may ask for it, besides the address itself and localhost.
    pub hosts: Vec<String>,
    /// Encryption.
    pub tls: WebTls,
    /// The key of the certificate; `None` if it is in the same file.
    pub tls_key: Option<PathBuf>,
}

impl Default for Web {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 5_100));
        Self { listen, hosts: Vec::new(), tls: WebTls::Off, tls_key: None }
    }
}

/// How a configuration file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// TOML.
    Toml,
    /// JSON.
    Json,
}

impl Format {
    /// JSON for names that end in `.json`, TOML for all others.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("json") => Self::Json,
            _ => Self::Toml,
        }
    }
}

impl Config {
    /// The configuration below a root, and the file it came from (`None`: the defaults).
    ///
    /// # Errors
    /// If there is a file and it is not entirely right.
    pub fn load(paths: &Paths) -> Result<(Self, Option<PathBuf>), ConfigError> {
        match paths.config()? {
            Some(path) => Ok((Self::load_file(&path)?, Some(path))),
            None => Ok((Self::default(), None)),
        }
    }

    /// The configuration in this file.
    ///
    /// # Errors
    /// If the file cannot be read or is not entirely right.
    pub fn load_file(path: &Path) -> Result<Self, ConfigError> {
        let bytes =
            read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let text = str::from_utf8(&bytes).map_err(|error| {
            let before = bytes.iter().take(error.valid_up_to());
            let line = before.filter(|&&byte| byte == b'\n').count() + 1;
            let message = "not valid UTF-8; save the file in UTF-8 encoding".to_owned();
            let problem = Problem { line: Some(line), key: String::new(), message };
            ConfigError::Invalid { path: path.to_owned(), problems: vec![problem] }
        })?;
        Self::parse(text, Format::of(path))
            .map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })
    }

    /// The configuration in this text.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line.
    pub fn parse(text: &str, format: Format) -> Result<Self, Vec<Problem>> {
        resolve::parse(text, format)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other("larger than 4 MiB, so hardly a configuration"));
    }
    Ok(bytes)
}
