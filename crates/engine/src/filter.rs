//! What the user does not want recorded.

use std::net::IpAddr;

use femtosnitch_model::{Digest, Row, Sha256};
use ipnet::IpNet;

/// The configuration's `[ignore]` section.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ignore {
    /// Local or remote ports.
    pub ports: Vec<u16>,
    /// Domains with everything below them, lower case, without dots at either end.
    pub domains: Vec<String>,
    /// Networks of the remote address. Never the local one: a host inside an ignored network
    /// would record nothing at all.
    pub subnets: Vec<IpNet>,
    /// Executables.
    pub sha256: Vec<Sha256>,
}

/// What the filters say of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Record,
    Drop,
    /// The executable's digest decides, and it is not known yet.
    Undecided,
}

impl Ignore {
    /// Judges everything but the digest; used for the live feed as well.
    #[must_use]
    pub fn matches_flow(
        &self,
        lport: u16,
        rport: u16,
        raddr: Option<IpAddr>,
        domain: &str,
    ) -> bool {
        let port = |port: u16| port != 0 && self.ports.contains(&port);
        port(lport)
            || port(rport)
            || raddr.is_some_and(|addr| self.subnets.iter().any(|net| net.contains(&addr)))
            || (!domain.is_empty() && self.domains.iter().any(|d| is_within(domain, d)))
    }

    pub(crate) fn judge(&self, row: &Row) -> Verdict {
        if self.matches_flow(row.lport, row.rport, row.raddr, &row.domain) {
            return Verdict::Drop;
        }
        match row.exe.digest {
            _ if self.sha256.is_empty() => Verdict::Record,
            Digest::Known(sha) if self.sha256.contains(&sha) => Verdict::Drop,
            Digest::Pending => Verdict::Undecided,
            Digest::Known(_) | Digest::Missing(_) => Verdict::Record,
        }
    }
}

/// True if `reversed` (`org.example.www`) is `domain` (`example.org`) or lies below it. Whole
/// labels only: `notexample.org` does not lie below `example.org`.
fn is_within(reversed: &str, domain: &str) -> bool {
    let mut labels = reversed.split('.');
    domain
        .rsplit('.')
        .all(|wanted| labels.next().is_some_and(|label| label.eq_ignore_ascii_case(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignore() -> Ignore {
        Ignore {
            ports: vec![5353],
            domains: vec!["example.org".to_owned()],
            subnets: vec!["192.168.0.0/16".parse().unwrap(), "fe80::/10".parse().unwrap()],
            sha256: vec![],
        }
    }

    #[test]
    fn domains_match_by_whole_labels() {
        assert!(is_within("org.example", "example.org"));
        assert!(is_within("org.example.www", "example.org"));
        assert!(is_within("ORG.Example.www", "example.org"));
        assert!(!is_within("org.examples", "example.org"));
        assert!(!is_within("org.notexample", "example.org"));
        assert!(!is_within("org", "example.org"));
    }

    #[test]
    fn only_the_remote_address_counts() {
        let far = Some("203.0.113.9".parse().unwrap());
        let near = Some("192.168.1.9".parse().unwrap());
        assert!(ignore().matches_flow(1, 2, near, ""));
        assert!(!ignore().matches_flow(1, 2, far, ""));
        assert!(!ignore().matches_flow(1, 2, None, ""));
    }

    #[test]
    fn ports_match_on_either_side_and_zero_never() {
        assert!(ignore().matches_flow(5353, 1, None, ""));
        assert!(ignore().matches_flow(1, 5353, None, ""));
        let zero = Ignore { ports: vec![0], ..Ignore::default() };
        assert!(!zero.matches_flow(0, 0, None, ""));
    }
}
