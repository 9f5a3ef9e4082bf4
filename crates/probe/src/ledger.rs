//! Reading the flows: the kernel's counters without a system call.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use femtosnitch_model::{
    Counters, Direction, Endpoint, FlowKey, FlowKind, Headers, Reading, SctpTotals, Slot, TcpTotals,
};

use crate::abi::{self, RawExeKey, RawExtraKey, RawFlow, RawSctp, RawTcp, RawWho};
use crate::event;
use crate::mapping::Mapping;
use crate::segments::Segments;

/// The mapped ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    flows: Segments<RawFlow>,
    tcp: Segments<RawTcp>,
    dirty: Mapping,
    alive: Mapping,
    buckets: u32,
    slots: u32,
    /// The kernel's 32-bit call counters, widened; indexed by slot, as long as was ever needed.
    calls: Vec<[u64; 2]>,
}

impl Ledger {
    pub(crate) fn new(
        [flows, tcp]: [OwnedFd; 2],
        dirty: BorrowedFd<'_>,
        alive: BorrowedFd<'_>,
        buckets: u32,
        slots: u32,
    ) -> io::Result<Self> {
        let marks = (slots as usize).next_multiple_of(abi::MARKS);
        Ok(Self {
            flows: Segments::new(flows, slots),
            tcp: Segments::new(tcp, slots),
            dirty: Mapping::new(dirty, 0, marks)?,
            alive: Mapping::new(alive, 0, marks)?,
            buckets,
            slots,
            calls: Vec::new(),
        })
    }

    /// Visits every flow that moved since the last drain, among the slots handed out so far.
    pub(crate) fn drain(
        &mut self,
        fresh_buckets: u32,
        fresh_flows: u32,
        visit: &mut dyn FnMut(Reading),
    ) {
        let first_flow = self.buckets.saturating_add(1);
        self.drain_range(0, fresh_buckets.saturating_add(1).min(first_flow), visit);
        let end = first_flow.saturating_add(fresh_flows).min(self.slots);
        self.drain_range(first_flow, end, visit);
    }

    fn drain_range(&mut self, from: u32, to: u32, visit: &mut dyn FnMut(Reading)) {
        const WORD: u32 = 8;
        let mut slot = from - from % WORD;
        while slot < to {
            // Eight marks at a time; an idle flow costs an eighth of a load.
            let idle = self.dirty.u64(slot as usize).is_none_or(|word| word.load(Relaxed) == 0);
            if !idle {
                for slot in slot.max(from)..(slot + WORD).min(to) {
                    self.drain_one(Slot(slot), visit);
                }
            }
            slot += WORD;
        }
    }

    fn drain_one(&mut self, slot: Slot, visit: &mut dyn FnMut(Reading)) {
        // Cleared before the counters are read, never after: see mark_dirty().
        let mark = self.swap_mark(slot, 0);
        if mark == 0 {
            return;
        }
        match self.read(slot) {
            Some(reading) => visit(Reading { closed: mark == abi::MARK_CLOSED, ..reading }),
            // It could not be mapped; to be read at the next drain.
            None => {
                self.swap_mark(slot, mark);
            }
        }
    }

    fn swap_mark(&self, slot: Slot, value: u8) -> u8 {
        self.dirty.u8(slot.0 as usize).map_or(0, |mark| mark.swap(value, SeqCst))
    }

    /// Looks at one flow, which counts as open.
    pub(crate) fn read(&mut self, slot: Slot) -> Option<Reading> {
        let raw = self.flows.read(slot)?;
        let [send_calls, recv_calls] = self.widen(slot, [raw.send_calls, raw.recv_calls]);
        let kind = match raw.flags {
            _ if slot.0 == 0 => FlowKind::CatchAll,
            flags if flags & abi::FLOW_BUCKET != 0 => FlowKind::Bucket,
            flags if flags & abi::FLOW_MANY != 0 => FlowKind::ManyPeers,
            flags if flags & abi::FLOW_EXTRA != 0 => FlowKind::Extra,
            flags if flags & abi::FLOW_ORPHAN != 0 => FlowKind::Orphan,
            flags if flags & abi::FLOW_EXE != 0 => {
                FlowKind::Executable { dev: event::user_dev(raw.raddr[1]), ino: raw.raddr[0] }
            }
            _ => FlowKind::First,
        };
        let own = matches!(kind, FlowKind::First | FlowKind::Orphan);
        let tcp = if own && raw.protocol == FlowKey::TCP {
            self.tcp.read(slot).map(totals).map(Box::new)
        } else {
            None
        };
        Some(Reading {
            slot,
            owner: raw.who.into(),
            flow: flow_key(&raw, kind),
            kind,
            total: Counters { send: raw.send_bytes, recv: raw.recv_bytes, send_calls, recv_calls },
            closed: false,
            uid: raw.uid,
            cgroup_id: raw.cgroup_id,
            direction: direction(raw.flags),
            headers: Headers {
                send_more: raw.send_more,
                recv_more: raw.recv_more,
                raw: raw.flags & abi::FLOW_RAW != 0,
                included: raw.flags & abi::FLOW_HDRINCL != 0,
            },
            tcp,
            sctp: own.then(|| self.sctp(slot, &raw)).flatten(),
        })
    }

    fn sctp(&mut self, slot: Slot, flow: &RawFlow) -> Option<Box<SctpTotals>> {
        if flow.protocol != FlowKey::SCTP {
            return None;
        }
        let raw: RawSctp = self.tcp.read_as(slot)?;
        (raw.known != 0).then(|| Box::new(sctp_totals(raw)))
    }

    /// Forgets a slot that goes back to the kernel side. Its mark may be from additions that its
    /// last reading contains already; it must not speak for the slot's next flow.
    pub(crate) fn forget(&mut self, slot: Slot) {
        self.swap_mark(slot, 0);
        if let Some(calls) = self.calls.get_mut(slot.0 as usize) {
            *calls = [0, 0];
        }
    }

    pub(crate) fn clear_alive(&self) {
        for slot in (0..self.slots).step_by(8) {
            if let Some(word) = self.alive.u64(slot as usize) {
                word.store(0, Relaxed);
            }
        }
    }

    pub(crate) fn is_alive(&self, slot: Slot) -> bool {
        self.alive.u8(slot.0 as usize).is_some_and(|mark| mark.load(SeqCst) != 0)
    }

    /// Where the kernel side finds this flow.
    pub(crate) fn way_to(&mut self, slot: Slot, kind: FlowKind) -> Option<Way> {
        let RawFlow { cookie, who, raddr, rport, uid, .. } = self.flows.read(slot)?;
        Some(match kind {
            FlowKind::Extra | FlowKind::ManyPeers => {
                Way::Extras(RawExtraKey { cookie, who, raddr, rport, _pad: [0; 3] })
            }
            FlowKind::Orphan => Way::Orphans(cookie),
            FlowKind::Bucket => Way::Buckets(who),
            FlowKind::Executable { .. } => {
                let [ino, dev] = raddr;
                Way::Executables(RawExeKey { ino, dev: u32::try_from(dev).ok()?, uid })
            }
            FlowKind::First | FlowKind::CatchAll => return None,
        })
    }

    /// The user whose share the slot is counted in.
    pub(crate) fn uid(&mut self, slot: Slot) -> Option<u32> {
        Some(self.flows.read(slot)?.uid)
    }

    fn widen(&mut self, slot: Slot, now: [u32; 2]) -> [u64; 2] {
        let index = slot.0 as usize;
        if self.calls.len() <= index {
            self.calls.resize(index + 1, [0, 0]);
        }
        let Some(calls) = self.calls.get_mut(index) else { return now.map(u64::from) };
        for (wide, now) in calls.iter_mut().zip(now) {
            #[expect(clippy::cast_possible_truncation, reason = "the kernel's half is wanted")]
            let grown = now.wrapping_sub(*wide as u32);
            *wide += u64::from(grown);
        }
        *calls
    }
}

/// A hash of the kernel side, and the key in it, that lead to a flow.
#[derive(Debug)]
pub(crate) enum Way {
    Extras(RawExtraKey),
    Orphans(u64),
    Buckets(RawWho),
    Executables(RawExeKey),
}

fn direction(flags: u32) -> Direction {
    match flags {
        _ if flags & abi::FLOW_LISTEN != 0 => Direction::Listening,
        _ if flags & abi::FLOW_OUT != 0 => Direction::Outgoing,
        _ if flags & abi::FLOW_IN != 0 => Direction::Incoming,
        _ => Direction::Unknown,
    }
}

fn totals(raw: RawTcp) -> TcpTotals {
    let has = |flag: u32| raw.flags & flag != 0;
    TcpTotals {
        bytes_sent: raw.bytes_sent,
        bytes_received: raw.bytes_received,
        segs_out: raw.segs_out,
        segs_in: raw.segs_in,
        retrans: raw.retrans,
        srtt_us: raw.srtt_us,
        drops: raw.drops,
        data_segs_in: raw.data_segs_in,
        header_len: raw.header_len,
        error: raw.error,
        active: has(abi::TCP_ACTIVE),
        older: has(abi::TCP_OLDER),
        established: has(abi::TCP_ESTABLISHED),
        listener: has(abi::TCP_LISTENER),
        fin: has(abi::TCP_FIN),
        time_wait: has(abi::TCP_TIMEWAIT),
        ended: has(abi::TCP_ENDED),
        reset: has(abi::TCP_RESET),
        cookie_asked: has(abi::TCP_COOKIE_ASKED),
        cookie_shown: has(abi::TCP_COOKIE_SHOWN),
        subflow: has(abi::TCP_SUBFLOW),
        data_segs_out: raw.data_segs_out,
    }
}

fn sctp_totals(raw: RawSctp) -> SctpTotals {
    SctpTotals {
        packets: [raw.packets_out, raw.packets_in],
        data: [raw.data_out, raw.data_in],
        again: [raw.again_out, raw.again_in],
        acks: [raw.acks_out, raw.acks_in],
        others: [raw.others_out, raw.others_in],
        older: raw.older != 0,
    }
}

fn flow_key(raw: &RawFlow, kind: FlowKind) -> FlowKey {
    let remote = match kind {
        // What stands there is no address.
        FlowKind::ManyPeers | FlowKind::Executable { .. } => Endpoint::default(),
        _ => Endpoint { addr: abi::address(raw.raddr), port: raw.rport },
    };
    let local_addr = abi::address(raw.laddr);
    let is_v4 = match (remote.addr, local_addr) {
        (Some(addr), _) | (None, Some(addr)) => addr.is_ipv4(),
        (None, None) => false,
    };
    let family =
        if raw.family == FlowKey::AF_INET6 && is_v4 { FlowKey::AF_INET } else { raw.family };
    FlowKey {
        cookie: raw.cookie,
        family,
        protocol: raw.protocol,
        local: Endpoint {
            // The wildcard address says nothing about where the traffic went.
            addr: local_addr.filter(|addr| !addr.is_unspecified()),
            port: raw.lport,
        },
        remote,
        netns: raw.netns,
    }
}
