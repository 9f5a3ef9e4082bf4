//! What conversations are about: who has which, how long they last and how much they move.

use femtosnitch_model::FlowKey;

use super::catalog::Kind;

/// What a conversation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    Tls,
    Quic,
    Http,
    Dns,
    /// A connection that waits for news.
    Push,
    Ssh,
    /// A peer without a name.
    Peer,
    /// Somebody out there asks a server here.
    Incoming,
    Lan,
    Loopback,
    Ntp,
    Ping,
}

/// How a topic behaves: mean rows, the share of intervals in which something moves, median and
/// spread of bytes sent and received in a row.
pub(crate) struct Habit {
    pub(crate) rows: f64,
    pub(crate) busy: f64,
    pub(crate) send: (f64, f64),
    pub(crate) recv: (f64, f64),
}

impl Topic {
    /// How often each is chosen by programs of a kind.
    pub(crate) fn weights(kind: Kind) -> &'static [(Self, f64)] {
        use Topic::{Dns, Http, Incoming, Lan, Loopback, Ntp, Peer, Ping, Push, Quic, Ssh, Tls};
        match kind {
            Kind::Browser => &[(Tls, 0.5), (Quic, 0.17), (Dns, 0.27), (Http, 0.03), (Lan, 0.03)],
            Kind::App => &[
                (Tls, 0.52),
                (Dns, 0.27),
                (Quic, 0.05),
                (Lan, 0.05),
                (Peer, 0.07),
                (Http, 0.02),
                (Push, 0.006),
            ],
            Kind::Daemon => &[
                (Dns, 0.35),
                (Tls, 0.2),
                (Lan, 0.14),
                (Loopback, 0.1),
                (Ntp, 0.08),
                (Http, 0.07),
                (Incoming, 0.04),
                (Ping, 0.02),
            ],
            Kind::Service => &[(Incoming, 0.35), (Loopback, 0.25), (Dns, 0.2), (Tls, 0.2)],
            Kind::Tool | Kind::Launcher => &[
                (Tls, 0.45),
                (Dns, 0.35),
                (Http, 0.08),
                (Ssh, 0.015),
                (Lan, 0.04),
                (Ping, 0.02),
                (Loopback, 0.02),
            ],
        }
    }

    pub(crate) fn habit(self) -> Habit {
        let habit = |rows, busy, send, recv| Habit { rows, busy, send, recv };
        match self {
            Self::Tls => habit(3.6, 0.8, (1_800.0, 1.2), (9_000.0, 1.8)),
            Self::Quic => habit(4.5, 0.8, (2_500.0, 1.2), (25_000.0, 2.0)),
            Self::Http => habit(1.4, 0.9, (400.0, 0.6), (5_000.0, 2.2)),
            Self::Dns => habit(1.0, 1.0, (38.0, 0.25), (110.0, 0.5)),
            Self::Push => habit(120.0, 0.2, (90.0, 0.6), (140.0, 1.0)),
            Self::Ssh => habit(50.0, 0.6, (700.0, 1.3), (2_500.0, 1.6)),
            Self::Peer => habit(2.0, 0.7, (900.0, 2.0), (1_500.0, 2.3)),
            Self::Incoming => habit(2.0, 0.9, (6_000.0, 1.7), (900.0, 1.0)),
            Self::Lan => habit(3.0, 0.5, (600.0, 1.5), (1_200.0, 1.8)),
            Self::Loopback => habit(4.0, 0.7, (1_100.0, 1.4), (1_900.0, 1.7)),
            Self::Ntp => habit(1.0, 1.0, (48.0, 0.0), (48.0, 0.0)),
            Self::Ping => habit(2.5, 1.0, (384.0, 0.5), (384.0, 0.5)),
        }
    }

    pub(crate) fn protocol(self, v6: bool) -> u16 {
        match self {
            Self::Quic | Self::Dns | Self::Ntp => FlowKey::UDP,
            Self::Ping if v6 => FlowKey::ICMPV6,
            Self::Ping => FlowKey::ICMP,
            _ => FlowKey::TCP,
        }
    }
}
