//! Other tools of this field, each at its own layer, beside femtosnitch: only if installed.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use crate::ground::Ground;
use crate::interrupt;
use femtosnitch_harness::command::Running;

/// What a tool says of one process.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sight {
    /// What it calls the program.
    pub(crate) name: String,
    pub(crate) sent: f64,
    pub(crate) received: f64,
}

/// Processes by id.
pub(crate) type Sights = BTreeMap<u64, Sight>;

/// At which layer a tool counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Ethernet frames.
    Frames,
    /// What TCP acknowledged and received, in whole KiB a connection.
    TcpKib,
}

/// A tool.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) layer: Layer,
    program: &'static str,
    /// Arguments before the device.
    args: &'static [&'static str],
    parse: fn(&str) -> Sights,
}

/// All tools that Debian packages and whose output can be read.
pub(crate) const TOOLS: [Tool; 2] = [
    Tool {
        name: "nethogs",
        layer: Layer::Frames,
        program: "nethogs",
        // By bytes since the start, TCP and UDP, as text.
        args: &["-t", "-C", "-v", "2", "-d", "1", "veth0"],
        parse: nethogs,
    },
    Tool {
        name: "tcplife.bt",
        layer: Layer::TcpKib,
        program: "bpftrace",
        args: &["/usr/sbin/tcplife.bt"],
        parse: tcplife,
    },
];

/// A tool at work, or why it is not.
pub(crate) struct Watching {
    pub(crate) tool: &'static Tool,
    running: Result<Running>,
}

/// How long a tool may take to look, before and after.
const SETTLE: Duration = Duration::from_secs(3);

/// Starts all tools in the near namespace.
pub(crate) fn watch(ground: &Ground) -> Vec<Watching> {
    let started = TOOLS.iter().map(|tool| Watching { tool, running: start(tool, ground) });
    let started: Vec<_> = started.collect();
    thread::sleep(SETTLE);
    started
}

fn start(tool: &Tool, ground: &Ground) -> Result<Running> {
    find(tool.program).with_context(|| format!("{} is not installed", tool.program))?;
    let mut command = Command::new(tool.program);
    command.args(tool.args);
    ground.near().enter(&mut command)?;
    interrupt::as_usual(|| Running::start(command))
}

impl Watching {
    /// Ends the tool; what it has seen.
    pub(crate) fn finish(self) -> Result<Sights> {
        let done = self.running?.stop(SETTLE * 4)?;
        let sights = (self.tool.parse)(&done.stdout);
        let said = done.stderr.trim();
        let first = said.lines().last().unwrap_or("it saw nothing");
        ensure!(!sights.is_empty(), "{}: {first}", self.tool.program);
        Ok(sights)
    }
}

/// Lets the tools see the last packets.
pub(crate) fn settle() {
    thread::sleep(SETTLE);
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    let mut candidates = std::env::split_paths(&path).chain(system).map(|dir| dir.join(program));
    candidates.find(|candidate| Path::is_file(candidate))
}

/// `PROGRAM/PID/UID<tab>SENT<tab>RECEIVED`, again and again with what there was in all. A process
/// that is forgotten comes back with less, so the most is taken.
fn nethogs(text: &str) -> Sights {
    let mut sights = Sights::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let (Some(who), Some(sent), Some(received)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let mut parts = who.rsplitn(3, '/');
        let (_uid, pid, name) = (parts.next(), parts.next(), parts.next());
        let pid = pid.and_then(|pid| pid.parse().ok()).filter(|pid| *pid != 0);
        let (Some(pid), Some(name), Ok(sent), Ok(received)) =
            (pid, name, sent.trim().parse::<f64>(), received.trim().parse::<f64>())
        else {
            continue;
        };
        let sight: &mut Sight = sights.entry(pid).or_default();
        name.clone_into(&mut sight.name);
        sight.sent = sight.sent.max(sent);
        sight.received = sight.received.max(received);
    }
    sights
}

/// `PID COMM LADDR LPORT RADDR RPORT TX_KB RX_KB MS`, a line for each connection that ended.
fn tcplife(text: &str) -> Sights {
    let mut sights = Sights::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [pid, name, .., sent, received, _took] = fields.as_slice() else { continue };
        let (Ok(pid), Ok(sent), Ok(received)) =
            (pid.parse(), sent.parse::<f64>(), received.parse::<f64>())
        else {
            continue;
        };
        let sight: &mut Sight = sights.entry(pid).or_default();
        (*name).clone_into(&mut sight.name);
        sight.sent += sent * 1024.0;
        sight.received += received * 1024.0;
    }
    sights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nethogs_text_is_read() {
        let text = "Adding local address: 10.0.0.1\n\nRefreshing:\n/x/kit/12799/0\t1000\t30\n\
                    unknown UDP/0/0\t5680\t6600\n\nRefreshing:\n/x/kit/12799/0\t1.04938e+06\t40\n";
        let sights = nethogs(text);
        let kit = Sight { name: "/x/kit".to_owned(), sent: 1_049_380.0, received: 40.0 };
        assert_eq!(sights, Sights::from([(12_799, kit)]));
    }

    #[test]
    fn tcplife_text_is_read() {
        let text = "PID   COMM       LADDR           LPORT RADDR           RPORT TX_KB RX_KB MS\n\
                    7     kit        10.0.0.1        1     10.0.0.2        2        10     3 5\n\
                    7     kit        10.0.0.1        3     10.0.0.2        2         1     0 5\n";
        let kit = Sight { name: "kit".to_owned(), sent: 11.0 * 1024.0, received: 3.0 * 1024.0 };
        assert_eq!(tcplife(text), Sights::from([(7, kit)]));
    }
}
