//! Bytes at the IP layer, beside those that programs move.

use std::ops::AddAssign;

/// Bytes on the wire, IP headers included, both ways.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    /// Sent, also what was sent again.
    pub send: u64,
    /// Received.
    pub recv: u64,
}

impl Wire {
    /// True if nothing was counted.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl AddAssign for Wire {
    fn add_assign(&mut self, other: Self) {
        self.send = self.send.saturating_add(other.send);
        self.recv = self.recv.saturating_add(other.recv);
    }
}

/// What the kernel's TCP counted of one socket, as it was when the socket was last used. The
/// 32-bit counters wrap.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TcpTotals {
    /// Payload sent, also what was sent again (`tcp_sock.bytes_sent`).
    pub bytes_sent: u64,
    /// Payload received in order, without duplicates; counts a FIN (`tcp_sock.bytes_received`).
    pub bytes_received: u64,
    /// Segments sent.
    pub segs_out: u32,
    /// Segments received.
    pub segs_in: u32,
    /// Segments sent again (`tcp_sock.total_retrans`).
    pub retrans: u32,
    /// Smoothed round-trip time in microseconds, 0 if there is none yet.
    pub srtt_us: u32,
    /// Segments that arrived and were not taken: duplicates, or no room (`sock.sk_drops`).
    pub drops: u32,
    /// Segments that arrived with payload, also those that were not taken
    /// (`tcp_sock.data_segs_in`).
    pub data_segs_in: u32,
    /// Bytes of TCP header, with the options that most segments have.
    pub header_len: u16,
    /// errno of the connection's end, 0 for none.
    pub error: u16,
    /// This side called connect(2).
    pub active: bool,
    /// The socket is older than the daemon: only what came since is counted.
    pub older: bool,
    /// It was a connection, at least for a while.
    pub established: bool,
    /// It waits for connections.
    pub listener: bool,
    /// The peer's FIN was received.
    pub fin: bool,
    /// It goes on as a time-wait stub, which counts nothing.
    pub time_wait: bool,
    /// It is over.
    pub ended: bool,
    /// This side ended it by a reset, which is not among the segments.
    pub reset: bool,
    /// Its SYN asked for a cookie of TCP Fast Open (RFC 7413).
    pub cookie_asked: bool,
    /// Its SYN carried such a cookie, and data.
    pub cookie_shown: bool,
    /// A subflow of MPTCP (RFC 8684), whose options are on each segment.
    pub subflow: bool,
    /// Segments sent with payload; of subflows only.
    pub data_segs_out: u32,
}

/// What the kernel's SCTP counted of a socket's association: sent, received. All wrap.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SctpTotals {
    /// Packets.
    pub packets: [u32; 2],
    /// Chunks with payload, also those that were sent again.
    pub data: [u32; 2],
    /// Of those sent, how many were sent again; received, how many came again, which are not in
    /// `data`.
    pub again: [u32; 2],
    /// Chunks that acknowledge (SACK).
    pub acks: [u32; 2],
    /// Chunks that control the association, those included that acknowledge.
    pub others: [u32; 2],
    /// The socket is older than the daemon: only what comes after the first reading is ours.
    pub older: bool,
}

/// What is known of a flow's headers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Headers {
    /// Header bytes sent beyond one header a call: further segments and fragments, less what corked
    /// calls do not have. Wraps.
    pub send_more: u32,
    /// The same received.
    pub recv_more: u32,
    /// A SOCK_RAW socket: what a call moves may contain headers.
    pub raw: bool,
    /// The program writes the IP header itself (`IP_HDRINCL`).
    pub included: bool,
}
