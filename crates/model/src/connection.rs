//! What is known of a conversation besides its bytes.

/// Who began a conversation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Not known: the connection is older than the daemon, or the traffic found no flow.
    #[default]
    Unknown,
    /// This machine: it called connect(2), or sent the first datagram.
    Outgoing,
    /// The other end.
    Incoming,
    /// Nobody yet: a socket that waits for connections.
    Listening,
}

impl Direction {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Outgoing, Self::Incoming, Self::Listening];

    /// How the history stores it: 0 unknown, 1 outgoing, 2 incoming, 3 listening.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// As people read and write it; empty where unknown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
            Self::Listening => "listening",
        }
    }
}

/// What happened to a connection (TCP) within a row. Sums over rows count connections.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Begun: connect(2) was called, a connection was accepted and used, or a socket listens.
    pub begun: u32,
    /// Over, whatever the reason; also those that failed.
    pub ended: u32,
    /// Attempts that never became a connection.
    pub failed: u32,
    /// Why it failed or broke off: an errno (`ECONNREFUSED` 111, `ETIMEDOUT` 110, `ECONNRESET`
    /// 104, `EHOSTUNREACH` 113 …); 0 for none.
    pub error: u16,
}

/// How well TCP data travelled within a row.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Smoothed round-trip time as TCP last had it, in microseconds; `None` where it has none.
    pub rtt_us: Option<u32>,
    /// Segments sent again.
    pub retrans: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_places_in_the_list() {
        for (place, direction) in Direction::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(direction.code()), place);
        }
    }
}
