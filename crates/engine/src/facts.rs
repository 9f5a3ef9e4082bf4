//! What is known of executables besides their digests, and what the history has not been told yet.

use std::collections::HashMap;
use std::sync::Arc;

use femtosnitch_model::{Digest, Facts, FileId, Image, Process, Sha256};

use crate::digests::Digests;

/// Files remembered; beyond, all are forgotten, and told of again when they are hashed again.
const MAX: usize = 16_384;
/// Files whose last writer is remembered.
const WRITERS: usize = 1024;
/// Names of one file that are told of: more have only those that are made for the purpose.
const NAMES: usize = 16;

/// What is known of the contents at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// As in [`Image::path`].
    pub path: String,
    /// Whose files the path means: [`femtosnitch_model::Place::realm`].
    pub realm: Arc<str>,
    /// The contents.
    pub sha256: Sha256,
    /// What is known.
    pub facts: Facts,
}

/// A path that led to a file, and whose.
type Name = (String, Arc<str>);

#[derive(Debug, Default)]
struct File {
    facts: Option<Box<Facts>>,
    names: Vec<Name>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Known {
    files: HashMap<FileId, File>,
    writers: HashMap<(u64, u64), String>,
    due: Vec<(FileId, Name)>,
}

impl Known {
    /// Something was found out. It may be better than what was found out before.
    pub(crate) fn found(&mut self, id: FileId, mut facts: Facts) {
        if let Some(writer) = self.writers.get(&(id.dev, id.ino)) {
            facts.written_by.clone_from(writer);
        }
        let file = self.file(id);
        let names = if file.facts.as_deref() == Some(&facts) { &[][..] } else { &file.names };
        let news: Vec<_> = names.iter().map(|name| (id, name.clone())).collect();
        file.facts = Some(Box::new(facts));
        self.due.extend(news);
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
        self.files.get(&image.file?)?.facts.as_deref()
    }

    /// The history has a run of this process: it wants to know what the process and its script are.
    pub(crate) fn recorded(&mut self, process: &Process) {
        self.named(&process.image, &process.place.realm);
        if let Some(script) = process.script.get() {
            self.named(script, &process.place.realm);
        }
    }

    fn named(&mut self, image: &Image, realm: &Arc<str>) {
        let Some(id) = image.file else { return };
        let file = self.file(id);
        let known = file.names.iter().any(|(path, whose)| *path == image.path && whose == realm);
        if known || file.names.len() >= NAMES {
            return;
        }
        let name = (image.path.clone(), Arc::clone(realm));
        // Nearly all have one.
        file.names.reserve_exact(1);
        file.names.push(name.clone());
        if file.facts.is_some() {
            self.due.push((id, name));
        }
    }

    fn file(&mut self, id: FileId) -> &mut File {
        if self.files.len() >= MAX && !self.files.contains_key(&id) {
            self.files.clear();
        }
        self.files.entry(id).or_default()
    }

    /// How much the history has to be told.
    pub(crate) fn waiting(&self) -> usize {
        self.due.len()
    }

    /// What the history has to be told; each once.
    pub(crate) fn take(&mut self, digests: &Digests) -> Vec<Described> {
        let due = std::mem::take(&mut self.due);
        due.into_iter()
            .filter_map(|(id, (path, realm))| {
                let facts = self.files.get(&id)?.facts.as_deref().cloned()?;
                // It was hashed before anything else was found out; by now it may be forgotten.
                let Digest::Known(sha256) = digests.of_file(id)? else { return None };
                Some(Described { path, realm, sha256, facts })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processes::alone;
    use crate::testing::key;
    use femtosnitch_model::{ImageId, Place};

    fn file(ino: u64) -> FileId {
        FileId { ino, ..FileId::default() }
    }

    fn image(ino: u64, path: &str) -> Arc<Image> {
        let (path, name) = (path.to_owned(), String::new());
        Arc::new(Image {
            id: ImageId(1),
            path,
            name,
            cmdline: String::new(),
            file: Some(file(ino)),
        })
    }

    fn process(image: Arc<Image>, realm: &str) -> Process {
        let place = Arc::new(Place { realm: realm.into(), ..Place::default() });
        Process { place, ..alone(key(1, 1), image, 0, 0) }
    }

    fn curl() -> Facts {
        Facts { package: "dpkg curl".to_owned(), ..Facts::default() }
    }

    /// Digests that know this file's.
    fn hashed(ino: u64) -> Digests {
        let mut digests = Digests::new(100);
        digests.want(&image(ino, "/x"), 1, &Default::default);
        digests.done(file(ino), Digest::Known(Sha256([1; 32])));
        digests
    }

    fn told(known: &mut Known, digests: &Digests) -> Vec<(String, String, String)> {
        let told = known.take(digests).into_iter();
        told.map(|it| (it.path, it.realm.to_string(), it.facts.package)).collect()
    }

    #[test]
    fn facts_tell_who_wrote_to_the_file_before() {
        let mut known = Known::default();
        assert_eq!(known.of(&image(7, "/x")), None);
        known.written(0, 7, "/usr/bin/dpkg");
        known.found(file(7), curl());
        let written_by = "/usr/bin/dpkg".to_owned();
        assert_eq!(known.of(&image(7, "/x")), Some(&Facts { written_by, ..curl() }));
        assert_eq!(known.of(&image(8, "/x")), None);
    }

    #[test]
    fn the_history_is_told_once_of_each_path_and_realm() {
        let (mut known, digests) = (Known::default(), hashed(7));
        known.recorded(&process(image(7, "/bin/curl"), ""));
        assert_eq!(known.waiting(), 0, "nothing is known yet");
        known.found(file(7), curl());
        let one = |realm: &str| ("/bin/curl".to_owned(), realm.to_owned(), "dpkg curl".to_owned());
        assert_eq!(told(&mut known, &digests), [one("")]);
        known.found(file(7), curl());
        known.recorded(&process(image(7, "/bin/curl"), ""));
        known.recorded(&process(image(7, "/bin/curl"), "box"));
        assert_eq!(told(&mut known, &digests), [one("box")]);
        let better = Facts { state: "intact".to_owned(), ..curl() };
        known.found(file(7), better);
        assert_eq!(told(&mut known, &digests), [one(""), one("box")], "it was busy before");
    }

    #[test]
    fn a_script_is_told_of_like_its_interpreter() {
        let (mut known, digests) = (Known::default(), hashed(8));
        let process = process(image(7, "/bin/sh"), "");
        drop(process.script.set(image(8, "/x.sh")));
        known.found(file(8), Facts::default());
        known.recorded(&process);
        assert_eq!(
            told(&mut known, &digests),
            [("/x.sh".to_owned(), String::new(), String::new())]
        );
    }

    #[test]
    fn nothing_piles_up() {
        let mut known = Known::default();
        for n in 0..3 * MAX as u64 {
            known.found(file(n), Facts::default());
            known.written(n, n, "/x");
            known.recorded(&process(image(7, &format!("/{n}")), ""));
        }
        assert!(known.files.len() <= MAX && known.writers.len() <= WRITERS);
        assert!(known.files.values().all(|file| file.names.len() <= NAMES));
    }
}
