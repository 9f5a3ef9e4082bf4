//! Name and image of a container, from the files that its runtime keeps.

mod cache;
mod home;
mod json;
mod open;
mod sources;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::origin::{Claim, Container, Runtime};
use cache::{Budget, Cache};

/// How long an answer holds: `docker rename` is seen after that.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// How long "unknown" holds: some runtimes write their files after the first program has started.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// A Kubernetes pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace, cleaned.
    pub namespace: String,
    /// Its name, cleaned.
    pub name: String,
}

/// What a runtime's files say of a container. All text is cleaned ([`crate::clean`]): at most 256
/// bytes, nothing in it that harms a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Its name; within its pod for Kubernetes.
    pub name: Option<String>,
    /// Its image as it was asked for, `docker.io/library/nginx:latest`.
    pub image: Option<String>,
    /// The pod it is in.
    pub pod: Option<Pod>,
    /// Where its files are: the OCI bundle, or the root of an LXC container.
    pub location: Option<String>,
    /// Who says so: never better than the claim of the container that was asked for.
    pub claim: Claim,
}

/// Why there is no [`Metadata`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// Its files are inside the container around it, which would be asked to speak for itself.
    #[error("it is inside another container")]
    Inside,
    /// The user's home directory is not in `/etc/passwd`, or is not theirs.
    #[error("user {0} has no home directory of their own in /etc/passwd")]
    NoHome(u32),
    /// None of the files that could tell is there, or none of them knows it.
    #[error("no file tells of it")]
    NotFound,
    /// The file is no regular file, or reached through a symbolic link that may not be followed,
    /// or on another file system than the home directory.
    #[error("{path} is not a plain file in its place")]
    NotPlain {
        /// Below which root is the caller's to know.
        path: String,
    },
    /// The file is not the user's own.
    #[error("{path} does not belong to user {uid}")]
    NotTheirs {
        /// As above.
        path: String,
        /// Whose it should be.
        uid: u32,
    },
    /// The file is larger than any that the runtime writes.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// As above.
        path: String,
        /// In bytes.
        limit: u64,
    },
    /// The file cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// As above.
        path: String,
        /// The system's reason.
        why: String,
    },
    /// The file is not what the runtime writes.
    #[error("{path} is not understood")]
    Malformed {
        /// As above.
        path: String,
    },
    /// Containers of this user were looked up too often within a minute.
    #[error("too many containers of user {0} were asked for")]
    TooMany(u32),
}

/// Looks containers up, and remembers: at most 4,096 answers, of which the oldest goes first.
///
/// Below the system's own directories it follows links (`/var/lib/docker` may be one, made by
/// root). In a user's home it follows none, leaves neither the home nor its file system, and
/// takes only that user's own files; a user can make a look-up there cost some tens of
/// milliseconds, so each gets 30 a minute.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    cache: Cache,
    budget: Budget,
}

impl Store {
    /// `root` is `/`, but for tests and for a host's file system seen from a container.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), cache: Cache::default(), budget: Budget::default() }
    }

    /// What is known of a container. `now` only has to go forwards.
    ///
    /// # Errors
    /// [`Unknown`] tells why nothing is; it is remembered for half a minute.
    pub fn lookup(
        &mut self,
        container: &Container,
        now: Instant,
    ) -> Result<Arc<Metadata>, Unknown> {
        if let Some(answer) = self.cache.get(container, now) {
            return answer;
        }
        let answer = self.read(container, now).map(Arc::new);
        let until = now + if answer.is_ok() { KNOWN_FOR } else { UNKNOWN_FOR };
        self.cache.put(container, answer.clone(), now, until);
        answer
    }

    fn read(&mut self, container: &Container, now: Instant) -> Result<Metadata, Unknown> {
        // An identifier is part of paths; a parsed one is harmless, and the fields are public.
        let id = container.id.as_str();
        if id.is_empty() || id.starts_with('.') || id.contains(['/', '\0']) {
            return Err(Unknown::NotFound);
        }
        let found = match container.claim {
            Claim::ByContainer => Err(Unknown::Inside),
            Claim::ByRoot | Claim::ByDelegate => {
                open::Place::system(&self.root).and_then(|place| sources::system(&place, container))
            }
            Claim::ByUser(uid) if self.budget.take(uid, now) => {
                sources::user(&self.root, uid, container)
            }
            Claim::ByUser(uid) => Err(Unknown::TooMany(uid)),
        };
        let named = matches!(
            container.runtime,
            Runtime::Lxc | Runtime::Nspawn | Runtime::Runc | Runtime::Crun
        );
        let found = match found {
            // Its identifier is its name, whatever else could be read.
            Err(_) if named => Ok(json::Found::default()),
            other => other,
        };
        let mut found = found?;
        if named && found.name.is_none() {
            found.name = Some(id.to_owned());
        }
        Ok(found.into_metadata(container.claim))
    }
}
