//! Whose a program is and whether it was changed: on this system if it has dpkg, and in roots that
//! are made up.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::fixture::{Debian, write};
use femtosnitch_packages::{Answer, Manager, Packages, Reason, State};

fn ask(root: &Path, path: &str, file: &Path) -> Answer {
    let mut packages = Packages::open(root).unwrap();
    packages.identify(Path::new(path), &File::open(file).unwrap(), None)
}

/// A packaged program of this system; where there is no dpkg, one of a root made of this test.
fn specimen() -> (tempfile::TempDir, std::path::PathBuf, String, String) {
    let none = tempfile::tempdir().unwrap();
    if Path::new("/var/lib/dpkg/status").exists() {
        let program = ["/usr/bin/curl", "/usr/bin/dpkg"];
        let program = program.into_iter().find(|path| Path::new(path).exists()).unwrap();
        let package = program.rsplit('/').next().unwrap();
        return (none, "/".into(), program.into(), package.into());
    }
    let debian = Debian::new();
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    debian.install("curl", "7.88.1-10", &[("usr/bin/curl", &own)]);
    let root = debian.root().to_owned();
    (debian.keep(), root, "/usr/bin/curl".into(), "curl".into())
}

#[test]
fn a_program_of_this_system_is_intact() {
    let (_keep, root, path, package) = specimen();
    let file = root.join(path.trim_start_matches('/'));
    let answer = ask(&root, &path, &file);
    let owner = answer.owner.unwrap();
    assert_eq!((owner.manager, owner.package), (Manager::Dpkg, package));
    assert!(owner.version.starts_with(|digit: char| digit.is_ascii_digit()), "{}", owner.version);
    assert_eq!(answer.state, State::Intact);

    // The same contents elsewhere are nobody's.
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy");
    std::fs::copy(&file, &copy).unwrap();
    let stray = ask(&root, copy.to_str().unwrap(), &copy);
    assert_eq!(stray, Answer { owner: None, state: State::NotPackaged });

    // One byte of it changed, at its path.
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&copy, bytes).unwrap();
    assert_eq!(ask(&root, &path, &copy).state, State::Modified);
}

#[test]
fn one_changed_byte_in_another_root_is_found() {
    let debian = Debian::new();
    debian.install("tool", "1:2.3-4+b1", &[("usr/bin/tool", b"abc"), ("usr/bin/other", b"def")]);
    let tool = debian.path("usr/bin/tool");
    let answer = ask(debian.root(), "/usr/bin/tool", &tool);
    assert_eq!(answer.to_string(), "tool 1:2.3-4+b1 (intact)");
    assert_eq!(answer.owner.unwrap().architecture, "amd64");
    std::fs::write(&tool, "abd").unwrap();
    let answer = ask(debian.root(), "/usr/bin/tool", &tool);
    assert_eq!(answer.to_string(), "tool 1:2.3-4+b1 (modified)");
    for path in ["/usr/bin", "/usr/bin/too", "/usr/bin/tool/", "/", "", "/usr/bin/../bin/tool"] {
        assert_eq!(ask(debian.root(), path, &tool).to_string(), "not packaged", "{path}");
    }
}

#[test]
fn merged_directories_work_both_ways() {
    for (listed, asked) in [("bin/tool", "/usr/bin/tool"), ("usr/bin/tool", "/bin/tool")] {
        let debian = Debian::new();
        let file = debian.path("tool");
        std::fs::write(&file, "abc").unwrap();
        debian.record("tool", "1", &[(listed, b"abc")]);
        assert_eq!(ask(debian.root(), asked, &file).state, State::NotPackaged);
        symlink("usr/bin", debian.path("bin")).unwrap();
        assert_eq!(ask(debian.root(), asked, &file).state, State::Intact, "{listed}");
    }
}

#[test]
fn what_is_missing_has_a_reason() {
    let debian = Debian::new();
    let file = debian.path("x");
    std::fs::write(&file, "abc").unwrap();
    debian.record("bare", "1", &[("usr/bin/bare", b"abc")]);
    std::fs::remove_file(debian.path("var/lib/dpkg/info/bare.md5sums")).unwrap();
    debian.record("part", "1", &[("usr/bin/part", b"abc")]);
    write(&debian.path("var/lib/dpkg/info/part.md5sums"), b"");
    debian.record("odd", "1", &[("usr/bin/odd", b"abc")]);
    let odd = format!("{}  usr/bin/odd\n", "z".repeat(32));
    write(&debian.path("var/lib/dpkg/info/odd.md5sums"), odd.as_bytes());
    for (name, reason) in [
        ("bare", Reason::NoChecksums),
        ("part", Reason::NotRecorded),
        ("odd", Reason::Damaged(Manager::Dpkg)),
    ] {
        let answer = ask(debian.root(), &format!("/usr/bin/{name}"), &file);
        assert_eq!(answer.owner.unwrap().package, name);
        assert_eq!(answer.state, State::Unknown(reason));
    }
    let empty = tempfile::tempdir().unwrap();
    let answer = ask(empty.path(), "/usr/bin/x", &file);
    assert_eq!(answer.to_string(), "unknown: there is no package database");
}

#[test]
fn while_dpkg_works_nobody_is_accused() {
    let debian = Debian::new();
    debian.install("tool", "1", &[("usr/bin/tool", b"abc")]);
    let (tool, busy) = (debian.path("usr/bin/tool"), State::Unknown(Reason::Busy(Manager::Dpkg)));
    write(&debian.path("var/lib/dpkg/updates/0001"), b"Package: tool\n");
    assert_eq!(ask(debian.root(), "/usr/bin/tool", &tool).state, State::Intact);
    std::fs::write(&tool, "new").unwrap();
    assert_eq!(ask(debian.root(), "/usr/bin/tool", &tool).state, busy);
    assert_eq!(ask(debian.root(), "/usr/bin/fresh", &tool).state, busy);
}

#[test]
fn a_diverted_program_is_its_packages() {
    let debian = Debian::new();
    debian.record("bash", "5", &[("usr/bin/sh", b"abc")]);
    debian.record("dash", "1", &[("usr/bin/sh", b"def")]);
    write(&debian.path("var/lib/dpkg/diversions"), b"/usr/bin/sh\n/usr/bin/sh.distrib\ndash\n");
    for (path, text, want) in [
        ("/usr/bin/sh", "def", "dash 1 (intact)"),
        ("/usr/bin/sh", "abc", "dash 1 (modified)"),
        ("/usr/bin/sh.distrib", "abc", "bash 5 (intact)"),
    ] {
        let file = debian.path("x");
        std::fs::write(&file, text).unwrap();
        assert_eq!(ask(debian.root(), path, &file).to_string(), want, "{path}");
    }
}

#[test]
fn of_two_architectures_it_is_the_one_that_fits() {
    let debian = Debian::new();
    for (architecture, text) in [("amd64", b"abc"), ("i386", b"def")] {
        debian.record(&format!("both:{architecture}"), "1", &[("usr/bin/both", text)]);
    }
    let file = debian.path("x");
    for (text, architecture, state) in [
        ("abc", "amd64", State::Intact),
        ("def", "i386", State::Intact),
        ("ghi", "amd64", State::Modified),
    ] {
        std::fs::write(&file, text).unwrap();
        let answer = ask(debian.root(), "/usr/bin/both", &file);
        assert_eq!(answer.owner.unwrap().architecture, architecture);
        assert_eq!(answer.state, state);
    }
}

#[test]
fn an_image_without_a_package_manager_has_owners() {
    let dir = tempfile::tempdir().unwrap();
    let status = dir.path().join("var/lib/dpkg/status.d");
    write(&status.join("tool"), b"Package: tool\nVersion: 3\nArchitecture: arm64\n");
    write(&status.join("tool.md5sums"), b"900150983cd24fb0d6963f7d28e17f72  usr/bin/tool\n");
    let file = dir.path().join("usr/bin/tool");
    write(&file, b"abc");
    assert_eq!(ask(dir.path(), "/usr/bin/tool", &file).to_string(), "tool 3 (intact)");
}

#[test]
fn an_upgrade_is_noticed() {
    let debian = Debian::new();
    debian.install("tool", "1", &[("usr/bin/tool", b"abc")]);
    let tool = debian.path("usr/bin/tool");
    let mut packages = Packages::open(debian.root()).unwrap();
    assert!(!packages.refresh_if_changed());
    let mut ask = |refresh| {
        if refresh {
            assert!(packages.refresh_if_changed());
        }
        packages.identify(Path::new("/usr/bin/tool"), &File::open(&tool).unwrap(), None)
    };
    let before = ask(false);
    debian.upgrade("tool", "2", &[("usr/bin/tool", b"new")]);
    let after = ask(true);
    let change = femtosnitch_packages::Change::between(&before, &after);
    assert_eq!(change, femtosnitch_packages::Change::Upgraded, "{before} -> {after}");
    // Without being told to look, the answer is right all the same.
    debian.upgrade("tool", "3", &[("usr/bin/tool", b"newer")]);
    assert_eq!(ask(false).to_string(), "tool 3 (intact)");
    debian.upgrade("other", "1", &[("usr/bin/other", b"x")]);
    let other = File::open(debian.path("usr/bin/other")).unwrap();
    let answer = packages.identify(Path::new("/usr/bin/other"), &other, None);
    assert_eq!(answer.to_string(), "other 1 (intact)");
}

#[test]
fn what_runs_on_after_an_upgrade_is_not_accused() {
    let debian = Debian::new();
    debian.install("tool", "1", &[("usr/bin/tool", b"abc")]);
    let running = File::open(debian.path("usr/bin/tool")).unwrap();
    let mut packages = Packages::open(debian.root()).unwrap();
    let mut state = || packages.identify(Path::new("/usr/bin/tool"), &running, None).state;
    debian.upgrade("tool", "2", &[("usr/bin/tool", b"new")]);
    assert_eq!(state(), State::Unknown(Reason::Deleted));
    debian.upgrade("tool", "3", &[("usr/bin/tool", b"abc")]);
    assert_eq!(state(), State::Intact);
}

#[test]
fn indexes_go_when_nobody_asks() {
    let debian = Debian::new();
    debian.install("tool", "1", &[("usr/bin/tool", b"abc")]);
    let file = File::open(debian.path("usr/bin/tool")).unwrap();
    let root = File::open(debian.root()).unwrap();
    let mut packages = Packages::at(root.into()).unwrap();
    assert_eq!(packages.memory(), 0);
    packages.identify(Path::new("/usr/bin/tool"), &file, None);
    assert!(packages.memory() > 0);
    packages.trim();
    assert!(packages.memory() > 0, "it was just used");
    packages.trim();
    assert_eq!(packages.memory(), 0);
    let again = packages.identify(Path::new("/usr/bin/tool"), &file, None);
    assert_eq!(again.state, State::Intact);
}

#[test]
fn hostile_lists_are_harmless() {
    let debian = Debian::new();
    debian.install("tool", "1\u{1b}[31m\u{7}", &[("usr/bin/tool", b"abc")]);
    let long = "x".repeat(4096);
    let list =
        [b"/usr/\xff\xfe\x1b[2J\n/" as &[u8], long.as_bytes(), b"\n\0\n/../x\n/usr/bin/tool"];
    write(&debian.path("var/lib/dpkg/info/\u{1b}evil.list"), &list.concat());
    write(&debian.path("var/lib/dpkg/info/.list"), b"/usr/bin/tool\n");
    let info = debian.path("var/lib/dpkg/info");
    symlink("loop.list", info.join("loop.list")).unwrap();
    let tool = debian.path("usr/bin/tool");
    let answer = ask(debian.root(), "/usr/bin/tool", &tool);
    assert!(matches!(answer.state, State::Unknown(Reason::Unreadable(Manager::Dpkg, _))));
    std::fs::remove_file(info.join("loop.list")).unwrap();
    let answer = ask(debian.root(), "/usr/bin/tool", &tool);
    assert_eq!(answer.to_string(), "tool 1?[31m? (intact)");
    let answer = ask(debian.root(), &format!("/{long}"), &tool);
    assert_eq!(answer.owner.unwrap().package, "?evil");
    std::fs::create_dir(debian.path("etc")).unwrap();
    symlink("/etc", debian.path("var/lib/dpkg/info/etc.list")).unwrap();
    let answer = ask(debian.root(), "/usr/bin/tool", &tool);
    assert!(matches!(answer.state, State::Unknown(_)), "{answer}");
}
