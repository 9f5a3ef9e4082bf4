//! Who is logged in. Of each session a digest is kept: the file lets nobody in.

use std::collections::BTreeMap;
use std::io;

use super::{StateDir, digest, hex, random_hex};

const FILE: &str = "sessions.json";
/// How long one lasts.
const LIFE: i64 = 30 * 86_400;
/// Sessions at most; the one that ends first makes room.
const MOST: usize = 64;

/// Sessions by digest, with the unix second at which each ends.
#[derive(Debug)]
pub(crate) struct Sessions {
    dir: StateDir,
    ends: BTreeMap<String, i64>,
}

impl Sessions {
    pub(crate) fn load(dir: &StateDir) -> Self {
        // Whatever is not as it should be only means to log in again.
        let bytes = dir.read(FILE).ok().flatten().unwrap_or_default();
        let ends = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { dir: dir.clone(), ends }
    }

    /// Begins one; returns what the browser has to show, and for how many seconds.
    pub(crate) fn begin(&mut self, now: i64) -> io::Result<(String, i64)> {
        let id = random_hex()?;
        self.ends.retain(|_, end| *end > now);
        while self.ends.len() >= MOST {
            let first = self.ends.iter().min_by_key(|(_, end)| **end).map(|(id, _)| id.clone());
            first.map(|id| self.ends.remove(&id));
        }
        self.ends.insert(hex(&digest(&id)), now.saturating_add(LIFE));
        self.save()?;
        Ok((id, LIFE))
    }

    pub(crate) fn has(&self, id: &str, now: i64) -> bool {
        // A clock that was set back makes none last longer.
        let good = |end: &i64| *end > now && *end <= now.saturating_add(LIFE);
        self.ends.get(&hex(&digest(id))).is_some_and(good)
    }

    pub(crate) fn end(&mut self, id: &str) -> io::Result<()> {
        match self.ends.remove(&hex(&digest(id))) {
            Some(_) => self.save(),
            None => Ok(()),
        }
    }

    fn save(&self) -> io::Result<()> {
        let bytes = serde_json::to_vec(&self.ends).map_err(io::Error::other)?;
        self.dir.replace(FILE, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_and_outlive_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let mut sessions = Sessions::load(&state);
        let (id, life) = sessions.begin(1_000).unwrap();
        assert!(sessions.has(&id, 1_000) && !sessions.has(&id, 1_000 + life));
        assert!(!sessions.has("", 1_000) && !sessions.has(&hex(&digest(&id)), 1_000));
        let mut again = Sessions::load(&state);
        assert!(again.has(&id, 1_000));
        let file = std::fs::read_to_string(state.file(FILE)).unwrap();
        assert!(!file.contains(&id));
        again.end(&id).unwrap();
        assert!(!Sessions::load(&state).has(&id, 1_000));
    }

    #[test]
    fn there_are_never_many() {
        let dir = tempfile::tempdir().unwrap();
        let mut sessions = Sessions::load(&StateDir::open(dir.path()).unwrap());
        let (first, _) = sessions.begin(0).unwrap();
        for at in 1..=MOST {
            sessions.begin(i64::try_from(at).unwrap()).unwrap();
        }
        assert_eq!(sessions.ends.len(), MOST);
        assert!(!sessions.has(&first, 100));
    }
}
