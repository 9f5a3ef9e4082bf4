//! What the server keeps: the token of this installation, sessions, and which events somebody has
//! acknowledged. Small files, each replaced as a whole.

mod keys;
mod sessions;

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use keys::{LONGEST_KEY_LIFE, has_token, open_key};
pub(crate) use keys::{Secret, UsedKeys};

pub(crate) use sessions::Sessions;

/// The file with the token.
const TOKEN: &str = "token";
/// Bytes of a token, a session or a nonce.
const SECRET_LEN: usize = 32;
/// No file here is longer.
const LONGEST: u64 = 4 << 20;

/// The directory.
#[derive(Debug, Clone)]
pub(crate) struct StateDir(PathBuf);

impl StateDir {
    /// Makes it, for its owner alone, if it is not there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self(path.to_owned()))
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The token; made at the first start.
    pub(crate) fn token(&self) -> io::Result<Secret> {
        let path = self.file(TOKEN);
        if !path.try_exists()? {
            self.create(TOKEN, format!("{}\n", random_hex()?).as_bytes())?;
        }
        read_token(&path)
    }

    /// The contents of a file; `None` if there is none.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match File::open(self.file(name)) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(LONGEST).read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A new file for its owner alone; one that somebody else makes meanwhile stays.
    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.write_aside(name, bytes)?;
        let made = fs::hard_link(&fresh, self.file(name));
        fs::remove_file(&fresh)?;
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Replaces a file.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        fs::rename(self.write_aside(name, bytes)?, self.file(name))
    }

    fn write_aside(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let aside = self.file(&format!(".{name}.{}", random_hex()?.get(..16).unwrap_or_default()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if let Err(error) = written {
            drop(fs::remove_file(&aside));
            return Err(error);
        }
        Ok(aside)
    }
}

/// Reads a token that others may not read; a group may.
fn read_token(path: &Path) -> io::Result<Secret> {
    let wrong = |what: &str| io::Error::other(format!("{}: {what}", path.display()));
    let file = File::open(path)?;
    if file.metadata()?.mode() & 0o007 != 0 {
        return Err(wrong("everybody can read this token; remove the file, and a new one is made"));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    let text = text.trim();
    if text.len() < 32 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong(
            "no token (at least 32 characters without spaces); remove the file, and one is made",
        ));
    }
    Ok(Secret::new(text))
}

/// Unguessable, in hexadecimal.
pub(crate) fn random_hex() -> io::Result<String> {
    let mut bytes = [0; SECRET_LEN];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(hex(&bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is kept of a secret: enough to recognise it, not to use it.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

const ACKNOWLEDGED: &str = "acknowledged.json";
/// Events that somebody has acknowledged, at most; the oldest numbers go.
const MOST_ACKNOWLEDGED: usize = 20_000;

/// Which events somebody has acknowledged.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    dir: StateDir,
    ids: BTreeSet<String>,
}

impl Acknowledged {
    pub(crate) fn load(dir: &StateDir) -> Self {
        // Whatever is not as it should be only means that events show as new again.
        let bytes = dir.read(ACKNOWLEDGED).ok().flatten().unwrap_or_default();
        let ids = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { dir: dir.clone(), ids }
    }

    #[cfg(test)]
    fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    pub(crate) fn all(&self) -> BTreeSet<String> {
        self.ids.clone()
    }

    pub(crate) fn add(&mut self, ids: impl IntoIterator<Item = String>) -> io::Result<()> {
        self.ids.extend(ids);
        // They begin with the time, ten digits until the year 2286.
        while self.ids.len() > MOST_ACKNOWLEDGED {
            self.ids.pop_first();
        }
        let bytes = serde_json::to_vec(&self.ids).map_err(io::Error::other)?;
        self.dir.replace(ACKNOWLEDGED, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("a/b")).unwrap();
        let first = state.token().unwrap();
        let mode = |name: &str| fs::metadata(state.file(name)).unwrap().mode() & 0o777;
        assert_eq!(mode("token"), 0o600);
        assert_eq!(fs::metadata(dir.path().join("a/b")).unwrap().mode() & 0o777, 0o700);
        let text = fs::read_to_string(state.file("token")).unwrap();
        assert_eq!(text.trim().len(), 64);
        assert!(first.is(text.trim()) && state.token().unwrap().is(text.trim()));
        assert!(!first.is("") && !first.is(&text.trim()[1..]));
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1);
    }

    #[test]
    fn a_token_that_everybody_can_read_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        state.token().unwrap();
        fs::set_permissions(state.file("token"), fs::Permissions::from_mode(0o644)).unwrap();
        let error = state.token().unwrap_err().to_string();
        assert!(error.contains("remove the file"), "{error}");
        fs::set_permissions(state.file("token"), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(state.token().is_ok());
        fs::write(state.file("token"), "short").unwrap();
        assert!(state.token().unwrap_err().to_string().contains("32 characters"));
    }

    #[test]
    fn what_was_acknowledged_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        fs::write(state.file(ACKNOWLEDGED), "nonsense").unwrap();
        let mut known = Acknowledged::load(&state);
        known.add(["1800000000-ab".to_owned()]).unwrap();
        let again = Acknowledged::load(&state);
        assert!(again.has("1800000000-ab") && !again.has("x"));
        let many = (0..MOST_ACKNOWLEDGED).map(|at| format!("{}-x", 1_800_000_001 + at));
        known.add(many).unwrap();
        assert!(!known.has("1800000000-ab") && known.all().len() == MOST_ACKNOWLEDGED);
    }
}
