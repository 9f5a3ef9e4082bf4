//! Where the bytes of a database are kept while it is in use.

use std::fmt;
use std::sync::Arc;

/// The bytes of a database. They must stay as they are.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Takes the bytes of a database that was found good, and says where they are from then on.
pub struct Keep(Box<dyn Fn(Vec<u8>) -> Bytes + Send + Sync>);

impl Keep {
    /// Where `keep` says: it has to hand out the same bytes as it takes.
    #[must_use]
    pub fn by(keep: impl Fn(Vec<u8>) -> Bytes + Send + Sync + 'static) -> Self {
        Self(Box::new(keep))
    }

    pub(crate) fn keep(&self, bytes: Vec<u8>) -> Kept {
        Kept((self.0)(bytes))
    }
}

impl Default for Keep {
    /// In memory.
    fn default() -> Self {
        Self::by(|bytes| Arc::new(bytes))
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keep").finish_non_exhaustive()
    }
}

/// As the reader of the format takes them.
pub(crate) struct Kept(Bytes);

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}
