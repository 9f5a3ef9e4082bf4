//! From what an SCTP association counts to bytes at the IP layer.

use femtosnitch_model::{Counters, Direction, FlowKey, SctpTotals, Wire};

use crate::wire::ip_header;

/// The header (RFC 9260, section 3), those of a chunk with payload, one that acknowledges and
/// reports nothing missing, and what others are long on average.
const HEADER: u64 = 12;
const DATA: u64 = 16;
const ACK: u64 = 16;
const OTHER: u64 = 60;
/// The chunks of its handshake as Linux makes them: INIT and COOKIE ECHO, INIT ACK and COOKIE ACK.
const REQUESTS: u64 = 344;
const ANSWERS: u64 = 300;

/// What an SCTP association had on the wire between two readings of its counters (`None`: the first
/// one), in which `delta` was moved and `more` added to fill chunks up. Payload counts when it is
/// moved.
pub(crate) fn wire(
    flow: &FlowKey,
    direction: Direction,
    delta: Counters,
    more: [u32; 2],
    before: Option<&SctpTotals>,
    now: &SctpTotals,
) -> Wire {
    if before.is_none() && now.older {
        return Wire::default();
    }
    let nothing = SctpTotals::default();
    let from = before.unwrap_or(&nothing);
    let grown = |of: fn(&SctpTotals) -> [u32; 2]| {
        let ([out, inward], [out_before, in_before]) = (of(now), of(from));
        [out.wrapping_sub(out_before), inward.wrapping_sub(in_before)].map(u64::from)
    };
    let packet = ip_header(flow) + HEADER;
    let ([packets, packets_in], [acks, acks_in]) = (grown(|t| t.packets), grown(|t| t.acks));
    let ([data, data_in], [others, others_in]) = (grown(|t| t.data), grown(|t| t.others));
    let [again, again_in] = grown(|t| t.again);
    let way = |payload: u64, more: u32, packets: u64, data: u64, again: u64, acks: u64, others| {
        let chunk = payload / data.max(1) + DATA;
        let control = ACK * acks + OTHER * u64::saturating_sub(others, acks);
        payload + u64::from(more) + packet * packets + DATA * data + chunk * again + control
    };
    let [more_out, more_in] = more;
    let mut wire = Wire {
        send: way(delta.send, more_out, packets, data, again, acks, others),
        recv: way(delta.recv, more_in, packets_in, data_in, again_in, acks_in, others_in),
    };
    if before.is_none() {
        if direction == Direction::Incoming {
            // Until the association is there nobody counts: two packets come, one goes.
            wire.send += ANSWERS + packet - OTHER;
            wire.recv += REQUESTS + 2 * packet;
        } else {
            wire.send += REQUESTS - 2 * OTHER;
            wire.recv += ANSWERS - 2 * OTHER;
        }
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, reading};

    /// What was captured of 40 messages each way, 260 bytes and 390.
    #[test]
    fn an_association_adds_up() {
        let client = SctpTotals {
            packets: [42, 42],
            data: [40, 40],
            acks: [39, 40],
            others: [41, 42],
            ..SctpTotals::default()
        };
        let server = SctpTotals {
            packets: [41, 40],
            data: [40, 40],
            acks: [40, 39],
            others: [41, 39],
            ..SctpTotals::default()
        };
        let moved = Counters { send: 10_400, recv: 15_600, send_calls: 40, recv_calls: 40 };
        let back = Counters { send: 15_600, recv: 10_400, ..moved };
        let (out, inward) = (Direction::Outgoing, Direction::Incoming);
        let flow = FlowKey { family: 2, protocol: 132, ..reading(1, key(1, 1), 0, 0).flow };
        let both = wire(&flow, out, moved, [0, 80], None, &client);
        assert_eq!((both.send, both.recv), (13_352, 18_604));
        let both = wire(&flow, inward, back, [80, 0], None, &server);
        assert_eq!((both.send, both.recv), (18_604, 13_352));
        assert_eq!(
            wire(&flow, out, Counters::default(), [0, 0], Some(&client), &client),
            Wire::default()
        );
        let older = SctpTotals { older: true, ..client };
        assert_eq!(wire(&flow, out, moved, [0, 80], None, &older), Wire::default());
    }
}
