//! Finding out about processes whose launch was not seen, from /proc.

use femtosnitch_model::{FileId, FileSystem, ProcInfo, ProcKey, Reading, Timestamp};
use femtosnitch_origin::parse_proc_cgroup;
use femtosnitch_sys::file::{FileStat, FileTime, Target, open_executable};
use femtosnitch_sys::procfs;

/// As much of the arguments as the kernel side takes at exec.
const ARGS: usize = 1024;

/// A parent that no table knows.
const NOBODY: ProcKey = ProcKey { tgid: u32::MAX, exec_id: 0, start_ns: 0 };

/// The owner of a flow, if it is still there. /proc does not know how often it executed: whether
/// it runs another program by now is for the engine to say.
pub(super) fn owner(reading: &Reading) -> Option<ProcInfo> {
    let key = reading.owner;
    if !is_still(key) {
        return None;
    }
    let file = file(key.tgid);
    let exe = procfs::exe(key.tgid).ok()?;
    let (login_uid, session) = procfs::login(key.tgid);
    let info = ProcInfo {
        key,
        parent: NOBODY,
        grandparent: NOBODY,
        file,
        path: exe.path,
        path_cut: false,
        memfd: false,
        unlinked: exe.deleted,
        system: FileSystem::Other,
        args: procfs::cmdline(key.tgid, ARGS).unwrap_or_default(),
        args_cut: false,
        script: None,
        cgroup: cgroup(key.tgid),
        comm: procfs::comm(key.tgid).unwrap_or_default(),
        // The kernel's word from when the flow began: nothing has to be guessed.
        uid: reading.uid,
        login_uid,
        session,
        mntns: 0,
        mnt_id: 0,
        links: 0,
    };
    // While we read its pid may have gone to another process, or it may have executed a program.
    (is_still(key) && self::file(key.tgid) == file).then_some(info)
}

/// The path that tells most of where a process runs.
fn cgroup(tgid: u32) -> Vec<u8> {
    let text = procfs::cgroups(tgid).unwrap_or_default();
    parse_proc_cgroup(&text).map(|(path, _)| path.to_vec()).unwrap_or_default()
}

fn file(tgid: u32) -> Option<FileId> {
    open_executable(Target::Exe(tgid)).ok().map(|(_, stat)| file_id(&stat))
}

/// Adds the arguments, which the kernel side cannot read of processes found running.
pub(super) fn add_arguments(found: &mut [ProcInfo]) {
    for info in found {
        if !is_still(info.key) {
            continue;
        }
        let args = procfs::cmdline(info.key.tgid, ARGS).unwrap_or_default();
        info.args_cut = args.len() == ARGS;
        info.args = args;
    }
}

/// True if the process with this pid started when the key says, as finely as /proc tells.
fn is_still(key: ProcKey) -> bool {
    let tick_ns = 1_000_000_000 / procfs::clock_ticks().max(1);
    procfs::stat(key.tgid).is_ok_and(|stat| stat.start_ticks == key.start_ns / tick_ns.max(1))
}

/// The version of a file as `stat(2)` tells it.
pub(super) fn file_id(stat: &FileStat) -> FileId {
    let time = |time: FileTime| Timestamp { sec: time.sec, nsec: time.nsec };
    FileId {
        dev: stat.dev,
        ino: stat.ino,
        object: 0,
        generation: 0,
        size: stat.size,
        mtime: time(stat.mtime),
        ctime: time(stat.ctime),
        epoch: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_model::{Counters, Direction, Endpoint, FlowKey, FlowKind, Headers, Slot};

    fn own() -> Reading {
        let pid = std::process::id();
        let tick_ns = 1_000_000_000 / procfs::clock_ticks();
        let start = procfs::stat(pid).unwrap().start_ticks * tick_ns;
        Reading {
            slot: Slot(1),
            owner: ProcKey { tgid: pid, exec_id: 1, start_ns: start },
            flow: FlowKey {
                cookie: 1,
                family: 2,
                protocol: 6,
                local: Endpoint { addr: None, port: 0 },
                remote: Endpoint { addr: None, port: 0 },
                netns: 1,
            },
            kind: FlowKind::First,
            total: Counters::default(),
            closed: false,
            uid: 4321,
            cgroup_id: 1,
            direction: Direction::Unknown,
            headers: Headers::default(),
            tcp: None,
            sctp: None,
        }
    }

    #[test]
    fn a_running_process_is_found() {
        let info = owner(&own()).unwrap();
        let exe = std::env::current_exe().unwrap();
        assert_eq!(info.path, exe.as_os_str().as_encoded_bytes());
        assert!(!info.args.is_empty() && info.file.is_some());
    }

    #[test]
    fn the_user_is_the_one_that_the_kernel_saw() {
        assert_eq!(owner(&own()).unwrap().uid, 4321);
    }

    #[test]
    fn another_process_with_the_same_pid_is_not() {
        let mut other = own();
        other.owner.start_ns += 10_000_000_000;
        assert!(owner(&other).is_none());
    }
}
