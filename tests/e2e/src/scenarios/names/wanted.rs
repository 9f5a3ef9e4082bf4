//! What history should say of one conversation.

use std::net::SocketAddr;

use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::End;
use femtosnitch_testkit::Report;
use serde_json::Value;

use crate::expect;
use crate::expect::Row;
use crate::root::Root;

/// The name that the other end should have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name {
    /// This one, known in one of these ways.
    Is(&'static str, &'static [&'static str]),
    /// None.
    None,
    /// It does not matter.
    Any,
}

/// One conversation of a process whose arguments carry a mark.
#[derive(Debug)]
pub(super) struct Wanted {
    mark: String,
    remote: SocketAddr,
    /// Sent and received.
    bytes: (u64, u64),
    name: Name,
}

impl Wanted {
    /// Of a server's account of it.
    pub(super) fn served(mark: &str, server: &End, name: Name) -> Result<Self> {
        let remote = server.local.ok_or_else(|| anyhow::anyhow!("a server without address"))?;
        Ok(Self { mark: mark.to_owned(), remote, bytes: (server.recv, server.sent), name })
    }

    /// All that a testkit's client says it did: `name` is that of the host it fetched from.
    pub(super) fn reported(mark: &str, report: &Report, name: Name) -> Result<Vec<Self>> {
        let of = |end: &End| {
            let name = if end.role == "client" { name } else { Name::Any };
            let (bytes, mark) = ((end.sent, end.recv), mark.to_owned());
            end.remote.map(|remote| Self { mark, remote, bytes, name })
        };
        let all: Vec<_> = report.ends.iter().filter_map(of).collect();
        let host = all.iter().any(|wanted| !matches!(wanted.name, Name::Any));
        ensure!(host, "nothing was fetched: {report:#?}");
        Ok(all)
    }

    fn compare(&self, rows: &[Value]) -> Result<()> {
        let (addr, port) = (self.remote.ip().to_string(), u64::from(self.remote.port()));
        let mut rows = expect::marked(rows, &self.mark);
        rows.retain(|row| Row(row).text("raddr") == addr && Row(row).number("rport") == port);
        let got = expect::total(rows.iter().copied());
        ensure!(got == self.bytes, "{self:?}: history says {got:?}: {rows:#?}");
        for row in rows.iter().map(|row| Row(row)) {
            let (domain, source) = (row.text("domain"), row.text("namesource"));
            // A connection can be told of before its first byte is.
            let empty = row.bytes() == (0, 0) && domain.is_empty();
            let right = match self.name {
                Name::Is(name, sources) => domain == name && sources.contains(&source),
                Name::None => domain.is_empty() && source.is_empty(),
                Name::Any => true,
            };
            let is = if domain.is_empty() { "no name" } else { "a wrong name" };
            ensure!(right || empty, "{self:?} has {is}: {domain:?} by {source:?}: {rows:#?}");
        }
        Ok(())
    }
}

/// Compares history with all of them.
pub(super) fn compare(wanted: &[Wanted], root: &Root<'_>) -> Result<()> {
    ensure!(!wanted.is_empty(), "there is nothing to compare");
    let rows = root.query("cmdline,domain,namesource,raddr,rport,protocol")?;
    wanted.iter().try_for_each(|wanted| wanted.compare(&rows))
}
