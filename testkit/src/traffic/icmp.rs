//! Echo requests that the kernel answers.

use std::os::fd::OwnedFd;

use super::Plan;
use super::V4;
use super::datagrams::IPV4_HEADER;
use crate::Doing;
use crate::End;
use crate::Report;
use crate::Result;
use crate::netns;
use crate::sys::process;
use crate::sys::socket;

/// Header and payload of a request.
const SIZE: usize = 8 + 56;

/// A namespace of its own, where no other echo can be heard and every group may ping;
/// its loopback interface carries packets of so many bytes.
pub(super) fn quiet_network(mtu: &str) -> Result<()> {
    process::own_network().doing("making a network namespace (needs root)")?;
    netns::ip(&["link", "set", "lo", "mtu", mtu, "up"])?;
    std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647")
        .doing("allowing ping sockets")
}

/// The kernel at the peers' address answers: the own one in a namespace made for it, unless the
/// plan names another place.
fn open(plan: &Plan, kind: i32) -> Result<(OwnedFd, End)> {
    if !plan.is_routed() {
        quiet_network("65536")?;
    }
    let fd = socket::open(libc::AF_INET, kind, libc::IPPROTO_ICMP)
        .doing("opening ICMP (see sysctl net.ipv4.ping_group_range)")?;
    socket::connect(&fd, plan.listen(V4)).doing("connecting an ICMP socket")?;
    Ok((fd, End::here("client", libc::AF_INET, libc::IPPROTO_ICMP)))
}

/// `SOCK_DGRAM`: the reply comes without its IP header.
pub(super) fn ping_socket(plan: &Plan) -> Result<Report> {
    let (fd, mut end) = open(plan, libc::SOCK_DGRAM)?;
    for number in 0..plan.rounds {
        end.sent(socket::send(&fd, &request(number), 0).doing("sending an echo request")?);
        end.received(socket::recv(&fd, &mut [0; 2048], 0).doing("receiving an echo reply")?);
    }
    Ok(Report::new("", vec![end]))
}

/// `SOCK_RAW`: over loopback the own request is received as well, both with IP headers.
pub(super) fn raw_socket(plan: &Plan) -> Result<Report> {
    let (fd, mut end) = open(plan, libc::SOCK_RAW)?;
    let copies = if plan.is_routed() { 1 } else { 2 };
    for number in 0..plan.rounds {
        end.sent(socket::send(&fd, &request(number), 0).doing("sending an echo request")?);
        for _ in 0..copies {
            end.received(socket::recv(&fd, &mut [0; 2048], 0).doing("receiving an echo")?);
        }
    }
    let mut report = Report::new("", vec![end]);
    let extra = plan.rounds * (copies * IPV4_HEADER + (copies - 1) * SIZE as u64);
    report.extra = i64::try_from(extra).unwrap_or(0);
    Ok(report)
}

/// An echo request with its checksum.
fn request(number: u64) -> [u8; SIZE] {
    let mut packet = [0x5a; SIZE];
    let [.., high, low] = number.to_be_bytes();
    let head = [8, 0, 0, 0, 0x46, 0x53, high, low];
    for (slot, byte) in packet.iter_mut().zip(head) {
        *slot = byte;
    }
    let sum = checksum(&packet).to_be_bytes();
    for (slot, byte) in packet.iter_mut().skip(2).zip(sum) {
        *slot = byte;
    }
    packet
}

/// The internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_with_its_checksum_sums_to_zero() {
        assert_eq!(checksum(&request(3)), 0);
        assert_eq!(checksum(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }
}
