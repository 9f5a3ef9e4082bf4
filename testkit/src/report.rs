//! What a generator did, as its own processes counted it.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;

use serde::Deserialize;
use serde::Serialize;

use crate::Doing;
use crate::Error;
use crate::Result;

/// What one process moved over one conversation: the sums of what its system calls returned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The process' part: `client`, `server`, `child`…
    pub role: String,
    /// Its process id in its own pid namespace.
    pub pid: u32,
    /// Its arguments joined by spaces.
    pub cmdline: String,
    /// `AF_*` of the conversation (`AF_INET` for IPv4 over an IPv6 socket).
    pub family: u16,
    /// `IPPROTO_*`, 0 for AF_PACKET.
    pub protocol: u16,
    /// Own address, where there is exactly one.
    pub local: Option<SocketAddr>,
    /// The other end, where there is exactly one.
    pub remote: Option<SocketAddr>,
    /// Bytes that send calls accepted.
    pub sent: u64,
    /// Bytes that receive calls delivered (peeks and the error queue not included).
    pub recv: u64,
    /// Send calls, one per datagram.
    pub send_calls: u64,
    /// Receive calls that delivered data, one per datagram.
    pub recv_calls: u64,
    /// Connections that connect(2) made; this and the next three are counted only by kinds that
    /// are about connections.
    #[serde(default)]
    pub connected: u64,
    /// Connections that accept(2) gave.
    #[serde(default)]
    pub accepted: u64,
    /// Attempts that were refused.
    #[serde(default)]
    pub refused: u64,
    /// Attempts that nobody answered.
    #[serde(default)]
    pub timed_out: u64,
}

impl End {
    /// An empty count of the calling process.
    #[must_use]
    pub fn here(role: &str, family: i32, protocol: i32) -> Self {
        Self {
            role: role.to_owned(),
            pid: std::process::id(),
            cmdline: std::env::args().collect::<Vec<_>>().join(" "),
            family: u16::try_from(family).unwrap_or(0),
            protocol: u16::try_from(protocol).unwrap_or(0),
            ..Self::default()
        }
    }

    /// The same with both addresses.
    #[must_use]
    pub fn between(mut self, local: SocketAddr, remote: SocketAddr) -> Self {
        self.local = Some(plain(local));
        self.remote = Some(plain(remote));
        self
    }

    /// Counts one send call.
    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
        self.send_calls += 1;
    }

    /// Counts one receive call.
    pub fn received(&mut self, bytes: usize) {
        self.recv += bytes as u64;
        self.recv_calls += 1;
    }

    /// Connections and attempts at one.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connected + self.accepted + self.refused + self.timed_out
    }

    /// Adds the counts of `other`, keeping this one's names.
    pub fn absorb(&mut self, other: &Self) {
        self.sent += other.sent;
        self.recv += other.recv;
        self.send_calls += other.send_calls;
        self.recv_calls += other.recv_calls;
        self.connected += other.connected;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.timed_out += other.timed_out;
    }
}

/// An IPv4-mapped IPv6 address as the IPv4 address that it stands for.
#[must_use]
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// One line of JSON per run of a generator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which generator.
    pub kind: String,
    /// Every process that moved something.
    pub ends: Vec<End>,
    /// Bytes received that nobody sent (IP headers on raw sockets, the kernel's echo replies);
    /// negative for bytes sent that nobody received. Known from the kind and the number of
    /// datagrams, not from the counts.
    pub extra: i64,
    /// Measurements, by name with the unit at its end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
}

impl Report {
    /// A report of these ends.
    #[must_use]
    pub fn new(kind: &str, ends: Vec<End>) -> Self {
        Self { kind: kind.to_owned(), ends, ..Self::default() }
    }

    /// Bytes that all ends sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.ends.iter().map(|end| end.sent).sum()
    }

    /// Bytes that all ends received.
    #[must_use]
    pub fn recv(&self) -> u64 {
        self.ends.iter().map(|end| end.recv).sum()
    }

    /// Checks that what was received is what was sent, give or take [`Report::extra`].
    ///
    /// # Errors
    /// If the ends disagree, or if nothing moved at all.
    pub fn agree(&self) -> Result<()> {
        let (sent, recv) = (self.sent(), self.recv());
        let connections: u64 = self.ends.iter().map(End::connections).sum();
        if sent == 0 && connections == 0 {
            return Err(Error::Unexpected(format!("{}: nothing was sent", self.kind)));
        }
        if sent.checked_add_signed(self.extra) != Some(recv) {
            return Err(Error::Unexpected(format!(
                "{}: sent {sent}, received {recv}, expected a difference of {}: {:#?}",
                self.kind, self.extra, self.ends
            )));
        }
        Ok(())
    }
}

/// Writes one line of JSON to standard output at once.
///
/// # Errors
/// If standard output is closed.
pub fn emit<T: Serialize>(value: &T) -> Result<()> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).doing("writing to standard output")?;
    out.flush().doing("writing to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(sent: u64, recv: u64) -> End {
        End { sent, recv, ..End::default() }
    }

    #[test]
    fn ends_that_disagree_are_an_error() {
        assert!(Report::new("x", vec![end(7, 3), end(3, 7)]).agree().is_ok());
        assert!(Report::new("x", vec![end(7, 3), end(3, 6)]).agree().is_err());
        assert!(Report::new("x", vec![end(0, 0)]).agree().is_err());
    }

    #[test]
    fn known_extras_are_allowed_for_exactly() {
        let mut report = Report::new("raw", vec![end(100, 0), end(0, 120)]);
        report.extra = 20;
        assert!(report.agree().is_ok());
        report.extra = 19;
        assert!(report.agree().is_err());
        report.ends = vec![end(100, 0)];
        report.extra = -100;
        assert!(report.agree().is_ok());
    }

    #[test]
    fn mapped_addresses_become_plain() {
        let mapped = "[::ffff:127.0.0.1]:80".parse().unwrap();
        assert_eq!(plain(mapped), "127.0.0.1:80".parse().unwrap());
    }
}
