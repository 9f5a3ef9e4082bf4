//! Who launched whom.

use std::sync::Arc;

use crate::Launch;

/// A program run, whoever launched it, and so on. Rows of one process, and of processes with the
/// same launcher, share what they have in common.
#[derive(Debug, Clone, Default)]
pub struct Lineage(Option<Arc<Link>>);

#[derive(Debug)]
struct Link {
    launch: Launch,
    above: Lineage,
}

impl Lineage {
    /// A run, and the lineage of whoever launched it (empty if that is not known).
    #[must_use]
    pub fn below(launch: Launch, above: Self) -> Self {
        Self(Some(Arc::new(Link { launch, above })))
    }

    /// The run itself.
    #[must_use]
    pub fn first(&self) -> Option<&Launch> {
        self.iter().next()
    }

    /// Nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// From the run itself upwards.
    #[must_use]
    pub fn iter(&self) -> Launches<'_> {
        Launches(self)
    }
}

impl<'a> IntoIterator for &'a Lineage {
    type Item = &'a Launch;
    type IntoIter = Launches<'a>;

    fn into_iter(self) -> Launches<'a> {
        self.iter()
    }
}

/// From the run itself upwards.
impl FromIterator<Launch> for Lineage {
    fn from_iter<T: IntoIterator<Item = Launch>>(launches: T) -> Self {
        let launches: Vec<Launch> = launches.into_iter().collect();
        launches.into_iter().rev().fold(Self::default(), |above, launch| Self::below(launch, above))
    }
}

/// See [`Lineage::iter`].
#[derive(Debug, Clone)]
pub struct Launches<'a>(&'a Lineage);

impl<'a> Iterator for Launches<'a> {
    type Item = &'a Launch;

    fn next(&mut self) -> Option<&'a Launch> {
        let link = self.0.0.as_ref()?;
        self.0 = &link.above;
        Some(&link.launch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, Executable, Image, ImageId, Place, ProcKey, Process};
    use std::sync::OnceLock;

    fn launch(tgid: u32) -> Launch {
        let [path, name, cmdline] = [const { String::new() }; 3];
        let image = Arc::new(Image { id: ImageId(0), path, name, cmdline, file: None });
        let process = Arc::new(Process {
            key: ProcKey { tgid, ..ProcKey::KERNEL },
            image: Arc::clone(&image),
            parent: None,
            depth: 0,
            uid: 0,
            login_uid: None,
            session: None,
            launched: 0,
            executed: 0,
            cgroup: "".into(),
            place: Arc::new(Place::default()),
            script: OnceLock::new(),
        });
        Launch { process, exe: Executable { image, digest: Digest::Pending }, script: None }
    }

    fn pids(lineage: &Lineage) -> Vec<u32> {
        lineage.iter().map(|launch| launch.process.key.tgid).collect()
    }

    #[test]
    fn the_nearest_comes_first_and_what_is_above_is_shared() {
        let above: Lineage = [2, 1].map(launch).into_iter().collect();
        assert_eq!(pids(&above), [2, 1]);
        let (one, other) =
            (Lineage::below(launch(3), above.clone()), Lineage::below(launch(4), above));
        assert_eq!((pids(&one), pids(&other)), (vec![3, 2, 1], vec![4, 2, 1]));
        assert_eq!(one.first().map(|launch| launch.process.key.tgid), Some(3));
        let second = |lineage: &Lineage| std::ptr::from_ref(lineage.iter().nth(1).unwrap());
        assert_eq!(second(&one), second(&other));
        assert!(Lineage::default().is_empty() && Lineage::default().first().is_none());
    }
}
