//! What the live feed tells of flows.

use std::collections::BTreeMap;
use std::sync::Arc;

use femtosnitch_api::{Event, FlowEvent};
use femtosnitch_engine::Moved;

/// The path that stands for all that the filters hide, as in the history.
const IGNORED: &str = "(ignored)";

/// The events of one sample.
pub(super) struct Feed {
    time: f64,
    events: Vec<Event>,
    hidden: BTreeMap<Arc<str>, FlowEvent>,
}

impl Feed {
    pub(super) fn new(time: f64) -> Self {
        Self { time, events: Vec::new(), hidden: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, moved: &Moved<'_>) {
        let Some(rule) = &moved.hidden_by else {
            self.events.push(Event::Flow(Box::new(flow_event(moved, self.time))));
            return;
        };
        let (sum, wire) = (self.hidden.entry(Arc::clone(rule)).or_default(), moved.wire);
        sum.send = sum.send.saturating_add(moved.delta.send);
        sum.recv = sum.recv.saturating_add(moved.delta.recv);
        sum.events = sum.events.saturating_add(moved.delta.calls());
        for (sum, more) in [(&mut sum.wire_send, wire.send), (&mut sum.wire_recv, wire.recv)] {
            *sum = Some(sum.unwrap_or(0).saturating_add(more)).filter(|_| !wire.is_zero()).or(*sum);
        }
    }

    /// Flows one by one, and what is hidden one event for each rule.
    pub(super) fn events(self) -> Vec<Event> {
        let Self { time, mut events, hidden } = self;
        events.extend(hidden.into_iter().map(|(rule, sum)| {
            let (exe, name) = (IGNORED.to_owned(), rule.to_string());
            Event::Flow(Box::new(FlowEvent { time, exe, name, uid: u32::MAX, ..sum }))
        }));
        events
    }
}

fn flow_event(moved: &Moved<'_>, time: f64) -> FlowEvent {
    let process = moved.process;
    let parent = process.parent_image();
    let facts = moved.facts.cloned().unwrap_or_default();
    let wire = Some(moved.wire).filter(|wire| !wire.is_zero());
    FlowEvent {
        time,
        exe: moved.image.path.clone(),
        name: moved.image.name.clone(),
        cmdline: moved.image.cmdline.clone(),
        sha256: moved.digest.to_string(),
        pexe: parent.map_or_else(String::new, |image| image.path.clone()),
        psha256: moved.parent_digest.map_or_else(String::new, |digest| digest.to_string()),
        gpexe: process.grandparent_image().map_or_else(String::new, |image| image.path.clone()),
        pid: process.key.tgid,
        uid: moved.uid,
        family: moved.flow.family,
        protocol: moved.flow.protocol,
        laddr: moved.flow.local.addr,
        lport: moved.flow.local.port,
        raddr: moved.flow.remote.addr,
        rport: moved.flow.remote.port,
        netns: moved.flow.netns,
        container: moved.container.to_owned(),
        send: moved.delta.send,
        recv: moved.delta.recv,
        events: moved.delta.calls(),
        wire_send: wire.map(|wire| wire.send),
        wire_recv: wire.map(|wire| wire.recv),
        domain: moved.naming.domain.to_string(),
        namesource: moved.naming.source.name().to_owned(),
        direction: moved.direction.name().to_owned(),
        begun: moved.connections.begun.into(),
        ended: moved.connections.ended.into(),
        failed: moved.connections.failed.into(),
        error: moved.connections.error,
        rtt_us: moved.quality.rtt_us,
        retrans: moved.quality.retrans,
        unit: process.place.unit.to_string(),
        app: process.place.app.to_string(),
        login_uid: process.login_uid,
        script: process.script.get().map_or_else(String::new, |script| script.path.clone()),
        script_sha256: moved.script_digest.map_or_else(String::new, |digest| digest.to_string()),
        package: facts.package,
        package_version: facts.version,
        package_state: facts.state,
        build_id: facts.build_id,
        privileges: facts.privileges,
        verity: facts.verity,
        written_by: facts.written_by,
    }
}
