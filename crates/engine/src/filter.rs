//! What the user wants recorded, and what not.

mod glob;
mod lists;
mod set;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use femtosnitch_model::{Digest, FlowKey, FlowKind, NameSource, Row};

use crate::flows::Tracked;

pub use glob::Glob;
pub use lists::{ContainerRule, Lists, Protocol, UserRule};
use set::{Answer, Set};

/// What stands in place of a rule for what no list of `[only]` keeps.
const NOT_ONLY: &str = "not in [only]";

/// The configuration's `[ignore]` and `[only]`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Filters {
    ignore: Set,
    only: Set,
}

/// What the filters say of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Record,
    Hide(Rule),
    /// The executable's digest decides, and it is on its way.
    Wait,
    /// Recorded as long as something else that may decide is not known.
    Open,
}

impl Verdict {
    /// Nothing that comes to be known can change it.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Record | Self::Hide(_))
    }
}

/// A rule that hides something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// The place in the list of this kind.
    Ignore(Kind, u32),
    NotOnly,
}

/// The lists, in the order in which they are asked: what is known at once comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Ports,
    Protocols,
    Subnets,
    Users,
    Containers,
    Exes,
    Domains,
    Sha256,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Ports,
        Self::Protocols,
        Self::Subnets,
        Self::Users,
        Self::Containers,
        Self::Exes,
        Self::Domains,
        Self::Sha256,
    ];
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: FlowKind,
    pub(crate) exe: &'a str,
    pub(crate) digest: Digest,
    pub(crate) domain: &'a str,
    pub(crate) source: NameSource,
    pub(crate) raddr: Option<IpAddr>,
    pub(crate) ports: [u16; 2],
    pub(crate) family: u16,
    pub(crate) protocol: u16,
    pub(crate) container: &'a str,
    pub(crate) uid: u32,
}

impl<'a> Subject<'a> {
    pub(crate) fn of_flow(tracked: &'a Tracked, digest: Digest) -> Self {
        let (process, flow) = (&tracked.process, &tracked.flow);
        Self {
            kind: tracked.kind,
            exe: &process.image.path,
            digest,
            domain: &tracked.naming.domain,
            source: tracked.naming.source,
            raddr: flow.remote.addr,
            ports: [flow.local.port, flow.remote.port],
            family: flow.family,
            protocol: flow.protocol,
            container: &process.place.container,
            uid: tracked.uid,
        }
    }

    pub(crate) fn of_row(row: &'a Row, kind: FlowKind) -> Self {
        Self {
            kind,
            exe: &row.exe.image.path,
            digest: row.exe.digest,
            domain: &row.domain,
            source: row.name_source,
            raddr: row.raddr,
            ports: [row.lport, row.rport],
            family: row.family,
            protocol: row.protocol,
            container: &row.container,
            uid: row.uid,
        }
    }

    fn has_ports(&self) -> bool {
        // Nothing is known of the protocol of what found no flow.
        self.family == 0
            || (matches!(self.family, FlowKey::AF_INET | FlowKey::AF_INET6)
                && matches!(
                    self.protocol,
                    0 | FlowKey::TCP | FlowKey::UDP | FlowKey::UDPLITE | FlowKey::SCTP | 33 | 262
                ))
    }

    /// Whether this is everybody's traffic together: nothing of it is known.
    fn is_anybodys(&self) -> bool {
        self.kind == FlowKind::CatchAll
    }
}

impl Filters {
    /// Hidden is what any list of `ignore` matches, and what does not match every list of `only`
    /// with something in it.
    #[must_use]
    pub fn new(ignore: Lists, only: Lists) -> Self {
        Self { ignore: Set::new(ignore), only: Set::new(only) }
    }

    fn is_empty(&self) -> bool {
        self.ignore.lists.is_empty() && self.only.lists.is_empty()
    }

    pub(crate) fn judge(&self, subject: &Subject<'_>) -> Verdict {
        if self.is_empty() {
            return Verdict::Record;
        }
        let (mut open, mut wait) = (false, false);
        for kind in Kind::ALL.into_iter().filter(|kind| self.ignore.lists.has(*kind)) {
            match self.ignore.ask(kind, subject) {
                // Nobody may hide traffic by a name made up for it.
                Answer::Yes(_) if kind == Kind::Domains && subject.source.is_claim() => open = true,
                Answer::Yes(at) => {
                    return Verdict::Hide(Rule::Ignore(
                        kind,
                        u32::try_from(at).unwrap_or(u32::MAX),
                    ));
                }
                Answer::No if kind == Kind::Domains && subject.source.is_claim() => open = true,
                Answer::No => {}
                Answer::Unknown => open = true,
                Answer::Pending => wait = true,
            }
        }
        for kind in Kind::ALL.into_iter().filter(|kind| self.only.lists.has(*kind)) {
            match self.only.ask(kind, subject) {
                Answer::Yes(_) => {}
                // A name that somebody made up is as good as none.
                Answer::No if kind == Kind::Domains && subject.source.is_claim() => open = true,
                Answer::No => return Verdict::Hide(Rule::NotOnly),
                Answer::Unknown => open = true,
                Answer::Pending => wait = true,
            }
        }
        match (wait, open) {
            (true, _) => Verdict::Wait,
            (_, true) => Verdict::Open,
            (false, false) => Verdict::Record,
        }
    }

    /// A rule as the user wrote it.
    pub(crate) fn text(&self, rule: Rule) -> Arc<str> {
        match rule {
            Rule::NotOnly => NOT_ONLY.into(),
            Rule::Ignore(kind, at) => self.ignore.lists.text(kind, at as usize).into(),
        }
    }
}
