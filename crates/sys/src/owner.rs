//! Directories and files with the right mode and group.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

/// The number of a user in a file like `/etc/passwd`; `None` if there is no such user.
///
/// # Errors
/// When the file cannot be read.
pub fn user_id(file: &Path, name: &str) -> io::Result<Option<u32>> {
    Ok(find(&std::fs::read(file)?, name))
}

/// The number of a group in a file like `/etc/group`; `None` if there is no such group.
///
/// Both are read here rather than through the C library, whose look-up loads modules that a static
/// program cannot load and may go to the network.
///
/// # Errors
/// When the file cannot be read.
pub fn group_id(file: &Path, name: &str) -> io::Result<Option<u32>> {
    Ok(find(&std::fs::read(file)?, name))
}

/// The two files have their first three fields alike.
fn find(text: &[u8], name: &str) -> Option<u32> {
    text.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let found = fields.next()? == name.as_bytes();
        let id = fields.nth(1).filter(|_| found)?;
        std::str::from_utf8(id).ok()?.parse().ok()
    })
}

/// Makes sure that a directory exists with this mode (and group, if one is given). Missing
/// parents are made with mode 0755.
///
/// # Errors
/// As `mkdir(2)`; `ELOOP` or `ENOTDIR` when something else, such as a symbolic link, is there.
pub fn ensure_dir(path: &Path, mode: u32, gid: Option<u32>) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(err),
        _ => {}
    }
    set(path, libc::O_DIRECTORY, mode, gid)
}

/// Gives an existing regular file this mode (and group, if one is given).
///
/// # Errors
/// As `open(2)` and `fchmod(2)`; `ELOOP` when it is a symbolic link.
pub fn set_file(path: &Path, mode: u32, gid: Option<u32>) -> io::Result<()> {
    set(path, libc::O_NONBLOCK, mode, gid)
}

/// Opens a regular file for reading and appending. One that is made has this mode (and group, if one
/// is given); one that is there keeps what it has.
///
/// # Errors
/// As `open(2)`; `ELOOP` when it is a symbolic link, and an error also when it is anything else but
/// a file.
pub fn append_to(path: &Path, mode: u32, gid: Option<u32>) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).append(true).mode(mode).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let made = options.clone().create_new(true).open(path);
    let file = match made {
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => options.open(path)?,
        made => {
            let file = made?;
            if let Some(gid) = gid {
                fchown(&file, None, Some(gid))?;
            }
            file.set_permissions(Permissions::from_mode(mode))?;
            file
        }
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

/// Through a descriptor: nobody can put a link in its place between two steps.
fn set(path: &Path, flags: i32, mode: u32, gid: Option<u32>) -> io::Result<()> {
    let file = File::options().read(true).custom_flags(flags | libc::O_NOFOLLOW).open(path)?;
    if let Some(gid) = gid {
        fchown(&file, None, Some(gid))?;
    }
    // After the change of owner, which may clear bits.
    file.set_permissions(Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn groups_are_found_by_their_whole_name() {
        let text = b"root:x:0:\n# note\nfemto:x:7:a,b\nfemtosnitch:x:998:\nbad\nworse:x:-1:\n";
        assert_eq!(find(text, "femtosnitch"), Some(998));
        assert_eq!(find(text, "root"), Some(0));
        for name in ["femtosnitc", "bad", "worse", "nobody", "", "# note"] {
            assert_eq!(find(text, name), None, "{name}");
        }
        assert_eq!(group_id("/etc/group".as_ref(), "root").unwrap(), Some(0));
        assert!(group_id("/nowhere/group".as_ref(), "root").is_err());
    }

    #[test]
    fn directories_and_files_get_mode_and_group() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("var/lib/femtosnitch");
        // Giving a file away needs root, as the daemon has it.
        for gid in [None, Some(4242)] {
            ensure_dir(&path, 0o750, gid).unwrap();
            let meta = std::fs::metadata(&path).unwrap();
            assert_eq!(meta.mode() & 0o7777, 0o750);
            assert_eq!(meta.gid(), gid.unwrap_or_else(|| nix::unistd::getegid().as_raw()));
        }
        assert_eq!(std::fs::metadata(dir.path().join("var")).unwrap().mode() & 0o7777, 0o755);
        let file = path.join("db");
        std::fs::write(&file, "").unwrap();
        set_file(&file, 0o640, Some(4242)).unwrap();
        let meta = std::fs::metadata(&file).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.gid()), (0o640, 4242));
    }

    #[test]
    fn files_are_appended_to_and_nothing_else_is() {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        append_to(&path, 0o640, Some(4242)).unwrap().write_all(b"one").unwrap();
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.gid()), (0o640, 4242));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        append_to(&path, 0o640, Some(4243)).unwrap().write_all(b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"onetwo");
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.gid()), (0o600, 4242), "as somebody wanted it");
        let (link, fifo) = (dir.path().join("link"), dir.path().join("fifo"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        for wrong in [&link, &fifo, &dir.path().to_owned(), &dir.path().join("no/such")] {
            assert!(append_to(wrong, 0o640, None).is_err(), "{}", wrong.display());
        }
    }

    #[test]
    fn links_and_files_in_the_way_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/etc", &link).unwrap();
        assert!(ensure_dir(&link, 0o700, None).is_err());
        assert_eq!(std::fs::metadata("/etc").unwrap().mode() & 0o777, 0o755);
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(ensure_dir(&file, 0o700, None).is_err());
        assert!(set_file(&link, 0o700, None).is_err());
    }
}
