//! From what sockets count to bytes at the IP layer.
//!
//! TCP's own counters are exact but for the options of single segments (SACK) and for what a
//! time-wait stub sends or receives; of datagrams everything but the segments of a large one is
//! arithmetic. docs/accuracy.md has the measured differences.

use femtosnitch_model::{Counters, FlowKey, FlowKind, Headers, TcpTotals, Wire};

/// Protocols whose headers are known; of raw sockets all are.
const PROTOCOLS: [u16; 5] =
    [FlowKey::ICMP, FlowKey::TCP, FlowKey::UDP, FlowKey::ICMPV6, FlowKey::UDPLITE];

/// An Ethernet header, which SOCK_RAW packet sockets move as well.
const ETHERNET: u64 = 14;
/// A TCP header without options, as in a reset.
const BARE: u64 = 20;
/// What the options of a SYN take beyond those of other segments: segment size, window scale and
/// permission of SACK, where time stamps are on (the default).
const SYN_OPTIONS: u64 = 8;

/// The option with a cookie of TCP Fast Open as Linux makes them, and the one that asks for it
/// (RFC 7413, section 4.1.1).
const COOKIE: u64 = 12;
const NO_COOKIE: u64 = 4;
/// MPTCP's Data Sequence Signal (RFC 8684, section 3.3): with a mapping and an acknowledgement, and
/// with an acknowledgement alone.
const MAPPING: u64 = 28;
const DATA_ACK: u64 = 12;
/// True if the bytes on the wire of such a flow can be told.
pub(crate) fn is_known(kind: FlowKind, flow: &FlowKey, headers: Headers) -> bool {
    match kind {
        FlowKind::Bucket | FlowKind::Executable { .. } | FlowKind::CatchAll => false,
        FlowKind::First | FlowKind::Orphan | FlowKind::Extra | FlowKind::ManyPeers => {
            flow.family == FlowKey::AF_PACKET
                || (headers.raw && flow.family != FlowKey::AF_XDP)
                || PROTOCOLS.contains(&flow.protocol)
        }
    }
}

pub(crate) fn ip_header(flow: &FlowKey) -> u64 {
    if flow.family == FlowKey::AF_INET { 20 } else { 40 }
}

/// What calls that moved `delta` had on the wire; `more` is the growth of the two counters of
/// further headers. Not for TCP.
pub(crate) fn datagrams(flow: &FlowKey, headers: Headers, delta: Counters, more: [u32; 2]) -> Wire {
    let [send_more, recv_more] = more.map(|more| i64::from(more.cast_signed()));
    if flow.family == FlowKey::AF_PACKET {
        let link = if headers.raw { ETHERNET } else { 0 };
        let send = delta.send.saturating_sub(link * delta.send_calls);
        return Wire {
            send: send.saturating_add_signed(send_more),
            recv: delta.recv.saturating_sub(link * delta.recv_calls),
        };
    }
    let (send, recv) = match (headers.raw, flow.family) {
        // raw(7): IPv4 receives the header, and may be made to send it.
        (true, FlowKey::AF_INET) => (if headers.included { 0 } else { 20 }, 0),
        (true, _) => (40, 40),
        // A ping socket moves the ICMP header.
        (false, _) if matches!(flow.protocol, FlowKey::ICMP | FlowKey::ICMPV6) => {
            (ip_header(flow), ip_header(flow))
        }
        (false, _) => (ip_header(flow) + 8, ip_header(flow) + 8),
    };
    Wire {
        send: (delta.send + send * delta.send_calls).saturating_add_signed(send_more),
        recv: (delta.recv + recv * delta.recv_calls).saturating_add_signed(recv_more),
    }
}

/// What a TCP socket had on the wire between two readings of its counters.
pub(crate) fn tcp(flow: &FlowKey, before: &TcpTotals, now: &TcpTotals) -> Wire {
    let mut payload = Wire {
        send: now.bytes_sent.saturating_sub(before.bytes_sent),
        recv: now.bytes_received.saturating_sub(before.bytes_received),
    };
    let segs_out = u64::from(now.segs_out.wrapping_sub(before.segs_out));
    let segs_in = u64::from(now.segs_in.wrapping_sub(before.segs_in));
    let header = ip_header(flow) + u64::from(now.header_len).max(BARE);
    if now.ended && !now.established && now.active {
        // SYNs, and a reset or nothing.
        let syn = header + SYN_OPTIONS;
        return Wire { send: syn * segs_out, recv: (ip_header(flow) + BARE) * segs_in };
    }
    if now.subflow {
        let out = u64::from(now.data_segs_out.wrapping_sub(before.data_segs_out));
        let inward = u64::from(now.data_segs_in.wrapping_sub(before.data_segs_in));
        payload.send += MAPPING * out + DATA_ACK * segs_out.saturating_sub(out);
        payload.recv += MAPPING * inward + DATA_ACK * segs_in.saturating_sub(inward);
    }
    let dropped = dropped_payload(now).saturating_sub(dropped_payload(before));
    let mut wire = Wire {
        send: payload.send + header * segs_out,
        recv: payload.recv + header * segs_in + dropped,
    };
    let again = before.ended && !now.ended;
    if now.established && (!before.established || again) && !now.older {
        // The answer to a SYN is sent before there is a socket to count it.
        wire.send += SYN_OPTIONS + if now.active { 0 } else { header };
        wire.recv += SYN_OPTIONS;
    }
    wire += cookies(before, now);
    if now.ended && !before.ended {
        if now.reset {
            wire.send += header;
        }
        if now.fin {
            wire.recv = wire.recv.saturating_sub(1);
        } else if now.time_wait {
            // The peer's FIN and its acknowledgement are still to come.
            wire.send += header;
            wire.recv += header;
        }
    }
    wire
}

/// What TCP Fast Open adds to the handshake.
fn cookies(before: &TcpTotals, now: &TcpTotals) -> Wire {
    let shown = if now.cookie_shown && !before.cookie_shown { COOKIE } else { 0 };
    if !now.active {
        return Wire { send: 0, recv: shown };
    }
    let asked = now.cookie_asked && !before.cookie_asked;
    Wire { send: shown + if asked { NO_COOKIE } else { 0 }, recv: if asked { COOKIE } else { 0 } }
}

/// Payload of the segments that were not taken: among the segments, but not in the payload. They
/// count as large as those that were taken are on average, which may come later.
fn dropped_payload(tcp: &TcpTotals) -> u64 {
    let drops = tcp.drops.min(tcp.segs_in);
    let taken = tcp.data_segs_in.saturating_sub(drops).max(1);
    u64::from(drops) * (tcp.bytes_received / u64::from(taken))
}

/// Shares `whole` out in proportion to `parts`; what does not divide goes to the first. All to
/// the first if no part counts anything.
pub(crate) fn share(whole: u64, parts: &[u64]) -> Vec<u64> {
    let sum: u128 = parts.iter().map(|part| u128::from(*part)).sum();
    let mut shares: Vec<u64> = parts
        .iter()
        .map(|part| {
            let share = (u128::from(whole) * u128::from(*part)).checked_div(sum);
            u64::try_from(share.unwrap_or(0)).unwrap_or(0)
        })
        .collect();
    let given: u64 = shares.iter().sum();
    if let Some(first) = shares.first_mut() {
        *first += whole.saturating_sub(given);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, reading};
    use proptest::prelude::*;

    fn flow(family: u16, protocol: u16) -> FlowKey {
        FlowKey { family, protocol, ..reading(1, key(1, 1), 0, 0).flow }
    }

    fn two_each_way() -> Counters {
        Counters { send: 200, recv: 300, send_calls: 2, recv_calls: 3 }
    }

    #[test]
    fn each_kind_of_datagram_has_its_headers() {
        let raw = Headers { raw: true, ..Headers::default() };
        let included = Headers { included: true, ..raw };
        let plain = Headers::default();
        for (family, protocol, headers, send, recv) in [
            (2, 17, plain, 256, 384),
            (10, 17, plain, 296, 444),
            (2, 1, plain, 240, 360),
            (10, 58, plain, 280, 420),
            (2, 253, raw, 240, 300),
            (2, 255, included, 200, 300),
            (10, 253, raw, 280, 420),
            (17, 0, plain, 200, 300),
            (17, 0, raw, 172, 258),
        ] {
            let flow = flow(family, protocol);
            assert!(is_known(FlowKind::First, &flow, headers));
            let wire = datagrams(&flow, headers, two_each_way(), [0, 0]);
            assert_eq!((wire.send, wire.recv), (send, recv), "{family} {protocol} {headers:?}");
        }
        assert!(!is_known(FlowKind::First, &flow(2, 132), plain), "SCTP has chunks of its own");
        assert!(!is_known(FlowKind::Bucket, &flow(2, 17), plain));
    }

    #[test]
    fn further_headers_are_added() {
        let corked = 28u32.wrapping_neg();
        let wire = datagrams(&flow(2, 17), Headers::default(), two_each_way(), [100, corked]);
        assert_eq!((wire.send, wire.recv), (356, 356));
    }

    /// 60 + 52 + 52 bytes of handshake by the one side, 60 by the other; see the RFC's picture.
    #[test]
    fn a_connection_of_one_request_adds_up() {
        let before = TcpTotals::default();
        // SYN, ACK, request, ACK of the answer and FIN, last ACK against SYN-ACK, ACK, answer, FIN.
        let client = TcpTotals {
            bytes_sent: 100,
            bytes_received: 1001,
            segs_out: 5,
            segs_in: 4,
            header_len: 32,
            active: true,
            established: true,
            fin: true,
            ended: true,
            ..before
        };
        let wire = tcp(&flow(2, 6), &before, &client);
        assert_eq!((wire.send, wire.recv), (100 + 60 + 4 * 52, 1000 + 60 + 3 * 52));
        let server = TcpTotals {
            bytes_sent: 1000,
            bytes_received: 101,
            segs_out: 3,
            segs_in: 4,
            active: false,
            ..client
        };
        let wire = tcp(&flow(2, 6), &before, &server);
        assert_eq!((wire.send, wire.recv), (1000 + 60 + 3 * 52, 100 + 60 + 3 * 52 + 52 - 52));
    }

    #[test]
    fn what_arrived_and_was_not_taken_was_on_the_wire() {
        let open = TcpTotals { header_len: 32, established: true, ..TcpTotals::default() };
        let later =
            TcpTotals { segs_in: 10, data_segs_in: 10, bytes_received: 11_584, drops: 2, ..open };
        assert_eq!(tcp(&flow(2, 6), &open, &later).recv, 10 * 1500);
        let odd = TcpTotals { segs_in: 1, drops: 11, ..later };
        assert_eq!(tcp(&flow(2, 6), &open, &odd).recv, 11_584 + 52 + 1287, "no more than came");
        // Dropped before anything was taken.
        let early = TcpTotals { segs_in: 1, drops: 1, ..open };
        let late = TcpTotals { segs_in: 3, data_segs_in: 2, bytes_received: 1448, ..early };
        let parts = [tcp(&flow(2, 6), &open, &early), tcp(&flow(2, 6), &early, &late)];
        assert_eq!(parts.iter().map(|wire| wire.recv).sum::<u64>(), 3 * 52 + 2 * 1448);
    }

    #[test]
    fn a_reset_of_our_own_is_one_more_segment() {
        let open = TcpTotals { header_len: 32, established: true, ..TcpTotals::default() };
        let over = TcpTotals { ended: true, reset: true, ..open };
        let wire = tcp(&flow(2, 6), &open, &over);
        assert_eq!((wire.send, wire.recv), (52, 0));
    }

    #[test]
    fn a_socket_that_connects_again_shakes_hands_again() {
        let over = TcpTotals {
            header_len: 32,
            active: true,
            established: true,
            ended: true,
            ..TcpTotals::default()
        };
        let second = TcpTotals { segs_out: 2, segs_in: 1, ended: false, ..over };
        let wire = tcp(&flow(2, 6), &over, &second);
        assert_eq!((wire.send, wire.recv), (60 + 52, 60));
    }

    #[test]
    fn a_refused_connect_is_a_syn_and_a_reset() {
        let refused = TcpTotals {
            segs_out: 1,
            segs_in: 1,
            header_len: 32,
            active: true,
            ended: true,
            ..TcpTotals::default()
        };
        let wire = tcp(&flow(2, 6), &TcpTotals::default(), &refused);
        assert_eq!((wire.send, wire.recv), (60, 40));
    }

    #[test]
    fn fast_open_carries_its_cookie_once() {
        let asks = TcpTotals {
            segs_out: 1,
            header_len: 32,
            established: true,
            active: true,
            cookie_asked: true,
            ..TcpTotals::default()
        };
        let wire = tcp(&flow(2, 6), &TcpTotals::default(), &asks);
        assert_eq!((wire.send, wire.recv), (60 + 4, 8 + 12), "the answer has it");
        let shows = TcpTotals { cookie_asked: false, cookie_shown: true, ..asks };
        let wire = tcp(&flow(2, 6), &TcpTotals::default(), &shows);
        assert_eq!((wire.send, wire.recv), (60 + 12, 8));
        let server = TcpTotals { active: false, segs_out: 0, segs_in: 1, ..shows };
        let wire = tcp(&flow(2, 6), &TcpTotals::default(), &server);
        assert_eq!((wire.send, wire.recv), (60, 60 + 12));
        assert_eq!(tcp(&flow(2, 6), &shows, &shows), Wire::default());
    }

    #[test]
    fn each_segment_of_mptcp_has_its_options() {
        let open = TcpTotals { header_len: 32, established: true, ..TcpTotals::default() };
        let later = TcpTotals {
            subflow: true,
            bytes_sent: 2800,
            segs_out: 3,
            data_segs_out: 2,
            segs_in: 1,
            ..open
        };
        let wire = tcp(&flow(2, 6), &open, &later);
        assert_eq!((wire.send, wire.recv), (2800 + 3 * 52 + 2 * 28 + 12, 52 + 12));
        let spoken_to_one_that_does_not = TcpTotals { subflow: false, ..later };
        let wire = tcp(&flow(2, 6), &open, &spoken_to_one_that_does_not);
        assert_eq!(wire.send, 2800 + 3 * 52);
    }

    #[test]
    fn frames_of_a_ring_have_a_link_header_each() {
        let raw = Headers { raw: true, ..Headers::default() };
        let counters = Counters { send: 3 * 100, send_calls: 1, ..Counters::default() };
        let more = [(2 * 14u32).wrapping_neg(), 0];
        assert_eq!(datagrams(&flow(17, 0), raw, counters, more).send, 3 * 86);
    }

    proptest! {
        /// However often it is read, the sum is the same.
        #[test]
        fn readings_add_up(steps in prop::collection::vec((0..9000u64, 0..9u32, 0..9000u64, 0..9u32), 1..20)) {
            let flow = flow(10, 6);
            let mut now = TcpTotals { header_len: 32, established: true, ..TcpTotals::default() };
            now.segs_out = u32::MAX - 20;
            let start = TcpTotals { established: false, ..now };
            let (mut seen, mut sum) = (start, Wire::default());
            for (sent, out, received, inward) in steps {
                now.bytes_sent += sent;
                now.segs_out = now.segs_out.wrapping_add(out);
                now.bytes_received += received;
                now.segs_in = now.segs_in.wrapping_add(inward);
                sum += tcp(&flow, &seen, &now);
                seen = now;
            }
            prop_assert_eq!(sum, tcp(&flow, &start, &now));
        }

        #[test]
        fn shares_make_up_the_whole(whole in 0..1u64 << 60, parts in prop::collection::vec(0..1u64 << 40, 1..9)) {
            let shares = share(whole, &parts);
            prop_assert_eq!(shares.iter().sum::<u64>(), whole);
            let sum: u64 = parts.iter().sum();
            for (part, share) in parts.iter().zip(&shares).skip(1) {
                prop_assert!(*part > 0 || *share == 0);
                prop_assert!(sum == 0 || u128::from(*share) * u128::from(sum) <= u128::from(whole) * u128::from(*part));
            }
        }
    }
}
