//! Files that `dpkg-divert(1)` moves out of another package's way.

use crate::answer::{Manager, Reason};
use crate::source::{Place, unreadable};

/// Three lines each: from, to, and the package for which room is made, or `:` for the admin.
pub(super) const FILE: &[u8] = b"var/lib/dpkg/diversions";

/// More than thousands of diversions take.
const MAX_FILE: u64 = 1 << 20;

#[derive(Debug)]
struct Diversion {
    from: Box<[u8]>,
    to: Box<[u8]>,
    by: Box<[u8]>,
}

/// All diversions, in canonical paths.
#[derive(Debug, Default)]
pub(super) struct Diversions(Vec<Diversion>);

/// Under which path a package would list the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) listed: &'a [u8],
    only: Option<&'a [u8]>,
    except: Option<&'a [u8]>,
}

impl Name<'_> {
    /// Whether this package's file can be meant.
    pub(super) fn may_be_of(&self, package: &[u8]) -> bool {
        self.only.is_none_or(|only| only == package)
            && self.except.is_none_or(|except| except != package)
    }
}

impl Diversions {
    pub(super) fn read(place: Place<'_>) -> Result<Self, Reason> {
        match place.root.read(FILE, MAX_FILE) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            other => {
                let text = other.map_err(unreadable(Manager::Dpkg))?;
                Ok(Self::parse(&text, |path| place.links.canon(path)))
            }
        }
    }

    fn parse(text: &[u8], canon: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let mut lines = text.split(|&byte| byte == b'\n');
        let mut all = Vec::new();
        while let (Some(from), Some(to), Some(by)) = (lines.next(), lines.next(), lines.next()) {
            // Cut off.
            if by.is_empty() {
                break;
            }
            all.push(Diversion { from: canon(from).into(), to: canon(to).into(), by: by.into() });
        }
        Self(all)
    }

    /// The paths under which the file at `path` may be listed, and by whom.
    pub(super) fn names_of<'a>(&'a self, path: &'a [u8]) -> Vec<Name<'a>> {
        // What is at a path that was diverted is of whoever diverted it; others' went elsewhere.
        let only = self.0.iter().find(|one| *one.from == *path).map(|one| &*one.by);
        let mut names = vec![Name { listed: path, only, except: None }];
        let moved = self.0.iter().filter(|one| *one.to == *path);
        names.extend(moved.map(|one| Name {
            listed: &one.from,
            only: None,
            except: Some(&one.by),
        }));
        names
    }

    pub(super) fn memory(&self) -> usize {
        self.0.iter().map(|one| one.from.len() + one.to.len() + one.by.len() + 96).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_diverted_file_keeps_its_package() {
        let text = b"/bin/sh\n/bin/sh.distrib\ndash\n/bin/a\n/bin/b\n:\n/bin/half\n/bin/cut\n";
        let all = Diversions::parse(text, <[u8]>::to_vec);
        let who = |path: &str, package: &str| -> Vec<Vec<u8>> {
            let names = all.names_of(path.as_bytes());
            let names = names.iter().filter(|name| name.may_be_of(package.as_bytes()));
            names.map(|name| name.listed.to_vec()).collect()
        };
        let none: [&[u8]; 0] = [];
        assert_eq!(who("/bin/sh", "dash"), [b"/bin/sh"]);
        assert_eq!(who("/bin/sh", "bash"), none);
        assert_eq!(who("/bin/sh.distrib", "bash"), [&b"/bin/sh.distrib"[..], b"/bin/sh"]);
        assert_eq!(who("/bin/sh.distrib", "dash"), [b"/bin/sh.distrib"]);
        assert_eq!(who("/bin/a", "any"), none, "nobody's: the admin diverted it");
        assert_eq!(who("/bin/b", "any"), [&b"/bin/b"[..], b"/bin/a"]);
        assert_eq!(who("/bin/half", "any"), [b"/bin/half"]);
    }

    proptest! {
        #[test]
        fn anything_is_survived(text: Vec<u8>, path: Vec<u8>) {
            let all = Diversions::parse(&text, <[u8]>::to_vec);
            prop_assert!(!all.names_of(&path).is_empty());
        }
    }
}
