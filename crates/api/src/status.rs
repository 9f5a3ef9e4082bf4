//! How the daemon is doing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything `femtosnitch status` shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Capturing since, seconds since 1970-01-01 UTC.
    pub since: f64,
    /// When this was true, seconds since 1970-01-01 UTC.
    pub now: f64,
    /// The front in use: `tracepoint` or `fexit`.
    pub front: String,
    /// Every program of the BPF object and what became of it.
    pub hooks: Vec<Hook>,
    /// What was seen and what was lost, by name.
    pub counters: BTreeMap<String, u64>,
    /// Flows in memory.
    pub flows: Flows,
    /// The history.
    pub database: Database,
    /// Where addresses are looked up.
    pub geoip: GeoIp,
    /// What a person should know, in full sentences; empty when all is well.
    pub warnings: Vec<String>,
    /// The configuration in use.
    pub config: ConfigStatus,
    /// What the daemon itself needs.
    pub memory: Memory,
    /// How the last trial of the hooks went, with bytes of the daemon's own: `passed`, or
    /// `failed: ` or `not possible: ` and the reason.
    pub self_test: String,
}

/// One BPF program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// Its name in the object.
    pub program: String,
    /// Where in the kernel it belongs.
    pub target: String,
    /// What became of it.
    pub state: HookState,
    /// Why.
    pub why: String,
}

/// What became of a BPF program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookState {
    /// It runs.
    #[serde(rename = "attached")]
    Attached,
    /// Another one does its work.
    #[serde(rename = "not needed")]
    NotNeeded,
    /// The kernel did not take it.
    #[serde(rename = "refused")]
    Refused,
    /// A state of a later version.
    #[default]
    #[serde(other, rename = "other")]
    Other,
}

/// Flows that the daemon holds in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flows {
    /// Now.
    pub live: u64,
    /// At most; past that, detail is lost and counted.
    pub max: u64,
}

/// The history as the writer sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Database {
    /// Where it is.
    pub path: String,
    /// Size on disk, write-ahead log included.
    pub bytes: u64,
    /// Rows, if counted.
    pub rows: Option<u64>,
    /// Last successful write, seconds since 1970-01-01 UTC.
    pub last_write: Option<f64>,
    /// `ok`, or what is wrong.
    pub state: String,
}

/// Where addresses are looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeoIp {
    /// The database of countries, if there is one.
    pub country: Option<GeoDatabase>,
    /// The database of autonomous systems, if there is one.
    pub asn: Option<GeoDatabase>,
    /// Files that are not as they should be, in full sentences; empty when all is well.
    pub problems: Vec<String>,
}

/// A database of places.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeoDatabase {
    /// Where it is.
    pub path: String,
    /// What its publisher calls it.
    pub name: String,
    /// When it was built, seconds since 1970-01-01 UTC.
    pub built: u64,
    /// Whom to name where its answers are shown, '' if nobody asks for it.
    pub attribution: String,
}

/// The configuration that the daemon goes by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigStatus {
    /// The file, '' for the defaults.
    pub path: String,
    /// When it was read, seconds since 1970-01-01 UTC.
    pub loaded_at: f64,
    /// Counts the configurations that were put in force since the daemon started, from 1.
    pub generation: u64,
    /// How often it was to be read again since then, those that were refused included.
    pub reloads: u64,
    /// Why the last of them was refused: what was in force before still is.
    pub refused: Option<String>,
    /// Keys (`section.key`) that differ from what the daemon was started with, and that only its
    /// next start heeds.
    pub at_next_start: Vec<String>,
    /// SIGHUP makes the daemon read it again. False for `femtosnitch run`, which ends then.
    pub by_signal: bool,
}

/// Memory in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Resident, shared pages counted in full.
    pub rss: u64,
    /// Resident, shared pages divided among their users.
    pub pss: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_the_wire() {
        let status = Status {
            hooks: vec![Hook { state: HookState::NotNeeded, ..Hook::default() }],
            counters: [("ring_lost".to_owned(), u64::MAX)].into(),
            database: Database { last_write: Some(1.5), ..Database::default() },
            geoip: GeoIp { country: Some(GeoDatabase::default()), ..GeoIp::default() },
            ..Status::default()
        };
        let line = serde_json::to_string(&status).unwrap();
        assert!(line.contains(r#""state":"not needed""#));
        assert_eq!(serde_json::from_str::<Status>(&line).unwrap(), status);
    }

    #[test]
    fn a_state_of_a_later_version_does_not_spoil_the_rest() {
        let line = r#"{"pid":7,"hooks":[{"program":"p","state":"asleep"}]}"#;
        let status: Status = serde_json::from_str(line).unwrap();
        assert_eq!((status.pid, status.hooks[0].state), (7, HookState::Other));
    }
}
