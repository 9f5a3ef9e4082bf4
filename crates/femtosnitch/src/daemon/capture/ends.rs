//! Flows that begin or end unseen, or are given up.

use std::io;

use femtosnitch_model::{FlowKind, Slot};

use super::{Capture, moment};

impl Capture {
    pub(super) fn retire(&mut self, slots: &[(Slot, FlowKind)], tick: u64) {
        if slots.is_empty() {
            return;
        }
        if let Err(error) = self.probe.retire(slots) {
            self.report.retire_failed(&error);
            self.engine.retire_failed(slots);
            return;
        }
        for retired in slots {
            if let Some(reading) = self.probe.read(retired.0) {
                self.engine.last_reading(&reading, moment(tick));
            } else {
                self.report.retire_failed(&io::ErrorKind::NotFound.into());
                self.engine.retire_failed(&[*retired]);
            }
        }
    }

    /// Finds sockets that no hook has told of.
    pub(super) fn look_around(&self) {
        if let Err(error) = self.probe.look_for_rings() {
            tracing::debug!(%error, "cannot look for AF_XDP sockets");
        }
    }

    /// Finds flows whose socket is gone without a word.
    pub(super) fn sweep(&mut self, tick: u64) {
        let pressed = self.engine.gauges().flows * 4 > self.max_flows * 3;
        let candidates = self.engine.flows_to_sweep(pressed);
        if candidates.is_empty() {
            return;
        }
        if let Err(error) = self.probe.sweep() {
            tracing::debug!(%error, "cannot sweep");
            return;
        }
        for slot in candidates {
            let has_socket = self.probe.has_socket(slot);
            if self.engine.swept(slot, has_socket)
                && let Some(mut reading) = self.probe.read(slot)
            {
                reading.closed = true;
                self.engine.reading(&reading, moment(tick), &mut |_| None);
            }
        }
    }
}
