//! Invented processes and readings for tests.

use crate::{Moment, PlaceNames};
use femtosnitch_model::{
    Counters, Direction, Endpoint, FileId, FileSystem, FlowKey, FlowKind, Headers, Place, ProcInfo,
    ProcKey, Reading, Slot,
};

/// Knows no names.
pub(crate) const NAMELESS: PlaceNames =
    PlaceNames { of_cgroup: |_| Place::default(), of_path: |_, _| None };

/// Now and always.
pub(crate) const NOW: Moment = Moment { wall: 1_000, tick: 1, boot: 900 };

pub(crate) fn key(tgid: u32, exec_id: u32) -> ProcKey {
    ProcKey { tgid, exec_id, start_ns: u64::from(tgid) * 1000 }
}

pub(crate) fn info(key: ProcKey, path: &str, parent: ProcKey, grandparent: ProcKey) -> ProcInfo {
    ProcInfo {
        key,
        parent,
        grandparent,
        file: Some(FileId { ino: path.len() as u64, size: 1, ..FileId::default() }),
        path: path.as_bytes().to_vec(),
        path_cut: false,
        memfd: false,
        unlinked: false,
        system: FileSystem::Other,
        args: path.as_bytes().to_vec(),
        args_cut: false,
        script: None,
        cgroup: Vec::new(),
        comm: path.rsplit('/').next().unwrap_or_default().as_bytes().to_vec(),
        uid: 1000,
        login_uid: None,
        session: None,
        mntns: 1,
        mnt_id: 0,
        links: 0,
    }
}

pub(crate) fn reading(slot: u32, owner: ProcKey, send: u64, recv: u64) -> Reading {
    Reading {
        slot: Slot(slot),
        owner,
        flow: FlowKey {
            cookie: u64::from(slot),
            family: 2,
            protocol: 6,
            local: Endpoint { addr: Some("192.0.2.1".parse().unwrap()), port: 40_000 },
            remote: Endpoint { addr: Some("198.51.100.1".parse().unwrap()), port: 443 },
            netns: 1,
        },
        kind: FlowKind::First,
        total: Counters {
            send,
            recv,
            send_calls: u64::from(send > 0),
            recv_calls: u64::from(recv > 0),
        },
        closed: false,
        uid: 1000,
        cgroup_id: 1,
        direction: Direction::Outgoing,
        headers: Headers::default(),
        tcp: None,
        sctp: None,
    }
}
