//! pacman and apk in roots that are made up, and systems with several databases.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use crate::fixture::{Debian, write};
use femtosnitch_packages::{Answer, Manager, Packages, Reason, State};

/// Of `abc`.
const SHA: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn ask(root: &Path, path: &str, contents: &str) -> Answer {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, contents).unwrap();
    Packages::open(root).unwrap().identify(Path::new(path), file.as_file(), None)
}

fn pacman(root: &Path) -> std::path::PathBuf {
    let local = root.join("var/lib/pacman/local");
    let package = local.join("tool-1:2.0-3");
    write(&local.join("ALPM_DB_VERSION"), b"9\n");
    write(&package.join("desc"), b"%NAME%\ntool\n\n%VERSION%\n1:2.0-3\n\n%ARCH%\nx86_64\n\n");
    write(&package.join("files"), b"%FILES%\nusr/\nusr/bin/\nusr/bin/a b\nusr/bin/tool\n\n");
    let mtree = format!(
        "#mtree\n/set type=file uid=0 gid=0 mode=755\n./usr/bin time=1.0 type=dir\n\
         ./usr/bin/a\\040b sha256digest={SHA}\n./usr/bin/tool sha256digest={SHA}\n"
    );
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(mtree.as_bytes()).unwrap();
    write(&package.join("mtree"), &packer.finish().unwrap());
    package
}

#[test]
fn pacmans_files_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let package = pacman(dir.path());
    for (path, contents, want) in [
        ("/usr/bin/tool", "abc", "tool 1:2.0-3 (intact)"),
        ("/usr/bin/tool", "abd", "tool 1:2.0-3 (modified)"),
        ("/usr/bin/a b", "abc", "tool 1:2.0-3 (intact)"),
        ("/usr/bin/none", "abc", "not packaged"),
        ("/ALPM_DB_VERSION", "abc", "not packaged"),
    ] {
        assert_eq!(ask(dir.path(), path, contents).to_string(), want, "{path}");
    }
    write(&dir.path().join("var/lib/pacman/db.lck"), b"");
    let busy = State::Unknown(Reason::Busy(Manager::Pacman));
    assert_eq!(ask(dir.path(), "/usr/bin/tool", "abd").state, busy);
    std::fs::remove_file(dir.path().join("var/lib/pacman/db.lck")).unwrap();
    let mtree = std::fs::read(package.join("mtree")).unwrap();
    write(&package.join("mtree"), &mtree[..mtree.len() / 2]);
    let damaged = State::Unknown(Reason::Damaged(Manager::Pacman));
    assert_eq!(ask(dir.path(), "/usr/bin/tool", "abc").state, damaged);
    std::fs::remove_file(package.join("mtree")).unwrap();
    let without = State::Unknown(Reason::NoChecksums);
    assert_eq!(ask(dir.path(), "/usr/bin/tool", "abc").state, without);
}

#[test]
fn a_known_sha256_is_taken_for_the_files() {
    let dir = tempfile::tempdir().unwrap();
    pacman(dir.path());
    let mut packages = Packages::open(dir.path()).unwrap();
    let mut known = [0; 32];
    for (byte, digits) in known.iter_mut().zip(SHA.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    }
    // Nothing could be read from a directory.
    let unread = File::open("/").unwrap();
    let path = Path::new("/usr/bin/tool");
    assert_eq!(packages.identify(path, &unread, Some(known)).state, State::Intact);
    assert_eq!(packages.identify(path, &unread, Some([0; 32])).state, State::Modified);
    let answer = packages.identify(path, &unread, None);
    assert_eq!(answer.state, State::Unknown(Reason::NotRegular));
}

#[test]
fn apks_files_are_known() {
    for database in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
        let dir = tempfile::tempdir().unwrap();
        let text = "P:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:libc.so\nZ:Q1qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\n\n\
            P:tool\nV:2-r1\nA:x86_64\nF:usr/bin\nR:bare\nR:tool\na:0:0:755\n\
            Z:Q1qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\n\n";
        write(&dir.path().join(database), text.as_bytes());
        for (path, contents, want) in [
            ("/usr/bin/tool", "abc", "tool 2-r1 (intact)"),
            ("/usr/bin/tool", "abd", "tool 2-r1 (modified)"),
            ("/usr/bin/bare", "abc", "tool 2-r1 (unknown: no checksum of this file)"),
            ("/lib/libc.so", "abc", "musl 1.2.5-r0 (intact)"),
            ("/lib", "abc", "not packaged"),
        ] {
            assert_eq!(ask(dir.path(), path, contents).to_string(), want, "{path}");
        }
    }
}

#[test]
fn the_larger_database_is_asked_first() {
    let debian = Debian::new();
    pacman(debian.root());
    debian.record("own", "1", &[("usr/bin/tool", b"abd"), ("usr/bin/own", b"abc")]);
    debian.record("second", "1", &[("usr/bin/second", b"abc")]);
    let answer = ask(debian.root(), "/usr/bin/tool", "abc");
    assert_eq!(answer.to_string(), "own 1 (modified)");
    assert_eq!(ask(debian.root(), "/usr/bin/a b", "abc").to_string(), "tool 1:2.0-3 (intact)");
    // One that cannot be read may know what the others do not.
    write(&debian.path("lib/apk/db/installed"), b"");
    let apk = File::options().write(true).open(debian.path("lib/apk/db/installed")).unwrap();
    apk.set_len(65 << 20).unwrap();
    let answer = ask(debian.root(), "/usr/bin/none", "abc");
    assert_eq!(answer.state, State::Unknown(Reason::TooLarge(Manager::Apk)));
}

#[test]
fn another_thread_may_have_it() {
    fn sendable<T: Send>(_: &T) {}
    sendable(&Packages::open(Path::new("/")).unwrap());
}
