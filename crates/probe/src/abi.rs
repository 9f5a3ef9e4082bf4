//! The border to `bpf/abi.h`: the generated types get names, their layout is asserted, and bytes
//! from the kernel become values with every length checked.

use std::mem::{offset_of, size_of};
use std::net::{IpAddr, Ipv6Addr};

use femtosnitch_model::ProcKey;

use crate::skel::types;

pub(crate) use types::fs_exe_key as RawExeKey;
pub(crate) use types::fs_extra_key as RawExtraKey;
pub(crate) use types::fs_flow as RawFlow;
pub(crate) use types::fs_looked as RawLooked;
pub(crate) use types::fs_payload as RawPayload;
pub(crate) use types::fs_proc as RawProc;
pub(crate) use types::fs_sctp as RawSctp;
pub(crate) use types::fs_tcp as RawTcp;
pub(crate) use types::fs_usage as RawUsage;
pub(crate) use types::fs_who as RawWho;
pub(crate) use types::{bss as Bss, fs_exit as RawExit, fs_fork as RawFork, rodata as Rodata};

pub(crate) const MARKS: usize = types::fs_limits::FS_MARKS.0 as usize;
pub(crate) const COUNTS: usize = types::fs_count::FS_COUNT_MAX.0 as usize;

pub(crate) const UIDS: u32 = types::fs_limits::FS_UIDS.0;

pub(crate) const USAGE_FLOWS: usize = types::fs_usage_of::FS_USAGE_FLOWS.0 as usize;
pub(crate) const USAGE_BUCKETS: usize = types::fs_usage_of::FS_USAGE_BUCKETS.0 as usize;
pub(crate) const USAGE_EXES: usize = types::fs_usage_of::FS_USAGE_EXES.0 as usize;

pub(crate) const COUNT_EVENT_LOST: usize = types::fs_count::FS_COUNT_EVENT_LOST.0 as usize;

#[expect(clippy::cast_possible_truncation, reason = "2")]
pub(crate) const MARK_CLOSED: u8 = types::fs_mark::FS_MARK_CLOSED.0 as u8;

pub(crate) const FLOW_EXTRA: u32 = types::fs_flow_flags::FS_FLOW_EXTRA.0;
pub(crate) const FLOW_BUCKET: u32 = types::fs_flow_flags::FS_FLOW_BUCKET.0;
pub(crate) const FLOW_MANY: u32 = types::fs_flow_flags::FS_FLOW_MANY.0;
pub(crate) const FLOW_EXE: u32 = types::fs_flow_flags::FS_FLOW_EXE.0;
pub(crate) const FLOW_ORPHAN: u32 = types::fs_flow_flags::FS_FLOW_ORPHAN.0;

pub(crate) const FLOW_OUT: u32 = types::fs_flow_flags::FS_FLOW_OUT.0;
pub(crate) const FLOW_IN: u32 = types::fs_flow_flags::FS_FLOW_IN.0;
pub(crate) const FLOW_LISTEN: u32 = types::fs_flow_flags::FS_FLOW_LISTEN.0;
pub(crate) const FLOW_RAW: u32 = types::fs_flow_flags::FS_FLOW_RAW.0;
pub(crate) const FLOW_HDRINCL: u32 = types::fs_flow_flags::FS_FLOW_HDRINCL.0;

pub(crate) const TCP_ACTIVE: u32 = types::fs_tcp_flags::FS_TCP_ACTIVE.0;
pub(crate) const TCP_OLDER: u32 = types::fs_tcp_flags::FS_TCP_OLDER.0;
pub(crate) const TCP_ESTABLISHED: u32 = types::fs_tcp_flags::FS_TCP_ESTABLISHED.0;
pub(crate) const TCP_LISTENER: u32 = types::fs_tcp_flags::FS_TCP_LISTENER.0;
pub(crate) const TCP_FIN: u32 = types::fs_tcp_flags::FS_TCP_FIN.0;
pub(crate) const TCP_TIMEWAIT: u32 = types::fs_tcp_flags::FS_TCP_TIMEWAIT.0;
pub(crate) const TCP_RESET: u32 = types::fs_tcp_flags::FS_TCP_RESET.0;
pub(crate) const TCP_ENDED: u32 = types::fs_tcp_flags::FS_TCP_ENDED.0;
pub(crate) const TCP_COOKIE_ASKED: u32 = types::fs_tcp_flags::FS_TCP_COOKIE_ASKED.0;
pub(crate) const TCP_COOKIE_SHOWN: u32 = types::fs_tcp_flags::FS_TCP_COOKIE_SHOWN.0;
pub(crate) const TCP_SUBFLOW: u32 = types::fs_tcp_flags::FS_TCP_SUBFLOW.0;

pub(crate) const PAYLOAD_ROOTS: u32 = types::fs_payload_flags::FS_PAYLOAD_ROOTS.0;
pub(crate) const PAYLOAD_REPLY: u32 = types::fs_payload_kind::FS_PAYLOAD_REPLY.0;
pub(crate) const PAYLOAD_STREAM: u32 = types::fs_payload_kind::FS_PAYLOAD_STREAM.0;
pub(crate) const PAYLOAD_OPENING: u32 = types::fs_payload_kind::FS_PAYLOAD_OPENING.0;
pub(crate) const PAYLOAD_DATAGRAM: u32 = types::fs_payload_kind::FS_PAYLOAD_DATAGRAM.0;
pub(crate) const PAYLOAD_LOOKED: u32 = types::fs_payload_kind::FS_PAYLOAD_LOOKED.0;

pub(crate) const LOOKUP_ADDRINFO: u64 = types::fs_lookup::FS_LOOKUP_ADDRINFO.0 as u64;
pub(crate) const LOOKUP_HOST: u64 = types::fs_lookup::FS_LOOKUP_HOST.0 as u64;
pub(crate) const LOOKUP_HOST_R: u64 = types::fs_lookup::FS_LOOKUP_HOST_R.0 as u64;
pub(crate) const LOOKUP_HOST2_R: u64 = types::fs_lookup::FS_LOOKUP_HOST2_R.0 as u64;

pub(crate) const EVENT_EXEC: u32 = types::fs_event_kind::FS_EVENT_EXEC.0;
pub(crate) const EVENT_FORK: u32 = types::fs_event_kind::FS_EVENT_FORK.0;
pub(crate) const EVENT_EXIT: u32 = types::fs_event_kind::FS_EVENT_EXIT.0;
pub(crate) const EVENT_SNAPSHOT: u32 = types::fs_event_kind::FS_EVENT_SNAPSHOT.0;

pub(crate) const PROC_MEMFD: u32 = types::fs_proc_flags::FS_PROC_MEMFD.0;
pub(crate) const PROC_UNLINKED: u32 = types::fs_proc_flags::FS_PROC_UNLINKED.0;
pub(crate) const PROC_PATH_CUT: u32 = types::fs_proc_flags::FS_PROC_PATH_CUT.0;
pub(crate) const PROC_ARGS_CUT: u32 = types::fs_proc_flags::FS_PROC_ARGS_CUT.0;
pub(crate) const PROC_NO_FILE: u32 = types::fs_proc_flags::FS_PROC_NO_FILE.0;
pub(crate) const PROC_FUSE: u32 = types::fs_proc_flags::FS_PROC_FUSE.0;
pub(crate) const PROC_OVERLAY: u32 = types::fs_proc_flags::FS_PROC_OVERLAY.0;

const _: () = assert!(size_of::<RawFlow>() == 128);
const _: () = assert!(offset_of!(RawFlow, recv_bytes) == 8);
const _: () = assert!(offset_of!(RawFlow, send_calls) == 16);
const _: () = assert!(offset_of!(RawFlow, who) == 40);
const _: () = assert!(offset_of!(RawFlow, cookie) == 64);
const _: () = assert!(offset_of!(RawFlow, flags) == 104);
const _: () = assert!(size_of::<RawTcp>() == 64);
const _: () = assert!(size_of::<RawSctp>() == size_of::<RawTcp>());
const _: () = assert!(size_of::<RawExtraKey>() == 48);
const _: () = assert!(size_of::<RawWho>() == 16);
const _: () = assert!(size_of::<RawPayload>() == 72);
const _: () = assert!(offset_of!(RawPayload, raddr) == 32);
const _: () = assert!(size_of::<RawLooked>() == 552);
const _: () = assert!(offset_of!(RawLooked, name) == 296);
const _: () = assert!(size_of::<RawFork>() == 40);
const _: () = assert!(size_of::<RawExit>() == 24);
const _: () = assert!(offset_of!(RawProc, data) == PROC_HEAD);
const _: () = assert!(size_of::<RawExeKey>() == 16);
const _: () = assert!(size_of::<RawUsage>() == 4 + 4 * UIDS as usize);

/// Bytes of an `fs_proc` before its variable part.
pub(crate) const PROC_HEAD: usize = 172;

/// A type of `abi.h` that may be read from any bytes of its size.
///
/// # Safety
/// The type must be `repr(C)` and valid for every bit pattern.
pub(crate) unsafe trait Wire: Copy {}

// SAFETY: every bit pattern is one.
unsafe impl Wire for u32 {}
// SAFETY: fixed-width integers and arrays of them only (see the rules in abi.h).
unsafe impl Wire for RawFork {}
// SAFETY: as above.
unsafe impl Wire for RawExit {}
// SAFETY: as above.
unsafe impl Wire for RawPayload {}
// SAFETY: as above.
unsafe impl Wire for RawLooked {}
// SAFETY: as above.
unsafe impl Wire for RawFlow {}
// SAFETY: as above.
unsafe impl Wire for RawTcp {}
// SAFETY: as above.
unsafe impl Wire for RawSctp {}
// SAFETY: as above.
unsafe impl Wire for RawExtraKey {}
// SAFETY: as above.
unsafe impl Wire for RawExeKey {}
// SAFETY: as above.
unsafe impl Wire for RawWho {}

/// Reads a `T` from the start of `bytes`; `None` if they are too few.
pub(crate) fn read<T: Wire>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: there are enough bytes, and Wire says that any of them make a T.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// The bytes of a key, as the map functions want them.
pub(crate) fn bytes_of<T: Wire>(value: &T) -> &[u8] {
    // SAFETY: Wire types have no hidden padding (asserted above), so every byte is initialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) }
}

impl From<RawWho> for ProcKey {
    fn from(who: RawWho) -> Self {
        Self { tgid: who.tgid, exec_id: who.exec_id, start_ns: who.start_ns }
    }
}

/// An address as the kernel side stores it: 16 bytes in network order, IPv4 mapped, zero unknown.
pub(crate) fn address(words: [u64; 2]) -> Option<IpAddr> {
    if words == [0, 0] {
        return None;
    }
    let [hi, lo] = words.map(u64::to_ne_bytes);
    let mut bytes = [0u8; 16];
    for (to, from) in bytes.iter_mut().zip(hi.iter().chain(lo.iter())) {
        *to = *from;
    }
    Some(Ipv6Addr::from(bytes).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_become_ipv4() {
        let bytes: [u8; 16] = "::ffff:192.0.2.7".parse::<Ipv6Addr>().unwrap().octets();
        let hi = u64::from_ne_bytes(bytes[..8].try_into().unwrap());
        let lo = u64::from_ne_bytes(bytes[8..].try_into().unwrap());
        assert_eq!(address([hi, lo]), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(address([0, 0]), None);
    }

    #[test]
    fn short_input_is_refused() {
        assert!(read::<RawExit>(&[0; 23]).is_none());
        assert!(read::<RawExit>(&[0; 24]).is_some());
    }
}
