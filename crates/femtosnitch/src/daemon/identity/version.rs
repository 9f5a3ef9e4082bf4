//! Whether an open file holds what was executed.

use std::fs::File;
use std::os::fd::AsFd;

use femtosnitch_engine::FileRequest;
use femtosnitch_model::{FileId, FileSystem, Timestamp, Unhashed};
use femtosnitch_sys::file::{FileStat, path_of};

use crate::daemon::lookup::file_id;

/// Time stamps are as coarse as the kernel's ticks, of which the slowest take 10 ms.
const TICKS_NS: i128 = 10_000_000;

/// How an open file compares with what was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Match {
    /// Another file, or other contents.
    Other,
    /// The same inode, size and mtime, but something of the inode was changed since: mode, owner,
    /// name. Whoever owns the file can also have written to it and set mtime back, unless it was
    /// running all the time.
    Touched,
    /// The same with a name less: it was deleted, or another file was renamed over it.
    Unlinked,
    /// Nothing was changed.
    Same,
}

/// Compares. On file systems with device numbers of their own making (major 0: btrfs, overlayfs,
/// tmpfs) `stat(2)` may report another one than the kernel's superblock has: size and times decide
/// there, with the inode; for overlayfs, which may report another inode too, with the mount.
pub(super) fn compare(wanted: &FileRequest, stat: &FileStat) -> Match {
    let (id, found) = (&wanted.file, file_id(stat));
    let same_contents = found.size == id.size && found.mtime == id.mtime;
    if !same_contents || !is_inode(wanted, &found, stat.mnt_id) {
        return Match::Other;
    }
    if found.ctime == id.ctime {
        Match::Same
    } else if found.ctime < id.ctime {
        // What was executed is younger than this.
        Match::Other
    } else if stat.nlink < wanted.links || lost_its_name_then(wanted, stat) {
        Match::Unlinked
    } else {
        Match::Touched
    }
}

/// The kernel side looked in the middle of it: the last name was gone, ctime not set yet.
fn lost_its_name_then(wanted: &FileRequest, stat: &FileStat) -> bool {
    let ns = |time: Timestamp| i128::from(time.sec) * 1_000_000_000 + i128::from(time.nsec);
    let later = ns(file_id(stat).ctime) - ns(wanted.file.ctime);
    wanted.links == 0 && stat.nlink == 0 && wanted.mnt_id != 0 && later <= TICKS_NS
}

fn is_inode(wanted: &FileRequest, found: &FileId, mount: Option<u64>) -> bool {
    let id = &wanted.file;
    let made_up = |dev: u64| dev >> 8 & 0xfff == 0;
    if found.dev == id.dev && found.ino == id.ino {
        return true;
    }
    if !made_up(found.dev) || !made_up(id.dev) {
        return false;
    }
    let same_mount = wanted.mnt_id != 0 && mount == Some(wanted.mnt_id.into());
    found.ino == id.ino || (wanted.system == FileSystem::Overlay && same_mount)
}

/// True unless the kernel's idea of where an open file is contradicts the path that was executed.
/// For files that nobody led us to: two of btrfs' subvolumes may hold files with the same numbers.
pub(super) fn is_at_path(file: &File, path: &[u8]) -> bool {
    // Each may be cut off at the root of a mount: by what they have in common they must agree.
    let Some(found) = path_of(file.as_fd()) else { return true };
    path.is_empty() || path.ends_with(&found) || found.ends_with(path)
}

/// Why an open file is not the one that was executed. What a process runs by now may have nothing
/// to do with it; only at its path another inode means that it was replaced.
pub(super) fn mismatch(wanted: &FileId, found: &FileStat, through_process: bool) -> Unhashed {
    if through_process && found.ino != wanted.ino { Unhashed::Gone } else { Unhashed::Changed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_sys::file::FileTime;

    fn stat() -> FileStat {
        FileStat {
            dev: 0x801,
            ino: 7,
            size: 10,
            mtime: FileTime { sec: 1, nsec: 2 },
            ctime: FileTime { sec: 3, nsec: 4 },
            nlink: 1,
            mnt_id: Some(30),
            ..FileStat::default()
        }
    }

    fn wanted(file: FileId) -> FileRequest {
        FileRequest {
            file,
            path: Vec::new(),
            tgid: 1,
            mnt_id: 30,
            mntns: 1,
            links: 1,
            system: FileSystem::Other,
        }
    }

    fn against(id: FileId, stat: &FileStat) -> Match {
        compare(&wanted(id), stat)
    }

    #[test]
    fn a_version_is_recognised() {
        let id = file_id(&stat());
        assert_eq!(against(id, &stat()), Match::Same);
        assert_eq!(against(FileId { ino: 8, ..id }, &stat()), Match::Other);
        assert_eq!(against(FileId { size: 11, ..id }, &stat()), Match::Other);
        assert_eq!(against(FileId { mtime: Timestamp::default(), ..id }, &stat()), Match::Other);
        assert_eq!(against(FileId { dev: 0x802, ..id }, &stat()), Match::Other);
    }

    #[test]
    fn a_file_whose_inode_was_changed_may_have_been_written_to() {
        let later = FileTime { sec: 9, nsec: 9 };
        let id = file_id(&stat());
        assert_eq!(against(id, &FileStat { ctime: later, ..stat() }), Match::Touched);
        assert_eq!(against(id, &FileStat { ctime: later, nlink: 0, ..stat() }), Match::Unlinked);
        let nameless = FileRequest { links: 0, ..wanted(id) };
        let at_once = FileTime { sec: 3, nsec: 9_000_000 };
        let gone = |ctime| FileStat { ctime, nlink: 0, ..stat() };
        assert_eq!(compare(&nameless, &gone(at_once)), Match::Unlinked);
        assert_eq!(compare(&nameless, &gone(later)), Match::Touched);
        let written = FileStat { ctime: later, nlink: 0, mtime: later, ..stat() };
        assert_eq!(against(id, &written), Match::Other);
        let earlier = FileStat { ctime: FileTime { sec: 3, nsec: 3 }, ..stat() };
        assert_eq!(against(id, &earlier), Match::Other);
    }

    #[test]
    fn made_up_devices_differ_between_kernel_and_stat() {
        let id = FileId { dev: 0x2b, ..file_id(&stat()) };
        let on_btrfs = FileStat { dev: 0x2a, mnt_id: Some(31), ..stat() };
        assert_eq!(against(id, &on_btrfs), Match::Same);
        let on_overlay = FileStat { dev: 0x2a, ino: 8, ..stat() };
        let overlay = FileRequest { system: FileSystem::Overlay, ..wanted(id) };
        assert_eq!(compare(&overlay, &on_overlay), Match::Same, "the mount is the same");
        let elsewhere = FileStat { dev: 0x2a, ino: 8, mnt_id: Some(31), ..stat() };
        assert_eq!(compare(&overlay, &elsewhere), Match::Other);
        assert_eq!(against(id, &on_overlay), Match::Other, "tmpfs has numbers of its own");
        let on_a_disk = FileId { dev: 0x801, ..id };
        assert_eq!(against(on_a_disk, &on_btrfs), Match::Other);
    }

    #[test]
    fn paths_agree_as_far_as_both_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tool");
        std::fs::write(&path, "x").unwrap();
        let file = File::open(&path).unwrap();
        let bytes = path.as_os_str().as_encoded_bytes();
        assert!(is_at_path(&file, bytes) && is_at_path(&file, b"/tool") && is_at_path(&file, b""));
        assert!(!is_at_path(&file, b"/other/tool"));
        std::fs::remove_file(&path).unwrap();
        assert!(is_at_path(&file, bytes));
    }

    #[test]
    fn a_process_that_runs_another_program_by_now_changed_no_file() {
        let id = file_id(&stat());
        let other = FileStat { ino: 8, ..stat() };
        assert_eq!(mismatch(&id, &other, true), Unhashed::Gone);
        assert_eq!(mismatch(&id, &other, false), Unhashed::Changed);
        assert_eq!(mismatch(&id, &FileStat { size: 11, ..stat() }, true), Unhashed::Changed);
    }
}
