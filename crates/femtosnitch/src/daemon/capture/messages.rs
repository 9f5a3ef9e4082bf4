//! What other threads tell the capture thread.

use std::time::Instant;

use femtosnitch_model::NameEvent;

use super::{Agenda, Capture, moment};
use crate::daemon::Message;
use crate::daemon::settings::{Loaded, Settings};

impl Capture {
    pub(super) fn take_message(&mut self, message: Message) {
        match message {
            Message::Digest(file, digest) => self.engine.digest_done(file, digest),
            Message::Facts(file, facts) => self.engine.facts_found(file, facts),
            Message::Container(container, facts) => {
                self.containers.answered(container, facts, Instant::now());
            }
            Message::Script(key, path, file) => self.engine.script_found(key, &path, file),
            Message::Resolved(resolved) => {
                self.engine.heard(&NameEvent::Resolved(resolved), moment(0));
            }
            Message::Libraries(count) => {
                self.probe.libraries_watched(count);
                self.report.hooks_changed(&self.probe);
            }
            Message::Refused(reason) => {
                self.report.refused(&reason);
                self.publish_status();
            }
            // Settings that come with the end have nothing left to change.
            Message::Settings(_) | Message::Stop => {}
        }
    }

    /// Goes by another configuration from here on. What was counted before is not written yet, and
    /// is judged by it as well.
    pub(super) fn reconfigure(
        &mut self,
        (settings, loaded): (Settings, Loaded),
        agenda: &mut Agenda,
    ) {
        let Settings { filters, privacy, sample_interval, write_interval, names } = settings;
        self.engine.configure(filters, privacy);
        self.resolvers.set_config(names);
        self.learn_resolvers();
        let now = Instant::now();
        (self.sample_interval, self.write_interval) = (sample_interval, write_interval);
        agenda.sample = agenda.sample.min(now + sample_interval);
        agenda.write = agenda.write.min(now + write_interval);
        tracing::info!("the configuration was read again");
        if let Some(text) = loaded.warning() {
            tracing::warn!("{text}");
        }
        self.report.reloaded(loaded);
        self.publish_status();
    }
}
