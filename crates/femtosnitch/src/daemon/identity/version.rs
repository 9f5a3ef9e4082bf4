//! Whether an open file is the one that was executed.

use femtosnitch_model::{FileId, Unhashed};
use femtosnitch_sys::file::FileStat;

use crate::daemon::lookup::file_id;

/// True if an open file is the version that was executed. ctime too: the owner can write to the
/// file and set mtime back, but not that.
///
/// On file systems with device numbers of their own making (major 0: btrfs, overlay) `stat(2)`
/// reports another one than the kernel's superblock has; inode, size and times decide there.
pub(super) fn is_version(wanted: &FileId, stat: &FileStat) -> bool {
    let found = file_id(stat);
    let same_device = found.dev == wanted.dev || found.dev >> 8 & 0xfff == 0;
    same_device
        && found.ino == wanted.ino
        && found.size == wanted.size
        && found.mtime == wanted.mtime
        && found.ctime == wanted.ctime
}

/// Why an open file is not the one that was executed. What a process runs by now may have nothing
/// to do with it; only at its path another inode means that it was replaced.
pub(super) fn mismatch(wanted: &FileId, found: &FileStat, through_process: bool) -> Unhashed {
    if through_process && found.ino != wanted.ino { Unhashed::Gone } else { Unhashed::Changed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_model::Timestamp;
    use femtosnitch_sys::file::FileTime;

    fn stat() -> FileStat {
        FileStat {
            dev: 0x801,
            ino: 7,
            size: 10,
            mtime: FileTime { sec: 1, nsec: 2 },
            ctime: FileTime { sec: 3, nsec: 4 },
            ..FileStat::default()
        }
    }

    #[test]
    fn a_version_is_recognised() {
        let id = file_id(&stat());
        assert!(is_version(&id, &stat()));
        assert!(!is_version(&FileId { ino: 8, ..id }, &stat()));
        assert!(!is_version(&FileId { size: 11, ..id }, &stat()));
        assert!(!is_version(&FileId { mtime: Timestamp::default(), ..id }, &stat()));
        assert!(!is_version(&FileId { dev: 0x802, ..id }, &stat()));
    }

    #[test]
    fn a_file_written_to_with_its_mtime_set_back_is_another() {
        let rewritten = FileStat { ctime: FileTime { sec: 9, nsec: 9 }, ..stat() };
        assert!(!is_version(&file_id(&stat()), &rewritten));
    }

    #[test]
    fn anonymous_devices_differ_between_kernel_and_stat() {
        let on_btrfs = FileStat { dev: 0x2a, ..stat() };
        assert!(is_version(&file_id(&stat()), &on_btrfs));
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
