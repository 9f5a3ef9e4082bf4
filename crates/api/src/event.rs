//! What a line of the feed can be.

use std::net::IpAddr;

use femtosnitch_model::{Digest, Executable, Launch, Row, Unhashed};
use serde::{Deserialize, Serialize};

use crate::Status;

/// One line of the feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The first line: who speaks.
    Hello {
        /// The daemon's version.
        version: String,
        /// Version of the feed, see [`crate::API_VERSION`].
        api: u32,
        /// The daemon's process id.
        pid: u32,
    },
    /// How the daemon is doing: at once, then at most once a second when something changed.
    Status(Box<Status>),
    /// A process moved bytes over a flow.
    Flow(Box<FlowEvent>),
    /// A sample is complete: all its flows have been told.
    Tick {
        /// When, seconds since 1970-01-01 UTC.
        time: f64,
        /// Seconds since the sample before.
        interval: f64,
        /// Flows that moved bytes meanwhile.
        flows: u64,
        /// Application bytes sent by all of them.
        send: u64,
        /// Application bytes received by all of them.
        recv: u64,
    },
    /// Here stood events for which there was no room.
    Missed {
        /// How many.
        events: u64,
    },
    /// Something a person should know.
    Warning {
        /// When, seconds since 1970-01-01 UTC.
        time: f64,
        /// What, and what to do.
        text: String,
    },
    /// An event of a later version. Never sent; [`crate::LiveClient`] passes over it.
    #[serde(other)]
    Unknown,
}

/// What one process did over one flow since the sample before: bytes moved, connections begun or
/// ended. Texts are escaped as [`femtosnitch_model::escape_bytes`] does, yet not made safe for a
/// terminal; '' is unknown.
///
/// Fields that a line lacks read as their defaults (0, '', none). Those from `wire_send` on are
/// only written where they say something, so that a reader's buffer holds as many lines as before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowEvent {
    /// When, seconds since 1970-01-01 UTC.
    pub time: f64,
    /// Path of the executable, or a bracketed reason.
    pub exe: String,
    /// The process' name.
    pub name: String,
    /// Its arguments.
    pub cmdline: String,
    /// Lower-case hex, or a bracketed reason, `(pending)` while it is being computed.
    pub sha256: String,
    /// Executable of the launching process.
    pub pexe: String,
    /// Its digest.
    pub psha256: String,
    /// Executable of the launcher's launcher.
    pub gpexe: String,
    /// Process id in the initial namespace.
    pub pid: u32,
    /// Real user id.
    pub uid: u32,
    /// `AF_*`.
    pub family: u16,
    /// `IPPROTO_*`, 0 unknown.
    pub protocol: u16,
    /// Local address.
    pub laddr: Option<IpAddr>,
    /// Local port.
    pub lport: u16,
    /// Remote address.
    pub raddr: Option<IpAddr>,
    /// Remote port.
    pub rport: u16,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Container, '' outside of any.
    pub container: String,
    /// Application bytes sent.
    pub send: u64,
    /// Application bytes received.
    pub recv: u64,
    /// Send and receive calls.
    pub events: u64,
    /// Bytes sent at the IP layer, headers included; absent where not measured. Of a TCP socket
    /// that several processes share, those of all of them.
    #[serde(skip_serializing_if = "is_default")]
    pub wire_send: Option<u64>,
    /// Bytes received at the IP layer, likewise.
    #[serde(skip_serializing_if = "is_default")]
    pub wire_recv: Option<u64>,
    /// What the remote host is called, in reverse notation (`org.example.www`).
    #[serde(skip_serializing_if = "is_default")]
    pub domain: String,
    /// How that is known: see [`femtosnitch_model::NameSource`].
    #[serde(skip_serializing_if = "is_default")]
    pub namesource: String,
    /// Who began the conversation: `outgoing` (this machine), `incoming`, `listening` (a socket
    /// that waits), '' unknown.
    #[serde(skip_serializing_if = "is_default")]
    pub direction: String,
    /// Connections begun meanwhile: connect(2) was called, one was accepted, a socket listens.
    #[serde(skip_serializing_if = "is_default")]
    pub begun: u64,
    /// Connections over meanwhile, those that failed included.
    #[serde(skip_serializing_if = "is_default")]
    pub ended: u64,
    /// Attempts that never became a connection.
    #[serde(skip_serializing_if = "is_default")]
    pub failed: u64,
    /// Why one failed or broke off: an errno (111 refused, 110 timed out, 104 reset), 0 for none.
    #[serde(skip_serializing_if = "is_default")]
    pub error: u16,
    /// TCP's smoothed round-trip time in microseconds; absent where there is none.
    #[serde(skip_serializing_if = "is_default")]
    pub rtt_us: Option<u32>,
    /// TCP segments sent again.
    #[serde(skip_serializing_if = "is_default")]
    pub retrans: u64,
    /// systemd unit, with the user whose it is where it is not the system's.
    #[serde(skip_serializing_if = "is_default")]
    pub unit: String,
    /// Application as desktops, Flatpak, Snap or AppImage name it, with the kind of name.
    #[serde(skip_serializing_if = "is_default")]
    pub app: String,
    /// User id of the login that it descends from, whatever `su` and `sudo` made of it.
    #[serde(skip_serializing_if = "is_default")]
    pub login_uid: Option<u32>,
    /// The script that the executable runs, where it is an interpreter.
    #[serde(skip_serializing_if = "is_default")]
    pub script: String,
    /// Its digest.
    #[serde(skip_serializing_if = "is_default")]
    pub script_sha256: String,
    /// The package that the executable belongs to, with the manager: `dpkg curl`.
    #[serde(skip_serializing_if = "is_default")]
    pub package: String,
    /// Its version.
    #[serde(skip_serializing_if = "is_default")]
    pub package_version: String,
    /// Whether the executable is what was shipped: `intact`, `modified`, `not packaged`, or
    /// `unknown: …` with the reason; '' until that was found out.
    #[serde(skip_serializing_if = "is_default")]
    pub package_state: String,
    /// Build-id of the ELF file.
    #[serde(skip_serializing_if = "is_default")]
    pub build_id: String,
    /// What running it grants: `setuid root`, `cap_net_raw=ep`.
    #[serde(skip_serializing_if = "is_default")]
    pub privileges: String,
    /// Digest that fs-verity enforces.
    #[serde(skip_serializing_if = "is_default")]
    pub verity: String,
    /// Path of what wrote to the file before this version of it was executed, if that was seen.
    #[serde(skip_serializing_if = "is_default")]
    pub written_by: String,
}

/// Whether a field is not worth its room.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl FlowEvent {
    /// What a row says, as of `time` (seconds since 1970-01-01 UTC).
    #[must_use]
    pub fn from_row(row: &Row, time: f64) -> Self {
        let path =
            |who: Option<&Executable>| who.map_or("", |it| it.image.path.as_str()).to_owned();
        let parent = row.parent.as_ref();
        let unknown = Digest::Missing(Unhashed::Unknown);
        Self {
            time,
            exe: row.exe.image.path.clone(),
            name: row.exe.image.name.clone(),
            cmdline: row.exe.image.cmdline.clone(),
            sha256: row.exe.digest.to_string(),
            pexe: path(parent),
            psha256: parent.map_or(unknown, |it| it.digest).to_string(),
            gpexe: path(row.grandparent.as_ref()),
            pid: row.pid,
            uid: row.uid,
            family: row.family,
            protocol: row.protocol,
            laddr: row.laddr,
            lport: row.lport,
            raddr: row.raddr,
            rport: row.rport,
            netns: row.netns,
            container: row.container.to_string(),
            send: row.send,
            recv: row.recv,
            events: row.events,
            wire_send: row.wire_send,
            wire_recv: row.wire_recv,
            direction: row.direction.name().to_owned(),
            begun: row.connections.begun.into(),
            ended: row.connections.ended.into(),
            failed: row.connections.failed.into(),
            error: row.connections.error,
            rtt_us: row.quality.rtt_us,
            retrans: row.quality.retrans,
            ..Self::default()
        }
        .with_launch(row.lineage.first())
    }

    fn with_launch(self, launch: Option<&Launch>) -> Self {
        let Some(Launch { process, script, .. }) = launch else { return self };
        Self {
            unit: process.place.unit.to_string(),
            app: process.place.app.to_string(),
            login_uid: process.login_uid,
            script: script.as_ref().map_or_else(String::new, |script| script.image.path.clone()),
            script_sha256: script.as_ref().map_or_else(String::new, |s| s.digest.to_string()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_model::{Connections, Direction, Image, ImageId, Lineage, NameSource, Quality};
    use std::sync::Arc;

    #[test]
    fn lines_are_tagged_objects() {
        let line = serde_json::to_string(&Event::Missed { events: 3 }).unwrap();
        assert_eq!(line, r#"{"type":"missed","events":3}"#);
        let flow = FlowEvent {
            exe: "/bin/x\n".into(),
            laddr: Some([127, 0, 0, 1].into()),
            ..FlowEvent::default()
        };
        let line = serde_json::to_string(&Event::Flow(Box::new(flow.clone()))).unwrap();
        assert!(line.starts_with(r#"{"type":"flow","time":0.0,"exe":"/bin/x\n","#), "{line}");
        assert!(line.contains(r#""laddr":"127.0.0.1""#) && !line.contains('\n'));
        assert!(line.ends_with(r#""events":0}"#), "nothing to say, yet said: {line}");
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), Event::Flow(Box::new(flow)));
    }

    #[test]
    fn later_versions_are_understood_as_far_as_possible() {
        let read = |line| serde_json::from_str::<Event>(line).unwrap();
        assert_eq!(read(r#"{"type":"dream","of":[1,2]}"#), Event::Unknown);
        assert_eq!(read(r#"{"type":"missed","events":1,"why":"x"}"#), Event::Missed { events: 1 });
        let sparse = read(r#"{"type":"flow","exe":"/bin/x","new":{}}"#);
        assert!(
            matches!(sparse, Event::Flow(flow) if flow.exe == "/bin/x" && flow.raddr.is_none())
        );
        let nulls =
            read(r#"{"type":"flow","wire_send":null,"rtt_us":null,"direction":"sideways"}"#);
        assert!(matches!(nulls, Event::Flow(flow) if flow.direction == "sideways"));
    }

    #[test]
    fn an_earlier_daemon_is_understood() {
        let line = r#"{"type":"flow","time":1.0,"exe":"/bin/x","send":5,"recv":6,"events":2}"#;
        let Event::Flow(flow) = serde_json::from_str(line).unwrap() else { panic!("no flow") };
        let old = FlowEvent {
            time: 1.0,
            exe: "/bin/x".into(),
            send: 5,
            recv: 6,
            events: 2,
            ..FlowEvent::default()
        };
        assert_eq!(*flow, old);
        assert_eq!((flow.wire_send, flow.rtt_us, flow.begun), (None, None, 0));
    }

    #[test]
    fn a_row_is_told_with_its_lineage() {
        let image = |path: &str| {
            let (id, name) = (ImageId(1), "curl".to_owned());
            let (path, cmdline) = (path.to_owned(), "curl x".to_owned());
            Arc::new(Image { id, path, name, cmdline, file: None })
        };
        let exe = |path: &str| Executable { image: image(path), digest: Digest::Pending };
        let row = Row {
            contime: 5,
            send: 1,
            recv: 2,
            wire_send: Some(41),
            wire_recv: None,
            direction: Direction::Outgoing,
            connections: Connections { begun: 3, ended: 2, failed: 1, error: 111 },
            quality: Quality { rtt_us: Some(7), retrans: 8 },
            events: 3,
            exe: exe("/usr/bin/curl"),
            parent: Some(exe("/bin/sh")),
            grandparent: None,
            lineage: Lineage::default(),
            uid: 1000,
            pid: 77,
            family: 2,
            protocol: 6,
            laddr: None,
            raddr: Some([192, 0, 2, 1].into()),
            lport: 4,
            rport: 443,
            domain: "".into(),
            name_source: NameSource::NONE,
            netns: 9,
            container: "".into(),
        };
        let told = FlowEvent::from_row(&row, 6.5);
        assert_eq!((told.time, told.send, told.recv, told.events), (6.5, 1, 2, 3));
        assert_eq!(
            (told.exe.as_str(), told.pexe.as_str(), told.gpexe.as_str()),
            ("/usr/bin/curl", "/bin/sh", "")
        );
        assert_eq!((told.sha256.as_str(), told.psha256.as_str()), ("(pending)", "(pending)"));
        assert_eq!((told.wire_send, told.wire_recv), (Some(41), None));
        assert_eq!((told.direction.as_str(), told.rtt_us, told.retrans), ("outgoing", Some(7), 8));
        assert_eq!((told.begun, told.ended, told.failed, told.error), (3, 2, 1, 111));
        assert_eq!((told.pid, told.uid, told.lport, told.rport, told.netns), (77, 1000, 4, 443, 9));
    }
}
