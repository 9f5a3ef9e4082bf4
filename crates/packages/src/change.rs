//! What happened to a path whose file became another.

use std::fmt;

use crate::answer::Answer;
use crate::answer::State;

/// Why the contents at a path changed, as far as two answers tell.
///
/// It takes for granted that they did change: ask only when the file's digest is another. Ask for
/// the later answer once the package manager has come to rest ([`Reason::Busy`] says that it has
/// not), or an upgrade looks like [`Change::Undecided`].
///
/// [`Reason::Busy`]: crate::Reason::Busy
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The same package in another version, older ones included, and the file is what it ships.
    Upgraded,
    /// The same package has another version now, but has no checksum to compare with.
    LikelyUpgraded,
    /// Package and version are as before, and the file is what that ships: it was repaired, or
    /// the package was built anew under the same version.
    Reinstalled,
    /// Another package owns the path now, and the file is what that one ships.
    Replaced,
    /// No package owned the path; one does now, and the file is what it ships.
    Packaged,
    /// The file is not what the package ships.
    Tampered,
    /// A package owned the path and none does any more, but a file is there.
    Unpackaged,
    /// No package owned the path and none does: nobody to ask.
    Untracked,
    /// One of the two answers does not say enough.
    Undecided,
}

impl Change {
    /// What lies between two answers for one path, whose contents differ.
    #[must_use]
    pub fn between(before: &Answer, after: &Answer) -> Self {
        let (old, new) = (before.owner.as_ref(), after.owner.as_ref());
        let same = old
            .zip(new)
            .is_some_and(|(old, new)| old.manager == new.manager && old.package == new.package);
        let version_differs = old.map(|old| &old.version) != new.map(|new| &new.version);
        match &after.state {
            State::Modified => Self::Tampered,
            State::Intact if same && version_differs => Self::Upgraded,
            State::Intact if same => Self::Reinstalled,
            State::Intact if old.is_some() => Self::Replaced,
            State::Intact if before.state == State::NotPackaged => Self::Packaged,
            State::NotPackaged if old.is_some() => Self::Unpackaged,
            State::NotPackaged if before.state == State::NotPackaged => Self::Untracked,
            State::Unknown(_) if same && version_differs => Self::LikelyUpgraded,
            State::Intact | State::NotPackaged | State::Unknown(_) => Self::Undecided,
        }
    }

    /// Whether a package manager explains it.
    #[must_use]
    pub fn is_explained(self) -> bool {
        match self {
            Self::Upgraded | Self::Reinstalled | Self::Replaced | Self::Packaged => true,
            Self::LikelyUpgraded
            | Self::Tampered
            | Self::Unpackaged
            | Self::Untracked
            | Self::Undecided => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upgraded => "the package was upgraded",
            Self::LikelyUpgraded => "the package was upgraded, but has no checksums",
            Self::Reinstalled => "the package was installed again",
            Self::Replaced => "another package owns it now",
            Self::Packaged => "a package owns it now",
            Self::Tampered => "it is not what the package shipped",
            Self::Unpackaged => "no package owns it any more",
            Self::Untracked => "no package owns it",
            Self::Undecided => "why is not known",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Manager, Owner, Reason};

    fn answer(package: &str, version: &str, state: State) -> Answer {
        let owner = Owner {
            manager: Manager::Dpkg,
            package: package.into(),
            version: version.into(),
            architecture: "amd64".into(),
        };
        Answer { owner: (!package.is_empty()).then_some(owner), state }
    }

    #[test]
    fn each_pair_of_answers_has_its_change() {
        let unknown = || State::Unknown(Reason::NoChecksums);
        let busy = || State::Unknown(Reason::Busy(Manager::Dpkg));
        let curl = || answer("curl", "1", State::Intact);
        let none = || answer("", "", State::NotPackaged);
        for (before, after, change) in [
            (curl(), answer("curl", "2", State::Intact), Change::Upgraded),
            (curl(), curl(), Change::Reinstalled),
            (answer("curl", "1", State::Modified), curl(), Change::Reinstalled),
            (curl(), answer("curl", "1", State::Modified), Change::Tampered),
            (curl(), answer("curl", "2", State::Modified), Change::Tampered),
            (none(), answer("curl", "1", State::Modified), Change::Tampered),
            (curl(), answer("wcurl", "1", State::Intact), Change::Replaced),
            (none(), curl(), Change::Packaged),
            (curl(), none(), Change::Unpackaged),
            (none(), none(), Change::Untracked),
            (curl(), answer("curl", "2", unknown()), Change::LikelyUpgraded),
            (curl(), answer("curl", "1", busy()), Change::Undecided),
            (answer("", "", busy()), none(), Change::Undecided),
            (answer("", "", busy()), curl(), Change::Undecided),
        ] {
            assert_eq!(Change::between(&before, &after), change, "{before} -> {after}");
        }
    }
}
