//! The scenarios: what is run, and where it is known to differ from the truth.
//!
//! Every kind of traffic that the testkit knows is a scenario; [`VARIANTS`] has more of some.

use femtosnitch_testkit::traffic::KINDS;

use crate::ground::Towards;
use crate::verdict::Aspect;

/// One line of the scoreboard.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// Its name, unique.
    pub(crate) name: &'static str,
    /// What is special about it.
    pub(crate) about: &'static str,
    /// Kind of testkit traffic.
    pub(crate) kind: &'static str,
    /// Further arguments of the generator.
    pub(crate) args: &'static [&'static str],
    /// Through the cable to a peer in another namespace; else over loopback, both ends watched.
    pub(crate) cable: bool,
    /// The generator makes a namespace for itself, where nobody counts packets.
    pub(crate) own_network: bool,
    /// Sockets that each packet to the peer is delivered to.
    pub(crate) receivers: u64,
    /// Packets dropped behind the counters.
    pub(crate) loss: Option<Loss>,
}

/// Forced loss of TCP packets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loss {
    pub(crate) percent: u32,
    pub(crate) towards: Towards,
}

/// Kinds of traffic under further conditions: name, what is special, kind, arguments, loss.
type Variant = (&'static str, &'static str, &'static str, &'static [&'static str], Option<Loss>);

const fn lose(percent: u32, towards: Towards) -> Option<Loss> {
    Some(Loss { percent, towards })
}

const VARIANTS: [Variant; 8] = [
    (
        "connect-refused-1000",
        "a scan: a thousand connections in vain",
        "connect-refused",
        &["--rounds", "1000"],
        None,
    ),
    (
        "tcp4-loss-up",
        "2 % of the client's packets are lost",
        "tcp4",
        &["--bytes", "4000000"],
        lose(2, Towards::Peer),
    ),
    (
        "tcp4-loss-down",
        "2 % of the server's packets are lost",
        "tcp4",
        &["--bytes", "4000000"],
        lose(2, Towards::Near),
    ),
    (
        "tcp6-loss-up",
        "2 % of the client's packets are lost, IPv6",
        "tcp6",
        &["--bytes", "4000000"],
        lose(2, Towards::Peer),
    ),
    (
        "tcp4-small-writes",
        "100 bytes a call",
        "tcp4",
        &["--bytes", "200000", "--chunk", "100"],
        None,
    ),
    ("tcp4-tiny", "a connection of one small request", "tcp4", &["--bytes", "100"], None),
    ("tcp6-tiny", "the same over IPv6", "tcp6", &["--bytes", "100"], None),
    (
        "tcp4-long",
        "20 MB over one connection",
        "tcp4",
        &["--bytes", "20000000", "--chunk", "131072"],
        None,
    ),
];

/// Kinds that make a network namespace for themselves.
const OWN_NETWORK: [&str; 1] = ["connect-timeout"];

/// Kinds that want packets of whole pages.
const LOOPBACK: [&str; 1] = ["tcp-zerocopy-recv"];

/// One datagram, delivered to two sockets: each of them has received it.
const MULTICAST: &str = "udp-multicast";

/// Something that is known to differ from the truth. Once it does not any more it is an error.
pub(crate) struct Limit {
    scenario: &'static str,
    aspect: Aspect,
    why: &'static str,
    /// With this hook (a program of the BPF object) it does not.
    mended_by: &'static str,
}

const UNBOUND: &str =
    "bound to no address, not connected: needs function tracing, which this kernel lacks";

/// Known limits.
const LIMITS: &[Limit] = &[
    Limit {
        scenario: "udp-mapped-unconnected",
        aspect: Aspect::Peer,
        why: UNBOUND,
        mended_by: "fs_sent4",
    },
    Limit { scenario: "udp-v4-on-v6", aspect: Aspect::Peer, why: UNBOUND, mended_by: "fs_sent4" },
    Limit {
        scenario: "udp-recv-plain",
        aspect: Aspect::Peer,
        why: "recv(2) without an address: needs function tracing, which this kernel lacks",
        mended_by: "fs_received",
    },
];

/// All scenarios, in the order of the scoreboard.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let kinds = KINDS.iter().map(|kind| Scenario {
        name: kind.name,
        about: kind.about,
        kind: kind.name,
        args: &[],
        cable: kind.routed && !LOOPBACK.contains(&kind.name),
        own_network: OWN_NETWORK.contains(&kind.name),
        receivers: if kind.name == MULTICAST { 2 } else { 1 },
        loss: None,
    });
    let variants = VARIANTS.into_iter().map(|(name, about, kind, args, loss)| Scenario {
        name,
        about,
        kind,
        args,
        cable: true,
        own_network: false,
        receivers: 1,
        loss,
    });
    kinds.chain(variants).collect()
}

/// Why this aspect of this scenario is known to differ where these hooks are attached.
pub(crate) fn limit(scenario: &str, aspect: Aspect, hooks: &[String]) -> Option<&'static str> {
    let attached = |hook: &str| hooks.iter().any(|attached| attached == hook);
    let of_this = |limit: &&Limit| limit.scenario == scenario && limit.aspect == aspect;
    let limit = LIMITS.iter().find(of_this)?;
    (!attached(limit.mended_by)).then_some(limit.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_limits_are_of_scenarios() {
        let mut names: Vec<_> = scenarios().iter().map(|scenario| scenario.name).collect();
        for limit in LIMITS {
            assert!(names.contains(&limit.scenario), "{}", limit.scenario);
            assert!(limit.why.len() > 20, "{}: say why", limit.scenario);
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_limit_may_depend_on_a_hook() {
        let peer = |hooks: &[&str]| {
            let hooks: Vec<String> = hooks.iter().map(|hook| (*hook).to_owned()).collect();
            limit("udp-recv-plain", Aspect::Peer, &hooks).is_some()
        };
        assert!(peer(&[]) && peer(&["fs_send"]) && !peer(&["fs_received"]));
        assert!(limit("tcp4", Aspect::Peer, &[]).is_none());
    }
}
