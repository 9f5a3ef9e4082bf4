//! Finding out about processes whose launch was not seen, from /proc.

use femtosnitch_model::{FileId, ProcInfo, ProcKey, Timestamp};
use femtosnitch_sys::file::{FileStat, FileTime, Target, open_executable};
use femtosnitch_sys::procfs;

/// As much of the arguments as the kernel side takes at exec.
const ARGS: usize = 1024;

/// A parent that no table knows.
const NOBODY: ProcKey = ProcKey { tgid: u32::MAX, exec_id: 0, start_ns: 0 };

/// The process with this key, if it is still there.
pub(super) fn process(key: ProcKey) -> Option<ProcInfo> {
    if !is_still(key) {
        return None;
    }
    let exe = procfs::exe(key.tgid).ok()?;
    let file = open_executable(Target::Exe(key.tgid)).ok().map(|(_, stat)| file_id(&stat));
    let info = ProcInfo {
        key,
        parent: NOBODY,
        grandparent: NOBODY,
        file,
        path: exe.path,
        path_cut: false,
        memfd: false,
        unlinked: exe.deleted,
        args: procfs::cmdline(key.tgid, ARGS).unwrap_or_default(),
        args_cut: false,
        cgroup: procfs::cgroup(key.tgid).ok().flatten().unwrap_or_default().into_bytes(),
        comm: procfs::comm(key.tgid).unwrap_or_default(),
        uid: procfs::status(key.tgid).map(|status| status.uid).unwrap_or_default(),
        mntns: 0,
    };
    // Its pid may have gone to another process while we read.
    is_still(key).then_some(info)
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

    fn own_key() -> ProcKey {
        let pid = std::process::id();
        let tick_ns = 1_000_000_000 / procfs::clock_ticks();
        let start = procfs::stat(pid).unwrap().start_ticks * tick_ns;
        ProcKey { tgid: pid, exec_id: 1, start_ns: start }
    }

    #[test]
    fn a_running_process_is_found() {
        let info = process(own_key()).unwrap();
        let exe = std::env::current_exe().unwrap();
        assert_eq!(info.path, exe.as_os_str().as_encoded_bytes());
        assert!(!info.args.is_empty() && info.file.is_some());
    }

    #[test]
    fn another_process_with_the_same_pid_is_not() {
        let key = own_key();
        let other = ProcKey { start_ns: key.start_ns + 10_000_000_000, ..key };
        assert!(process(other).is_none());
    }
}
