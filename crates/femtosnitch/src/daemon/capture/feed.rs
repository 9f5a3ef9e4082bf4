//! What the live feed tells of a flow.

use femtosnitch_api::FlowEvent;
use femtosnitch_engine::Moved;

pub(super) fn flow_event(moved: &Moved<'_>, time: f64) -> FlowEvent {
    let process = moved.process;
    let parent = process.parent_image();
    let facts = moved.facts.cloned().unwrap_or_default();
    let wire = Some(moved.wire).filter(|wire| !wire.is_zero());
    FlowEvent {
        time,
        exe: process.image.path.clone(),
        name: process.image.name.clone(),
        cmdline: process.image.cmdline.clone(),
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
