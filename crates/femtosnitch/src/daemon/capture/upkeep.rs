//! Whether the hooks work, and whether the machine slept.

use std::time::Duration;

use femtosnitch_store::{Gap, GapReason};

use super::{Capture, moment};
use crate::daemon::report::Trial;
use crate::daemon::selftest::SelfTest;

/// A shorter sleep than this is none: reading two clocks takes time too.
const SLEEP: Duration = Duration::from_secs(2);

impl Capture {
    /// While the machine slept nothing could happen, and nobody looked.
    pub(super) fn note_sleep(&mut self, asleep: Duration) {
        if asleep < SLEEP {
            return;
        }
        let now = moment(0).wall;
        let began = now.saturating_sub_unsigned(asleep.as_secs());
        tracing::info!(seconds = asleep.as_secs(), "the machine slept");
        if let Some(gap) = Gap::new(began, now, GapReason::Suspended) {
            self.batches.note_gap(gap);
        }
    }

    pub(super) fn begin_self_test(&mut self) {
        match SelfTest::new() {
            Ok(test) => {
                self.engine.set_own(&test.cookies());
                self.self_test = Some(test);
            }
            Err(error) => self.report.self_test(&Trial::Impossible(error.to_string())),
        }
    }

    /// Moves bytes of our own past the hooks and looks whether they were counted.
    pub(super) fn try_hooks(&mut self, tick: u64) -> anyhow::Result<()> {
        let Some(test) = &mut self.self_test else { return Ok(()) };
        if let Err(error) = test.move_bytes(!self.probe.looks_for_splices()) {
            // The connection may be out of step now: from here on it proves nothing.
            self.self_test = None;
            self.report.self_test(&Trial::Impossible(error.to_string()));
            return Ok(());
        }
        self.read_flows(tick, None)?;
        let verdict = self.self_test.as_ref().and_then(SelfTest::verdict);
        self.report.self_test(&verdict.map_or(Trial::Passed, Trial::Failed));
        Ok(())
    }
}
