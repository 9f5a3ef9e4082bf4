//! The lists of one section, asked one by one.

use std::collections::HashMap;

use femtosnitch_model::{Digest, Sha256, Unhashed};

use super::{Kind, Lists, Subject, lists};
use crate::processes::KERNEL;

/// What a list says.
pub(super) enum Answer {
    /// The place in it.
    Yes(usize),
    No,
    Unknown,
    Pending,
}

/// Lists, with those indexed that can be long (a public list of domains has 100,000).
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) lists: Lists,
    /// In reverse notation.
    domains: HashMap<String, usize>,
    sha256: HashMap<Sha256, usize>,
}

impl Set {
    pub(super) fn new(lists: Lists) -> Self {
        let reversed = |domain: &String| domain.rsplit('.').collect::<Vec<_>>().join(".");
        let domains = lists.domains.iter().map(reversed).zip(0..).collect();
        let sha256 = lists.sha256.iter().copied().zip(0..).collect();
        Self { lists, domains, sha256 }
    }

    pub(super) fn ask(&self, kind: Kind, subject: &Subject<'_>) -> Answer {
        let lists = &self.lists;
        match kind {
            Kind::Ports => {
                let wanted = |port: &u16| *port != 0 && subject.ports.contains(port);
                match lists.ports.iter().position(wanted) {
                    Some(at) => Answer::Yes(at),
                    None if subject.has_ports() && subject.ports.contains(&0) => Answer::Unknown,
                    None => Answer::No,
                }
            }
            Kind::Protocols if subject.family == 0 => Answer::Unknown,
            Kind::Protocols => {
                found(lists.protocols.iter().position(|it| it.is(subject.family, subject.protocol)))
            }
            Kind::Subnets => match subject.raddr {
                None => Answer::Unknown,
                Some(addr) => {
                    found(lists.subnets.iter().position(|net| lists::contains(net, addr)))
                }
            },
            Kind::Users | Kind::Containers if subject.is_anybodys() => Answer::Unknown,
            Kind::Users => found(lists.users.iter().position(|user| user.uid == subject.uid)),
            Kind::Containers => {
                found(lists.containers.iter().position(|it| it.matches(subject.container)))
            }
            Kind::Exes => {
                // Brackets: nobody knows. An ellipsis: the beginning is missing.
                let unknown = subject.exe.starts_with(['(', '…']) && subject.exe != KERNEL;
                match lists.exes.iter().position(|glob| glob.matches(subject.exe)) {
                    _ if unknown => Answer::Unknown,
                    at => found(at),
                }
            }
            Kind::Domains if subject.domain.is_empty() => Answer::Unknown,
            Kind::Domains => found(self.domain(subject.domain)),
            Kind::Sha256 => match subject.digest {
                Digest::Known(sha) => found(self.sha256.get(&sha).copied()),
                Digest::Pending => Answer::Pending,
                Digest::Missing(Unhashed::Kernel) => Answer::No,
                Digest::Missing(_) => Answer::Unknown,
            },
        }
    }

    /// The rule that a name (`org.example.www`) is or lies below. Whole labels only:
    /// `notexample.org` does not lie below `example.org`.
    fn domain(&self, reversed: &str) -> Option<usize> {
        let reversed = reversed.to_ascii_lowercase();
        let dots = reversed.match_indices('.').map(|(at, _)| at);
        dots.chain([reversed.len()]).find_map(|end| self.domains.get(reversed.get(..end)?).copied())
    }
}

fn found(at: Option<usize>) -> Answer {
    at.map_or(Answer::No, Answer::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_match_by_whole_labels() {
        let domains = ["example.org", "localhost", "a.b.c"].map(str::to_owned).to_vec();
        let set = Set::new(Lists { domains, ..Lists::default() });
        for (reversed, at) in [
            ("org.example", Some(0)),
            ("org.example.www", Some(0)),
            ("ORG.Example.www", Some(0)),
            ("localhost", Some(1)),
            ("c.b.a.x.y", Some(2)),
            ("org.examples", None),
            ("org.notexample", None),
            ("org", None),
            ("c.b", None),
            ("", None),
            ("..", None),
        ] {
            assert_eq!(set.domain(reversed), at, "{reversed}");
        }
    }
}
