//! Files kept open until somebody wants their digest.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::time::{Duration, Instant};

use femtosnitch_model::FileId;

/// Open files waiting for somebody to want their digest.
const HELD: usize = 256;
/// How long a file is kept open for a digest that nobody wants yet: it keeps its file system busy.
const HOLD: Duration = Duration::from_secs(30);

/// Open descriptors by version of a file, the oldest given up first.
#[derive(Default)]
pub(super) struct Held {
    files: HashMap<FileId, File>,
    order: VecDeque<(FileId, Instant)>,
}

impl Held {
    pub(super) fn insert(&mut self, id: FileId, file: File) {
        if self.files.insert(id, file).is_none() {
            self.order.push_back((id, Instant::now()));
        }
        while self.files.len() > HELD {
            let Some((oldest, _)) = self.order.pop_front() else { break };
            self.files.remove(&oldest);
        }
        // Files taken out leave their place in the order behind.
        if self.order.len() > 4 * HELD {
            let files = &self.files;
            self.order.retain(|(id, _)| files.contains_key(id));
        }
    }

    pub(super) fn take(&mut self, id: &FileId) -> Option<File> {
        self.files.remove(id)
    }

    /// Closes what was held long enough; when to come back for the next.
    pub(super) fn expire(&mut self) -> Option<Duration> {
        while let Some((id, since)) = self.order.front() {
            let left = HOLD.saturating_sub(since.elapsed());
            if !left.is_zero() {
                return Some(left);
            }
            self.files.remove(id);
            self.order.pop_front();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_files_are_bounded() {
        let mut held = Held::default();
        for ino in 0..2000 {
            let file = File::open("/dev/null").unwrap();
            held.insert(FileId { ino, ..FileId::default() }, file);
            if ino % 3 == 0 {
                held.take(&FileId { ino, ..FileId::default() });
            }
        }
        assert!(held.files.len() <= HELD && held.order.len() <= 4 * HELD + 1);
        assert!(held.take(&FileId { ino: 1999, ..FileId::default() }).is_some());
    }
}
