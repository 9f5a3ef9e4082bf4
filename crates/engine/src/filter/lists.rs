//! What rules are made of.

use std::fmt;
use std::net::IpAddr;

use femtosnitch_model::{FlowKey, Sha256, protocol_name};
use ipnet::IpNet;

use super::Kind;
use super::glob::Glob;

/// `[ignore]` or `[only]`: what traffic may be chosen by.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Lists {
    /// Local or remote ports, never 0.
    pub ports: Vec<u16>,
    /// Protocols.
    pub protocols: Vec<Protocol>,
    /// Networks of the remote address. Never the local one: a host inside an ignored network
    /// would record nothing at all.
    pub subnets: Vec<IpNet>,
    /// Domains with everything below them, lower case, without dots at either end.
    pub domains: Vec<String>,
    /// Paths of executables, as they see them: a container's are those in the container.
    pub exes: Vec<Glob>,
    /// Contents of executables.
    pub sha256: Vec<Sha256>,
    /// Containers.
    pub containers: Vec<ContainerRule>,
    /// Real user ids.
    pub users: Vec<UserRule>,
}

impl Lists {
    pub(super) fn is_empty(&self) -> bool {
        !Kind::ALL.into_iter().any(|kind| self.has(kind))
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        !match kind {
            Kind::Ports => self.ports.is_empty(),
            Kind::Protocols => self.protocols.is_empty(),
            Kind::Subnets => self.subnets.is_empty(),
            Kind::Users => self.users.is_empty(),
            Kind::Containers => self.containers.is_empty(),
            Kind::Exes => self.exes.is_empty(),
            Kind::Domains => self.domains.is_empty(),
            Kind::Sha256 => self.sha256.is_empty(),
        }
    }

    pub(super) fn text(&self, kind: Kind, at: usize) -> String {
        fn show<T: ToString>(list: &[T], at: usize) -> String {
            list.get(at).map_or_else(String::new, ToString::to_string)
        }
        match kind {
            Kind::Ports => format!("ignore.ports {}", show(&self.ports, at)),
            Kind::Protocols => format!("ignore.protocols {}", show(&self.protocols, at)),
            Kind::Subnets => format!("ignore.subnets {}", show(&self.subnets, at)),
            Kind::Users => {
                let user = self.users.get(at).map_or("", |user| user.text.as_str());
                format!("ignore.users {user}")
            }
            Kind::Containers => format!("ignore.containers {}", show(&self.containers, at)),
            Kind::Exes => format!("ignore.exes {}", show(&self.exes, at)),
            Kind::Domains => format!("ignore.domains {}", show(&self.domains, at)),
            Kind::Sha256 => format!("ignore.sha256 {}", show(&self.sha256, at)),
        }
    }
}

/// A protocol as [`protocol_name`] names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `IPPROTO_*`.
    Number(u16),
    /// AF_PACKET, whatever the protocol of its frames.
    Packet,
    /// AF_XDP.
    Xdp,
}

impl Protocol {
    /// Numbers of the kernel's are no larger (`IPPROTO_MPTCP`).
    pub const LARGEST: u16 = 262;

    /// The one of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "packet" => Some(Self::Packet),
            "xdp" => Some(Self::Xdp),
            _ if name.bytes().all(|byte| byte.is_ascii_digit()) => None,
            _ => (0..=Self::LARGEST)
                .find(|number| protocol_name(FlowKey::AF_INET, *number) == name)
                .map(Self::Number),
        }
    }

    pub(super) fn is(self, family: u16, protocol: u16) -> bool {
        match self {
            Self::Packet => family == FlowKey::AF_PACKET,
            Self::Xdp => family == FlowKey::AF_XDP,
            Self::Number(number) => {
                !matches!(family, FlowKey::AF_PACKET | FlowKey::AF_XDP) && number == protocol
            }
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Packet => protocol_name(FlowKey::AF_PACKET, 0),
            Self::Xdp => protocol_name(FlowKey::AF_XDP, 0),
            Self::Number(number) => protocol_name(FlowKey::AF_INET, *number),
        })
    }
}

/// A container: all of what the history shows, or the first 12 digits of its id or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRule(String);

impl ContainerRule {
    /// Digits that tell one container from all others.
    const DIGITS: usize = 12;

    /// Reads a rule.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(
                "it is empty; `femtosnitch query --by container` shows containers".to_owned()
            );
        }
        if is_hex(text) && text.len() < Self::DIGITS {
            return Err(format!("write at least {} digits of the id", Self::DIGITS));
        }
        Ok(Self(text.to_owned()))
    }

    /// Only the outermost container counts, and who made it with it: what is inside a container,
    /// or a user, can give its cgroups any name.
    pub(super) fn matches(&self, container: &str) -> bool {
        if container == self.0 {
            return true;
        }
        let outer = container.split(" > ").next().unwrap_or_default();
        let id = self.0.rsplit('/').next().unwrap_or_default();
        outer == self.0
            || (is_hex(id) && id.len() >= Self::DIGITS && outer.starts_with(self.0.as_str()))
    }
}

impl fmt::Display for ContainerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRule {
    /// Real user id.
    pub uid: u32,
    /// As it was written: a name or the id.
    pub text: String,
}

pub(super) fn contains(net: &IpNet, addr: IpAddr) -> bool {
    net.contains(&addr.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_name() {
        assert_eq!(Protocol::named("TCP"), Some(Protocol::Number(6)));
        assert_eq!(Protocol::named("mptcp"), Some(Protocol::Number(262)));
        assert_eq!(Protocol::named("packet"), Some(Protocol::Packet));
        assert_eq!((Protocol::named("6"), Protocol::named("tpc")), (None, None));
        assert!(Protocol::Number(6).is(2, 6) && !Protocol::Number(6).is(17, 6));
        assert!(Protocol::Packet.is(17, 0) && !Protocol::Packet.is(2, 6));
    }

    #[test]
    fn containers_match_by_who_made_them() {
        let id = "3f4c8a1b2d5e6f708192";
        let rule = ContainerRule::new(&id[..12]).unwrap();
        assert!(rule.matches(id) && rule.matches(&format!("{id} > 91ab")));
        assert!(!rule.matches(&format!("user 1000/{id}")), "any user can make that up");
        assert!(!rule.matches(&format!("91ab > {id}")), "any container can make that up");
        let own = ContainerRule::new(&format!("user 1000/{}", &id[..12])).unwrap();
        assert!(own.matches(&format!("user 1000/{id}")) && !own.matches(id));
        let named = ContainerRule::new("web").unwrap();
        assert!(named.matches("web") && !named.matches("web2") && !named.matches(""));
        assert!(ContainerRule::new("3f4c8a").unwrap_err().contains("12"));
        assert!(ContainerRule::new(" ").is_err());
    }
}
