//! Process events: what the kernel side tells of exec, fork and exit.

use femtosnitch_model::{FileId, FileSystem, ProcEvent, ProcInfo, ProcKey, Timestamp};

use crate::abi::{self, RawExit, RawFork};

/// Parses one record of the ring buffer. `None` if it is not what `abi.h` says.
pub(crate) fn parse(bytes: &[u8]) -> Option<ProcEvent> {
    match u32_at(bytes, 0)? {
        abi::EVENT_EXEC => Some(ProcEvent::Exec(Box::new(parse_proc(bytes)?.0))),
        abi::EVENT_SNAPSHOT => Some(ProcEvent::Found(Box::new(parse_proc(bytes)?.0))),
        abi::EVENT_FORK => {
            let raw = abi::read::<RawFork>(bytes)?;
            Some(ProcEvent::Fork {
                child: raw.child.into(),
                parent: raw.parent.into(),
                uid: raw.uid,
            })
        }
        abi::EVENT_EXIT => Some(ProcEvent::Exit(abi::read::<RawExit>(bytes)?.who.into())),
        _ => None,
    }
}

/// Parses an `fs_proc` at the start of `bytes`; also gives how many of them it took.
pub(crate) fn parse_proc(bytes: &[u8]) -> Option<(ProcInfo, usize)> {
    let mut cursor = Cursor { rest: bytes.get(4..abi::PROC_HEAD)? };
    let flags = cursor.u32()?;
    let key = cursor.who()?;
    let parent = cursor.who()?;
    let grandparent = cursor.who()?;
    let dev = cursor.u64()?;
    let ino = cursor.u64()?;
    let size = cursor.u64()?;
    let mtime_sec = cursor.u64()?.cast_signed();
    let ctime_sec = cursor.u64()?.cast_signed();
    let _cgroup_id = cursor.u64()?;
    let object = cursor.u64()?;
    let mtime = Timestamp { sec: mtime_sec, nsec: cursor.u32()? };
    let ctime = Timestamp { sec: ctime_sec, nsec: cursor.u32()? };
    let generation = cursor.u32()?;
    let uid = cursor.u32()?;
    let mntns = cursor.u32()?;
    // (uid_t)-1 is AUDIT_UID_UNSET, and the session's counterpart is the same.
    let login_uid = Some(cursor.u32()?).filter(|uid| *uid != u32::MAX);
    let session = Some(cursor.u32()?).filter(|session| *session != u32::MAX);
    let mnt_id = cursor.u32()?;
    let links = cursor.u32()?;
    let path_len = usize::from(cursor.u16()?);
    let cgroup_len = usize::from(cursor.u16()?);
    let args_len = usize::from(cursor.u16()?);
    let script_len = usize::from(cursor.u16()?);
    let comm = cursor.take(16)?;

    let end = abi::PROC_HEAD + path_len + cgroup_len + args_len + script_len;
    let data = bytes.get(abi::PROC_HEAD..end)?;
    let (path, data) = data.split_at_checked(path_len)?;
    let (cgroup, data) = data.split_at_checked(cgroup_len)?;
    let (args, script) = data.split_at_checked(args_len)?;
    let memfd = flags & abi::PROC_MEMFD != 0;
    let no_file = flags & abi::PROC_NO_FILE != 0;
    let dev = user_dev(dev);
    let file = FileId { dev, ino, object, generation, size, mtime, ctime, epoch: 0 };
    let info = ProcInfo {
        key,
        parent,
        grandparent,
        file: (!no_file).then_some(file),
        path: if memfd { until_nul(path).to_vec() } else { join_leaf_first(path) },
        path_cut: flags & abi::PROC_PATH_CUT != 0,
        memfd,
        unlinked: flags & abi::PROC_UNLINKED != 0,
        system: if flags & abi::PROC_FUSE != 0 {
            FileSystem::Fuse
        } else if flags & abi::PROC_OVERLAY != 0 {
            FileSystem::Overlay
        } else {
            FileSystem::Other
        },
        args: args.to_vec(),
        args_cut: flags & abi::PROC_ARGS_CUT != 0,
        script: (!script.is_empty()).then(|| until_nul(script).to_vec()),
        cgroup: join_leaf_first(cgroup),
        comm: until_nul(comm).to_vec(),
        uid,
        login_uid,
        session,
        mntns,
        mnt_id,
        links,
    };
    Some((info, end))
}

/// `curl\0bin\0usr\0` → `/usr/bin/curl`.
fn join_leaf_first(names: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(names.len());
    for name in names.split(|byte| *byte == 0).rev() {
        if !name.is_empty() {
            out.push(b'/');
            out.extend_from_slice(name);
        }
    }
    out
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The kernel's `dev_t` (12 bits of major, 20 of minor) as user space has it.
pub(crate) fn user_dev(dev: u64) -> u64 {
    let major = u32::try_from(dev >> 20).unwrap_or_default();
    let minor = u32::try_from(dev & 0xf_ffff).unwrap_or_default();
    libc::makedev(major, minor)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_ne_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_ne_bytes(self.take(8)?.try_into().ok()?))
    }

    fn who(&mut self) -> Option<ProcKey> {
        let start_ns = self.u64()?;
        Some(ProcKey { start_ns, tgid: self.u32()?, exec_id: self.u32()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proc_record(path: &[u8], cgroup: &[u8], args: &[u8], script: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0u8; abi::PROC_HEAD];
        bytes[0] = 1;
        bytes[8..16].copy_from_slice(&77u64.to_ne_bytes());
        bytes[16..20].copy_from_slice(&42u32.to_ne_bytes());
        bytes[56..64].copy_from_slice(&((8u64 << 20) | 3).to_ne_bytes());
        let lengths = [path.len(), cgroup.len(), args.len(), script.len()];
        for (i, len) in lengths.into_iter().enumerate() {
            let at = 148 + 2 * i;
            bytes[at..at + 2].copy_from_slice(&u16::try_from(len).unwrap().to_ne_bytes());
        }
        bytes[132..136].copy_from_slice(&1000u32.to_ne_bytes());
        bytes[136..140].copy_from_slice(&u32::MAX.to_ne_bytes());
        bytes[156..160].copy_from_slice(b"curl");
        for part in [path, cgroup, args, script] {
            bytes.extend_from_slice(part);
        }
        bytes
    }

    #[test]
    fn an_exec_is_read_back() {
        let bytes =
            proc_record(b"curl\0bin\0usr\0", b"b.scope\0a.slice\0", b"curl\0-s\0", b"./get\0");
        let Some(ProcEvent::Exec(info)) = parse(&bytes) else { panic!("not an exec") };
        assert_eq!(info.path, b"/usr/bin/curl");
        assert_eq!(info.cgroup, b"/a.slice/b.scope");
        assert_eq!(info.args, b"curl\0-s\0");
        assert_eq!(info.comm, b"curl");
        assert_eq!(info.script.as_deref(), Some(&b"./get"[..]));
        assert_eq!((info.login_uid, info.session), (Some(1000), None));
        assert_eq!((info.key.tgid, info.key.start_ns), (42, 77));
        assert_eq!(info.file.unwrap().dev, libc::makedev(8, 3));
    }

    #[test]
    fn every_cut_record_is_refused_without_a_panic() {
        let bytes = proc_record(b"curl\0bin\0usr\0", b"", b"curl\0", b"");
        for len in 0..bytes.len() {
            assert!(parse(&bytes[..len]).is_none(), "accepted {len} bytes");
        }
        assert!(parse(&[9, 0, 0, 0, 0, 0, 0, 0]).is_none());
    }
}
