//! Images, each kept once however many processes run it.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use femtosnitch_model::{FileId, Image, ImageId};

/// Compares by what is run, not by the number given to it.
#[derive(Debug)]
struct Content(Arc<Image>);

impl Content {
    fn parts(&self) -> (&Option<FileId>, &str, &str, &str) {
        (&self.0.file, &self.0.path, &self.0.name, &self.0.cmdline)
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Content {}

impl Hash for Content {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// The images in use. Bounded by the processes and rows that hold them: others are dropped by
/// [`Images::prune`].
#[derive(Debug, Default)]
pub(crate) struct Images {
    known: HashSet<Content>,
    next: u64,
    prune_at: usize,
}

impl Images {
    /// The one image with this content.
    pub(crate) fn intern(
        &mut self,
        file: Option<FileId>,
        path: String,
        name: String,
        cmdline: String,
    ) -> Arc<Image> {
        let id = ImageId(self.next);
        let content = Content(Arc::new(Image { id, path, name, cmdline, file }));
        if let Some(known) = self.known.get(&content) {
            return Arc::clone(&known.0);
        }
        self.next += 1;
        let image = Arc::clone(&content.0);
        self.known.insert(content);
        if self.known.len() > self.prune_at.max(1024) {
            self.prune();
            self.prune_at = self.known.len() * 2;
        }
        image
    }

    /// The number of the next image that is not known yet.
    pub(crate) fn next_id(&self) -> ImageId {
        ImageId(self.next)
    }

    /// Forgets images that nobody holds.
    fn prune(&mut self) {
        self.known.retain(|content| Arc::strong_count(&content.0) > 1);
    }

    /// The files of all images that somebody holds.
    pub(crate) fn files_in_use(&self) -> HashSet<FileId> {
        let held = self.known.iter().filter(|content| Arc::strong_count(&content.0) > 1);
        held.filter_map(|content| content.0.file).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_content_is_one_image() {
        let mut images = Images::default();
        let mut intern =
            |cmdline: &str| images.intern(None, "/bin/a".into(), "a".into(), cmdline.to_owned());
        let (one, two, other) = (intern("a -x"), intern("a -x"), intern("a -y"));
        assert!(Arc::ptr_eq(&one, &two));
        assert_ne!(one.id, other.id);
    }

    #[test]
    fn images_that_nobody_runs_do_not_pile_up() {
        let mut images = Images::default();
        let kept = images.intern(None, "/kept".into(), String::new(), String::new());
        for n in 0..50_000 {
            images.intern(None, "/bin/x".into(), "x".into(), n.to_string());
        }
        assert!(images.len() < 5_000, "{}", images.len());
        let again = images.intern(None, "/kept".into(), String::new(), String::new());
        assert_eq!(kept.id, again.id);
    }
}
