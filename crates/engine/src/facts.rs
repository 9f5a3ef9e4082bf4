//! What is known of executables besides their digests.

use std::collections::HashMap;

use femtosnitch_model::{Facts, FileId, Image};

/// Files remembered; beyond, all are forgotten, and told of again when they are hashed again.
const MAX: usize = 16_384;
/// Files whose last writer is remembered.
const WRITERS: usize = 1024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Known {
    facts: HashMap<FileId, Facts>,
    writers: HashMap<(u64, u64), String>,
}

impl Known {
    /// Something was found out.
    pub(crate) fn found(&mut self, file: FileId, mut facts: Facts) {
        if let Some(writer) = self.writers.get(&(file.dev, file.ino)) {
            facts.written_by.clone_from(writer);
        }
        if self.facts.len() >= MAX {
            self.facts.clear();
        }
        self.facts.insert(file, facts);
    }

    /// Somebody wrote to a file.
    pub(crate) fn written(&mut self, dev: u64, ino: u64, path: &str) {
        if self.writers.len() >= WRITERS {
            self.writers.clear();
        }
        self.writers.insert((dev, ino), path.to_owned());
    }

    /// Of the file that an image runs.
    pub(crate) fn of(&self, image: &Image) -> Option<&Facts> {
        self.facts.get(&image.file?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_model::ImageId;

    fn file(ino: u64) -> FileId {
        FileId { ino, ..FileId::default() }
    }

    fn image(ino: u64) -> Image {
        Image {
            id: ImageId(1),
            path: "/x".to_owned(),
            name: String::new(),
            cmdline: String::new(),
            file: Some(file(ino)),
        }
    }

    #[test]
    fn facts_tell_who_wrote_to_the_file_before() {
        let mut known = Known::default();
        assert_eq!(known.of(&image(7)), None);
        known.written(0, 7, "/usr/bin/dpkg");
        let facts = Facts { package: "dpkg curl".to_owned(), ..Facts::default() };
        known.found(file(7), facts.clone());
        let written_by = "/usr/bin/dpkg".to_owned();
        assert_eq!(known.of(&image(7)), Some(&Facts { written_by, ..facts }));
        assert_eq!(known.of(&image(8)), None);
    }

    #[test]
    fn nothing_piles_up() {
        let mut known = Known::default();
        for n in 0..3 * MAX as u64 {
            known.found(file(n), Facts::default());
            known.written(n, n, "/x");
        }
        assert!(known.facts.len() <= MAX && known.writers.len() <= WRITERS);
    }
}
