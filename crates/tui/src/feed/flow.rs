//! Flows as a view keeps them: small, and with texts that many of them share kept once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;

/// How each line of a flow begins.
const BEGINS: &[u8] = br#"{"type":"flow","#;
/// Processes and names that are remembered; then all are forgotten at once.
const MOST: usize = 4_096;
/// Bytes of arguments that are kept: a line of the screen has no room for more.
const ARGUMENTS: usize = 512;

/// A process that moves bytes. Texts are as recorded: not made safe for a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    /// Process id in the initial namespace.
    pub pid: u32,
    /// Real user id.
    pub uid: u32,
    /// Path of the executable, or a bracketed reason.
    pub exe: Box<str>,
    /// The process' name.
    pub name: Box<str>,
    /// Its arguments.
    pub cmdline: Box<str>,
    /// Lower-case hex, or a bracketed reason.
    pub sha256: Box<str>,
    /// Executable of the launching process.
    pub parent: Box<str>,
    /// Executable of the launcher's launcher.
    pub grandparent: Box<str>,
    /// Container, '' outside of any.
    pub container: Box<str>,
    /// systemd unit.
    pub unit: Box<str>,
    /// Application as desktops name it.
    pub app: Box<str>,
    /// The script that an interpreter runs.
    pub script: Box<str>,
    /// The package with its manager: `dpkg curl`.
    pub package: Box<str>,
    /// Whether the executable is what was shipped; '' until that is known.
    pub package_state: Box<str>,
}

/// Who began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// This machine.
    Outgoing,
    /// The other end.
    Incoming,
    /// A socket that waits.
    Listening,
    /// Not known.
    #[default]
    Unknown,
}

impl Direction {
    fn from_name(name: &str) -> Self {
        match name {
            "outgoing" => Self::Outgoing,
            "incoming" => Self::Incoming,
            "listening" => Self::Listening,
            _ => Self::Unknown,
        }
    }
}

/// The two ends of a flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct End {
    /// `IPPROTO_*`, 0 unknown.
    pub protocol: u16,
    /// `AF_*`.
    pub family: u16,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Local address.
    pub laddr: Option<IpAddr>,
    /// Local port.
    pub lport: u16,
    /// Remote address.
    pub raddr: Option<IpAddr>,
    /// Remote port.
    pub rport: u16,
}

/// What one process did over one flow since the sample before.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The process.
    pub who: Arc<Who>,
    /// Between which ends.
    pub ends: End,
    /// What the remote host is called, as people write it.
    pub domain: Arc<str>,
    /// Who began.
    pub direction: Direction,
    /// Why it failed or broke off: an errno, 0 for none.
    pub error: u16,
    /// Application bytes sent.
    pub send: u64,
    /// Application bytes received.
    pub recv: u64,
    /// Bytes at the IP layer, where measured.
    pub wire: [Option<u64>; 2],
    /// Connections begun meanwhile.
    pub begun: u64,
    /// Over meanwhile.
    pub ended: u64,
    /// Of those, attempts that never became one.
    pub failed: u64,
    /// TCP's smoothed round-trip time in microseconds.
    pub rtt_us: Option<u32>,
    /// TCP segments sent again.
    pub retrans: u64,
}

/// A line as it is written, as far as views need it. Nothing is copied but what has escapes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    exe: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    cmdline: Cow<'a, str>,
    #[serde(borrow)]
    sha256: Cow<'a, str>,
    #[serde(borrow)]
    pexe: Cow<'a, str>,
    #[serde(borrow)]
    gpexe: Cow<'a, str>,
    pid: u32,
    uid: u32,
    family: u16,
    protocol: u16,
    laddr: Option<IpAddr>,
    lport: u16,
    raddr: Option<IpAddr>,
    rport: u16,
    netns: u32,
    #[serde(borrow)]
    container: Cow<'a, str>,
    send: u64,
    recv: u64,
    wire_send: Option<u64>,
    wire_recv: Option<u64>,
    #[serde(borrow)]
    domain: Cow<'a, str>,
    #[serde(borrow)]
    direction: Cow<'a, str>,
    begun: u64,
    ended: u64,
    failed: u64,
    error: u16,
    rtt_us: Option<u32>,
    retrans: u64,
    #[serde(borrow)]
    unit: Cow<'a, str>,
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    script: Cow<'a, str>,
    #[serde(borrow)]
    package: Cow<'a, str>,
    #[serde(borrow)]
    package_state: Cow<'a, str>,
}

impl Line<'_> {
    fn is_by(&self, who: &Who) -> bool {
        // What changes first stands first.
        self.pid == who.pid
            && self.uid == who.uid
            && *self.exe == *who.exe
            && *beginning(&self.cmdline) == *who.cmdline
            && *self.sha256 == *who.sha256
            && *self.package_state == *who.package_state
            && *self.package == *who.package
            && *self.script == *who.script
            && *self.name == *who.name
            && *self.pexe == *who.parent
            && *self.gpexe == *who.grandparent
            && *self.container == *who.container
            && *self.unit == *who.unit
            && *self.app == *who.app
    }

    fn who(&self) -> Who {
        let text = |text: &Cow<'_, str>| Box::from(&**text);
        Who {
            pid: self.pid,
            uid: self.uid,
            exe: text(&self.exe),
            name: text(&self.name),
            cmdline: beginning(&self.cmdline).into(),
            sha256: text(&self.sha256),
            parent: text(&self.pexe),
            grandparent: text(&self.gpexe),
            container: text(&self.container),
            unit: text(&self.unit),
            app: text(&self.app),
            script: text(&self.script),
            package: text(&self.package),
            package_state: text(&self.package_state),
        }
    }
}

/// As much of arguments as is kept.
fn beginning(text: &str) -> &str {
    // Of four bytes in a row at least one begins a character.
    let ends = (ARGUMENTS.saturating_sub(3)..=ARGUMENTS).rev();
    ends.into_iter().find_map(|end| text.get(..end)).unwrap_or(text)
}

/// Reads lines of flows.
#[derive(Debug)]
pub struct Reader {
    /// As it was told of last, by process id.
    processes: HashMap<u32, Arc<Who>>,
    domains: HashMap<Box<str>, Arc<str>>,
    nothing: Arc<str>,
}

impl Default for Reader {
    fn default() -> Self {
        let (processes, domains) = (HashMap::new(), HashMap::new());
        Self { processes, domains, nothing: Arc::from("") }
    }
}

impl Reader {
    /// Whether this line of the feed is of a flow.
    #[must_use]
    pub fn is_flow(line: &[u8]) -> bool {
        line.starts_with(BEGINS)
    }

    /// The flow; `None` if the line is not understood.
    pub fn read(&mut self, line: &[u8]) -> Option<Flow> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        Some(Flow {
            who: self.who(&line),
            ends: End {
                protocol: line.protocol,
                family: line.family,
                netns: line.netns,
                laddr: line.laddr,
                lport: line.lport,
                raddr: line.raddr,
                rport: line.rport,
            },
            domain: self.domain(&line.domain),
            direction: Direction::from_name(&line.direction),
            error: line.error,
            send: line.send,
            recv: line.recv,
            wire: [line.wire_send, line.wire_recv],
            begun: line.begun,
            ended: line.ended,
            failed: line.failed,
            rtt_us: line.rtt_us,
            retrans: line.retrans,
        })
    }

    fn who(&mut self, line: &Line<'_>) -> Arc<Who> {
        if let Some(who) = self.processes.get(&line.pid)
            && line.is_by(who)
        {
            return Arc::clone(who);
        }
        if self.processes.len() >= MOST {
            self.processes.clear();
        }
        let who = Arc::new(line.who());
        self.processes.insert(line.pid, Arc::clone(&who));
        who
    }

    /// `org.example.www` as `www.example.org`.
    fn domain(&mut self, reversed: &str) -> Arc<str> {
        if reversed.is_empty() {
            return Arc::clone(&self.nothing);
        }
        if let Some(domain) = self.domains.get(reversed) {
            return Arc::clone(domain);
        }
        if self.domains.len() >= MOST {
            self.domains.clear();
        }
        let mut labels: Vec<&str> = reversed.split('.').collect();
        labels.reverse();
        let domain: Arc<str> = labels.join(".").into();
        self.domains.insert(reversed.into(), Arc::clone(&domain));
        domain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_api::{Event, FlowEvent};

    fn line(flow: FlowEvent) -> Vec<u8> {
        serde_json::to_vec(&Event::Flow(Box::new(flow))).unwrap()
    }

    #[test]
    fn a_flow_is_read_as_it_was_written() {
        let told = FlowEvent {
            exe: "/bin/\"x\u{1b}".into(),
            cmdline: "x \\ y".into(),
            pid: 9,
            raddr: Some([192, 0, 2, 1].into()),
            rport: 443,
            protocol: 6,
            send: 1,
            recv: 2,
            wire_recv: Some(60),
            domain: "org.example.www".into(),
            direction: "incoming".into(),
            begun: 1,
            rtt_us: Some(8),
            package_state: "modified".into(),
            ..FlowEvent::default()
        };
        let mut reader = Reader::default();
        let first = line(told.clone());
        assert!(Reader::is_flow(&first));
        let flow = reader.read(&first).unwrap();
        assert_eq!((&*flow.who.exe, &*flow.who.cmdline), ("/bin/\"x\u{1b}", "x \\ y"));
        assert_eq!((&*flow.domain, flow.direction), ("www.example.org", Direction::Incoming));
        assert_eq!((flow.send, flow.recv, flow.wire), (1, 2, [None, Some(60)]));
        assert_eq!((flow.ends.rport, flow.ends.raddr), (443, told.raddr));
        assert_eq!((flow.begun, flow.rtt_us), (1, Some(8)));
        let again = reader.read(&first).unwrap();
        assert!(Arc::ptr_eq(&flow.who, &again.who) && Arc::ptr_eq(&flow.domain, &again.domain));
        let later = reader.read(&line(FlowEvent { package_state: String::new(), ..told })).unwrap();
        assert_eq!(&*later.who.package_state, "");
    }

    #[test]
    fn what_is_no_flow_is_none() {
        assert!(!Reader::is_flow(br#"{"type":"missed","events":1}"#));
        let mut reader = Reader::default();
        assert!(reader.read(br#"{"type":"flow","pid":-1}"#).is_none());
        assert!(reader.read(br#"{"type":"flow","exe":"/b"#).is_none());
        let sparse = reader.read(br#"{"type":"flow","new":{},"direction":"sideways"}"#).unwrap();
        assert_eq!((sparse.who.pid, sparse.direction), (0, Direction::Unknown));
    }
}
