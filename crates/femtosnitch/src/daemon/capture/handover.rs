//! Giving the writer what it does not have yet.

use std::sync::Arc;
use std::time::Instant;

use femtosnitch_engine::{Batch, Described};
use femtosnitch_model::{Digest, Executable, Image, ImageId};
use femtosnitch_store::{Heartbeat, Note, NoteKind};

use super::{Capture, moment};

impl Capture {
    /// Gives the writer what it does not have yet. While it is behind, rows gather here.
    pub(super) fn hand_over(&mut self, last: bool) {
        if !last && self.batches.is_behind() {
            return;
        }
        let Batch { rows, resolved, described } = self.engine.batch(last);
        let now = moment(0).wall;
        let counters = self.report.counters(&self.probe, &self.engine, &self.live);
        let losses = self.losses.news(&counters, Instant::now(), last).into_iter();
        // Also when nothing happened: the history then says that somebody looked.
        let heartbeat = Some(Heartbeat { at: now, clean: last });
        self.batches.send(femtosnitch_store::Batch {
            rows,
            resolved,
            described: described.into_iter().map(in_store_words).collect(),
            containers: self.containers.take(),
            notes: losses.map(|detail| Note { at: now, kind: NoteKind::Lost, detail }).collect(),
            heartbeat,
            ..femtosnitch_store::Batch::default()
        });
    }
}

/// The history knows contents by path and digest; whoever ran them does not matter there.
fn in_store_words(told: Described) -> femtosnitch_store::Described {
    let Described { path, realm, sha256, facts } = told;
    let (name, cmdline) = (String::new(), String::new());
    let image = Arc::new(Image { id: ImageId(0), path, name, cmdline, file: None });
    let exe = Executable { image, digest: Digest::Known(sha256) };
    femtosnitch_store::Described { exe, realm, facts }
}
