//! Where everything lives below `--root`.

use std::io;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The places femtosnitch uses, all under one root, so that a second instance with another root
/// shares nothing with the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// Below `root`; `/` is the system's own.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The root itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration in TOML.
    #[must_use]
    pub fn config_toml(&self) -> PathBuf {
        self.root.join("etc/femtosnitch/config.toml")
    }

    /// The configuration in JSON, with the same keys.
    #[must_use]
    pub fn config_json(&self) -> PathBuf {
        self.root.join("etc/femtosnitch/config.json")
    }

    /// Whichever of the two configuration files exists, `None` if neither does.
    ///
    /// # Errors
    /// If both exist (nobody could tell which one counts) or if that cannot be found out.
    pub fn config(&self) -> Result<Option<PathBuf>, ConfigError> {
        let (toml, json) = (self.config_toml(), self.config_json());
        match (exists(&toml)?, exists(&json)?) {
            (true, true) => Err(ConfigError::Both { toml, json }),
            (true, false) => Ok(Some(toml)),
            (false, true) => Ok(Some(json)),
            (false, false) => Ok(None),
        }
    }

    /// The history.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("var/lib/femtosnitch/femtosnitch.db")
    }

    /// What an absolute path of the configuration means below this root.
    #[must_use]
    pub fn below(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Where the database of countries that came with femtosnitch may be: where packages and `make
    /// install` put it, or, on the system's own root, beside this executable's directory, be that
    /// another prefix or the build's.
    #[must_use]
    pub fn default_countries(&self) -> Vec<PathBuf> {
        const NAME: &str = "share/femtosnitch/dbip-country.mmdb";
        let mut places =
            ["usr/local", "usr"].map(|prefix| self.root.join(prefix).join(NAME)).to_vec();
        if self.root == Path::new("/")
            && let Ok(exe) = std::env::current_exe()
            && let Some(prefix) = exe.parent().and_then(Path::parent)
        {
            places.insert(0, prefix.join(NAME));
        }
        places
    }

    /// Directory for logs.
    #[must_use]
    pub fn log_dir(&self) -> PathBuf {
        self.root.join("var/log/femtosnitch")
    }

    /// Directory for what can be fetched or computed again.
    #[must_use]
    pub fn cache_dir(&self) -> PathBuf {
        self.root.join("var/cache/femtosnitch")
    }

    /// Copies of the databases of countries and networks in use; nobody else enters it.
    #[must_use]
    pub fn geoip_copies(&self) -> PathBuf {
        self.cache_dir().join("geoip")
    }

    /// Directory for what lives as long as the daemon.
    #[must_use]
    pub fn run_dir(&self) -> PathBuf {
        self.root.join("run/femtosnitch")
    }

    /// The live feed's socket.
    #[must_use]
    pub fn live_socket(&self) -> PathBuf {
        self.run_dir().join("live.sock")
    }

    /// What the dashboard keeps where it runs as a service: the token, sessions.
    #[must_use]
    pub fn web_state_dir(&self) -> PathBuf {
        self.root.join("var/lib/femtosnitch-web")
    }

    /// Held by the one daemon that serves this root.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.run_dir().join("lock")
    }
}

/// A dangling link counts as existing: somebody meant a configuration to be there.
fn exists(path: &Path) -> Result<bool, ConfigError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(ConfigError::Read { path: path.to_owned(), source: error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_below_the_root() {
        let paths = Paths::new(Path::new("/srv/x"));
        assert!(paths.default_countries().iter().all(|path| path.starts_with("/srv/x/usr")));
        assert_eq!(paths.below(Path::new("/a/b")), Path::new("/srv/x/a/b"));
        for path in [
            paths.config_toml(),
            paths.config_json(),
            paths.database(),
            paths.log_dir(),
            paths.cache_dir(),
            paths.geoip_copies(),
            paths.live_socket(),
            paths.lock_file(),
            paths.web_state_dir(),
        ] {
            assert!(path.starts_with("/srv/x"), "{path:?}");
        }
        assert_eq!(
            Paths::new(Path::new("/")).live_socket(),
            Path::new("/run/femtosnitch/live.sock")
        );
    }

    #[test]
    fn one_config_is_found_two_are_refused_and_none_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        assert_eq!(paths.config().unwrap(), None);
        std::fs::create_dir_all(dir.path().join("etc/femtosnitch")).unwrap();
        std::fs::write(paths.config_json(), "{}").unwrap();
        assert_eq!(paths.config().unwrap(), Some(paths.config_json()));
        std::fs::write(paths.config_toml(), "").unwrap();
        assert!(matches!(paths.config(), Err(ConfigError::Both { .. })));
    }

    #[test]
    fn a_dangling_link_is_not_taken_for_a_missing_config() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        std::fs::create_dir_all(dir.path().join("etc/femtosnitch")).unwrap();
        std::os::unix::fs::symlink("nowhere", paths.config_toml()).unwrap();
        assert_eq!(paths.config().unwrap(), Some(paths.config_toml()));
    }
}
