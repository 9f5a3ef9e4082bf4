//! What of the configuration can change while the daemon runs, and which one is in force.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use femtosnitch_api::ConfigStatus;
use femtosnitch_engine::{Filters, Privacy, Redactor};

use crate::config::{self, Config, for_the_next_start};

/// What the capture thread goes by.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(super) filters: Filters,
    pub(super) privacy: Privacy,
    pub(super) sample_interval: Duration,
    pub(super) write_interval: Duration,
    pub(super) names: config::Names,
}

impl Settings {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            filters: Filters::new(config.ignore.clone(), config.only.clone()),
            privacy: privacy(config),
            sample_interval: config.capture.sample_interval,
            write_interval: config.store.write_interval,
            names: config.names.clone(),
        }
    }
}

/// What is kept of what is recorded.
pub(crate) fn privacy(config: &Config) -> Privacy {
    let keep = &config.privacy;
    Privacy {
        addresses: keep.addresses,
        ports: keep.ports,
        names: keep.names,
        cmdlines: keep.cmdlines,
        redactor: keep.redact.then(|| Redactor::new(&keep.redact_patterns)),
    }
}

/// What SIGHUP does to whoever captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// The configuration is read again.
    Reloads,
    /// It is the end, as of anything in a terminal.
    Ends,
}

/// A configuration that was read.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    path: String,
    at: f64,
    at_next_start: Vec<String>,
}

impl Loaded {
    /// `first` is what the daemon was started with.
    pub(super) fn new(path: Option<&Path>, at: f64, first: &Config, config: &Config) -> Self {
        let keys = for_the_next_start(first, config);
        Self {
            path: path.map_or_else(String::new, |path| path.display().to_string()),
            at,
            at_next_start: keys.into_iter().map(str::to_owned).collect(),
        }
    }

    /// What to tell of keys that have to wait; `None` if there are none.
    pub(super) fn warning(&self) -> Option<String> {
        let keys = self.at_next_start.join(", ");
        let change = if self.at_next_start.len() == 1 { "changes" } else { "change" };
        (!keys.is_empty()).then(|| format!("{keys} {change} at the next start"))
    }
}

/// Which configuration is in force, for `status`.
#[derive(Debug)]
pub(super) struct InForce(Mutex<ConfigStatus>);

impl InForce {
    pub(super) fn new(loaded: Loaded, hangup: Hangup) -> Self {
        let by_signal = hangup == Hangup::Reloads;
        let status = ConfigStatus { by_signal, ..ConfigStatus::default() };
        let in_force = Self(Mutex::new(status));
        in_force.put(loaded, 0);
        in_force
    }

    /// The defaults, never read from anywhere.
    #[cfg(test)]
    pub(super) fn defaults() -> Self {
        let config = Config::default();
        Self::new(Loaded::new(None, 0.0, &config, &config), Hangup::Reloads)
    }

    /// Another one is in force from now on.
    pub(super) fn replaced(&self, loaded: Loaded) {
        self.put(loaded, 1);
    }

    /// There was another one, but it is of no use.
    pub(super) fn refused(&self, reason: &str) {
        let mut status = self.status();
        status.reloads += 1;
        status.refused = Some(reason.to_owned());
    }

    pub(super) fn get(&self) -> ConfigStatus {
        self.status().clone()
    }

    fn put(&self, Loaded { path, at, at_next_start }: Loaded, reloads: u64) {
        let mut status = self.status();
        status.generation += 1;
        status.reloads += reloads;
        status.refused = None;
        (status.path, status.loaded_at, status.at_next_start) = (path, at, at_next_start);
    }

    fn status(&self) -> MutexGuard<'_, ConfigStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;

    #[test]
    fn what_is_in_force_is_told() {
        let first = Config::default();
        let other = Config::parse("[capture]\nmax_flows = 1000\n", Format::Toml).unwrap();
        let path = Some(Path::new("/etc/x.toml"));
        let in_force = InForce::new(Loaded::new(None, 1.0, &first, &first), Hangup::Reloads);
        assert_eq!((in_force.get().generation, in_force.get().reloads), (1, 0));
        in_force.refused("line 3 is wrong");
        assert_eq!((in_force.get().generation, in_force.get().reloads), (1, 1));
        assert_eq!(in_force.get().refused.as_deref(), Some("line 3 is wrong"));
        let loaded = Loaded::new(path, 2.0, &first, &other);
        let warning = loaded.warning().unwrap();
        assert_eq!(warning, "capture.max_flows changes at the next start");
        in_force.replaced(loaded);
        let now = in_force.get();
        assert_eq!((now.generation, now.reloads, now.refused), (2, 2, None));
        assert_eq!((now.path.as_str(), now.loaded_at), ("/etc/x.toml", 2.0));
        assert_eq!(now.at_next_start, ["capture.max_flows"]);
        in_force.replaced(Loaded::new(path, 3.0, &first, &first));
        assert!(in_force.get().at_next_start.is_empty(), "taken back");
    }

    #[test]
    fn secrets_are_taken_out_unless_that_is_switched_off() {
        assert_eq!(Settings::of(&Config::default()).privacy, Privacy::default());
        let open = Config::parse("[privacy]\nredact = false\n", Format::Toml).unwrap();
        assert_eq!(Settings::of(&open).privacy.redactor, None);
    }
}
