//! Frames that pass no socket call: AF_XDP.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde::Deserialize;
use serde::Serialize;

use super::frames::frame;
use crate::Doing;
use crate::Error;
use crate::Result;
use crate::emit;
use crate::netns;
use crate::sys::interface;
use crate::sys::process;
use crate::sys::xdp::Xdp;

/// How long the kernel may take for one frame.
const SOON: Duration = Duration::from_secs(60);
/// Payload of a frame, and a frame with its header.
const PAYLOAD: usize = 186;
const SIZE: u64 = 14 + PAYLOAD as u64;

/// What was sent through the rings.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rings {
    /// Frames that arrived at the other end of the cable.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Inode number of the socket's network namespace.
    pub netns: u64,
}

/// `xdp`: opens an AF_XDP socket on one end of a cable in a namespace of its own, sends so many
/// frames, prints [`Rings`], and keeps the socket until standard input closes.
///
/// # Errors
/// If there are no such sockets here, or the frames did not arrive.
pub fn rings(frames: u64) -> Result<()> {
    process::own_network().doing("making a network namespace (needs root)")?;
    // Absent on a kernel without IPv6; present, it would send frames of its own.
    drop(std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"));
    netns::ip(&["link", "add", "near", "type", "veth", "peer", "name", "far"])?;
    netns::ip(&["link", "set", "far", "up"])?;
    netns::ip(&["link", "set", "near", "up"])?;
    let ifindex = interface::named(c"near").doing("looking for the interface")?;
    let mut socket = Xdp::open(ifindex).supported("AF_XDP")?;
    for number in 1..=frames {
        if !socket.queue(&frame(PAYLOAD)).doing("queueing a frame")? {
            return Err(Error::Unexpected("the ring is full".to_owned()));
        }
        send(&socket, number)?;
    }
    let bytes = arrived("far")?;
    if bytes != frames * SIZE {
        return Err(Error::Unexpected(format!("{bytes} bytes of {frames} frames arrived")));
    }
    let netns = std::fs::metadata("/proc/self/ns/net").doing("looking at the namespace")?.ino();
    emit(&Rings { frames, bytes, netns })?;
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).doing("waiting for the end")?;
    drop(socket);
    Ok(())
}

/// Wakes the kernel until it has sent so many frames.
fn send(socket: &Xdp, frames: u64) -> Result<()> {
    let since = Instant::now();
    while u64::from(socket.sent()) < frames {
        match socket.wake() {
            Ok(_) => {}
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY)) => {}
            Err(error) => return Err(error).doing("waking the kernel"),
        }
        if since.elapsed() > SOON {
            return Err(Error::Unexpected(format!("frame {frames} was not sent")));
        }
        thread::yield_now();
    }
    Ok(())
}

/// Bytes that an interface of this namespace has received.
fn arrived(interface: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/net/dev").doing("reading counters")?;
    received(&text, interface)
        .ok_or_else(|| Error::Unexpected(format!("no counters of {interface}: {text}")))
}

fn received(text: &str, interface: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, counters) = lines.find(|(name, _)| name.trim() == interface)?;
    counters.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::received;

    #[test]
    fn counters_are_found_by_the_whole_name() {
        let text = "Inter-|   Receive\n face |bytes\n  far0: 7 1\n   far:  400       2    0\n";
        assert_eq!(received(text, "far"), Some(400));
        assert_eq!(received(text, "lo"), None);
    }
}
