//! Files of other users, read by children.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
/// Nobody in particular.
const UID: u32 = 12_345;

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn own() -> Reader {
    Reader::of_user(nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw())
}

fn named(path: &Path) -> OwnedFd {
    let how = OFlag::O_PATH | OFlag::O_CLOEXEC;
    nix::fcntl::open(path, how, nix::sys::stat::Mode::empty()).unwrap()
}

/// A file that its owner alone may read.
fn file_of(uid: u32, dir: &Path) -> std::path::PathBuf {
    let path = dir.join("tool");
    std::fs::write(&path, vec![7; 3 * CHUNK + 5]).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    if is_root() {
        std::fs::set_permissions(dir, PermissionsExt::from_mode(0o711)).unwrap();
        std::os::unix::fs::chown(&path, Some(uid), Some(uid)).unwrap();
    }
    path
}

#[test]
fn the_digest_is_that_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = file_of(nix::unistd::getuid().as_raw(), dir.path());
    let out = Command::new("sha256sum").arg(&path).output().unwrap().stdout;
    let readers = Readers::default();
    if !is_root() {
        // setgroups(2) is root's.
        assert!(readers.hash(&own(), Source::Path(&path), PATIENCE).is_err());
        return;
    }
    let meta = std::fs::metadata(&path).unwrap();
    for source in [Source::Path(&path), Source::Named(named(&path).as_fd())] {
        let hashed = readers.hash(&own(), source, PATIENCE).unwrap();
        let hex: String = hashed.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, String::from_utf8_lossy(&out[..64]));
        assert_eq!((hashed.len, hashed.stat.size), (meta.len(), meta.len()));
        let stat = hashed.stat;
        assert_eq!((stat.dev, stat.ino, stat.mode), (meta.dev(), meta.ino(), meta.mode()));
        assert_eq!((stat.mtime.sec, stat.ctime.sec), (meta.mtime(), meta.ctime()));
        assert!(stat.mnt_id.is_some());
    }
    assert_eq!(readers.reap(), 0);
}

#[test]
fn it_is_read_with_the_users_own_rights() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = file_of(UID, dir.path());
    let readers = Readers::default();
    for source in [Source::Path(&path), Source::Named(named(&path).as_fd())] {
        assert!(readers.hash(&Reader::of_user(UID, UID), source, PATIENCE).is_ok());
        let denied = readers.hash(&Reader::of_user(UID + 1, UID), source, PATIENCE);
        let Err(HashError::Io(error)) = denied else { panic!("{denied:?}") };
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}

#[test]
fn a_process_has_its_user_also_in_a_namespace() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = file_of(UID, dir.path());
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "cat"]).stdin(Stdio::piped());
    unshare.stdout(Stdio::piped());
    std::os::unix::process::CommandExt::uid(&mut unshare, UID);
    std::os::unix::process::CommandExt::gid(&mut unshare, UID);
    let mut child = unshare.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut echo = [0];
    // By then it has its namespace, if it is allowed one.
    let there = io::Write::write_all(&mut input, b"x")
        .and_then(|()| io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut echo));
    if there.is_ok() {
        let reader = Reader::of_process(child.id()).unwrap();
        assert!(reader.space.is_some());
        assert_eq!((reader.uid, reader.gid, reader.user()), (0, 0, UID));
        let hashed = Readers::default().hash(&reader, Source::Path(&path), PATIENCE);
        assert!(hashed.is_ok(), "{hashed:?}");
    }
    drop(input);
    child.wait().unwrap();
    assert!(Reader::of_process(child.id()).is_err());
}

#[test]
fn what_does_not_answer_is_left() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large");
    // Sparse: minutes of reading.
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let readers = Readers::default();
    let result = readers.hash(&own(), Source::Path(&path), Duration::from_millis(50));
    let Err(HashError::Io(error)) = result else { panic!("{result:?}") };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    // It reads on until it is told.
    let until = Instant::now() + PATIENCE;
    while readers.reap() > 0 {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn only_files_are_read() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let hash = |path: &Path| Readers::default().hash(&own(), Source::Path(path), PATIENCE);
    for path in [dir.path(), &fifo, &dir.path().join("none")] {
        let result = hash(path);
        assert!(matches!(result, Err(HashError::Io(_))), "{result:?}");
    }
}

#[test]
fn an_answer_survives_the_way() {
    let time = FileTime { sec: -5, nsec: 999_999_999 };
    let stat = FileStat {
        dev: 1,
        ino: u64::MAX,
        size: 3,
        mtime: time,
        ctime: FileTime { sec: i64::MAX, nsec: 0 },
        nlink: 4,
        mode: 0o100_755,
        mnt_id: Some(7),
    };
    for stat in [stat, FileStat { mnt_id: None, ..stat }] {
        let sent = Hashed { sha256: [0x5a; 32], len: 9, stat };
        let got = Answer::decode(&Answer::encode(Ok(sent))).unwrap().unwrap();
        assert_eq!((got.sha256, got.len, got.stat), (sent.sha256, 9, stat));
    }
    let denied = Answer::encode(Err(io::Error::from_raw_os_error(libc::EACCES).into()));
    let Some(Err(HashError::Io(error))) = Answer::decode(&denied) else { panic!() };
    assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    let changed = Answer::decode(&Answer::encode(Err(HashError::Changed)));
    assert!(matches!(changed, Some(Err(HashError::Changed))));
    assert!(Answer::decode(&[0x7f; ANSWER]).is_none());
}
