//! What C libraries tell programs. Needs root, a C compiler, and musl's where that is to be tested.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod common;

use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use femtosnitch_model::{Looked, NameEvent};
use femtosnitch_probe::{Library, Probe};

use common::OPTIONS;

const HOSTS: &str = "192.0.2.7 one.example alias.example\n2001:db8::7 one.example\n\
                     192.0.2.8 two.example\n192.0.2.9 two.example\n";

/// Asks for each argument; `r:` and so on say in which way.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static void measure(int calls)
{
    struct addrinfo *list, hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < calls; i++)
        if (!getaddrinfo("192.0.2.7", 0, &hints, &list)) freeaddrinfo(list);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%ld", ((end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec) / calls);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *name = strchr(argv[i], ':') + 1, room[4096];
        struct addrinfo *list, hints = { .ai_socktype = SOCK_STREAM };
        struct hostent host, *found;
        int error;
        switch (argv[i][0]) {
        case 'a': if (!getaddrinfo(name, "80", 0, &list)) freeaddrinfo(list); break;
        case 's': if (!getaddrinfo(name, 0, &hints, &list)) freeaddrinfo(list); break;
        case 'h': gethostbyname(name); break;
        case '6': gethostbyname2(name, AF_INET6); break;
        case 'r': gethostbyname_r(name, &host, room, sizeof(room), &found, &error); break;
        case '2': gethostbyname2_r(name, AF_INET, &host, room, sizeof(room), &found, &error); break;
        case 'm': measure(atoi(name)); break;
        case 'n': getaddrinfo(0, "80", 0, &list); break;
        }
    }
    return 0;
}
"#;

/// A root directory with this program and its library, on a file system of its own.
struct Root {
    dir: tempfile::TempDir,
    library: PathBuf,
}

impl Root {
    /// `None` where there is no such compiler.
    fn new(compiler: &str) -> Option<Self> {
        let exists = Command::new(compiler).arg("--version").stdout(Stdio::null()).status();
        if exists.is_err() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        run("mount", &["-t", "tmpfs", "lookups", dir.path().to_str().unwrap()]);
        let root = dir.path();
        std::fs::create_dir(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/hosts"), HOSTS).unwrap();
        std::fs::write(root.join("etc/nsswitch.conf"), "hosts: files\n").unwrap();
        std::fs::write(root.join("etc/host.conf"), "multi on\n").unwrap();
        let (source, program) = (root.join("ask.c"), root.join("ask"));
        std::fs::write(&source, PROGRAM).unwrap();
        run(compiler, &[source.to_str().unwrap(), "-o", program.to_str().unwrap()]);
        // What it needs, by its own word: the loader, and the library if that is another file.
        let told = output(Command::new("readelf").args(["-W", "-p", ".interp"]).arg(&program));
        let loader = told.split_whitespace().find(|word| word.starts_with('/')).unwrap();
        let mut needs = vec![PathBuf::from(loader)];
        if !loader.contains("musl") {
            let library = output(Command::new(compiler).arg("-print-file-name=libc.so.6"));
            needs.push(PathBuf::from(library.trim()));
        }
        let mut library = PathBuf::new();
        for (n, need) in needs.iter().enumerate() {
            let real = need.canonicalize().unwrap();
            library = if n == 0 {
                need.strip_prefix("/").unwrap().to_owned()
            } else {
                Path::new("lib").join(need.file_name().unwrap())
            };
            let place = root.join(&library);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::copy(real, place).unwrap();
        }
        library = root.join(library);
        Some(Self { dir, library })
    }

    fn library(&self) -> Library {
        let file = File::open(&self.library).unwrap();
        let named = file.try_clone().unwrap();
        Library::read(&file, named).unwrap().expect("a C library")
    }

    fn ask(&self, questions: &[&str]) -> u32 {
        let mut asking = Command::new("chroot");
        asking.arg(self.dir.path()).arg("/ask").args(questions);
        let mut child = asking.spawn().unwrap();
        assert!(child.wait().unwrap().success());
        child.id()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(self.dir.path()).status();
        assert!(done.unwrap().success() || std::thread::panicking());
    }
}

fn run(program: &str, args: &[&str]) {
    assert!(Command::new(program).args(args).status().unwrap().success(), "{program} {args:?}");
}

fn output(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn told(probe: &mut Probe, pid: u32) -> Vec<(String, Vec<String>)> {
    probe.events(&mut |_| ()).unwrap();
    let of_pid = |event| match event {
        NameEvent::Looked(looked) if looked.owner.tgid == pid => Some(looked),
        _ => None,
    };
    let in_words = |Looked { name, addresses, .. }| {
        let mut addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
        addresses.sort();
        (String::from_utf8(name).unwrap(), addresses)
    };
    probe.take_names().into_iter().filter_map(of_pid).map(in_words).collect()
}

fn words(name: &str, addresses: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), addresses.iter().map(|it| (*it).to_owned()).collect())
}

fn every_way(probe: &mut Probe, root: &Root) {
    let both = words("one.example", &["192.0.2.7", "2001:db8::7"]);
    let two = words("two.example", &["192.0.2.8", "192.0.2.9"]);

    let pid = root.ask(&["a:one.example", "s:two.example"]);
    assert_eq!(told(probe, pid), [both, two.clone()]);

    // Such calls contain calls of one another: the same may be told twice.
    let pid = root.ask(&["h:two.example"]);
    let mut once = told(probe, pid);
    once.dedup();
    assert_eq!(once, std::slice::from_ref(&two));
    let pid = root.ask(&["r:two.example", "2:two.example"]);
    let mut once = told(probe, pid);
    once.dedup();
    assert_eq!(once, [two]);
    let pid = root.ask(&["6:one.example"]);
    let mut once = told(probe, pid);
    once.dedup();
    assert_eq!(once, [words("one.example", &["2001:db8::7"])]);

    // Nothing is learned from addresses, of what is nowhere, or of this machine's own.
    let pid = root.ask(&["a:192.0.2.7", "a:nowhere.example", "r:nowhere.example", "n:", "h:::1"]);
    assert_eq!(told(probe, pid), []);
}

#[test]
fn what_the_c_library_tells_is_seen_until_it_is_forgotten() {
    let mut probe = Probe::start(OPTIONS, None).expect("needs root");
    let watcher = probe.watcher().unwrap().unwrap_or_else(|| panic!("{:?}", probe.hooks()));
    let mut tried = 0;
    for compiler in ["cc", "musl-gcc"] {
        let Some(root) = Root::new(compiler) else {
            writeln!(std::io::stderr(), "left out: no {compiler}").unwrap();
            continue;
        };
        tried += 1;
        let before = root.ask(&["a:one.example"]);
        assert_eq!(told(&mut probe, before), [], "{compiler}");
        let begun = Instant::now();
        let library = root.library();
        let read = begun.elapsed();
        let watch = watcher.watch(&library).unwrap();
        let watched = begun.elapsed() - read;
        every_way(&mut probe, &root);
        // A second watch tells nothing new.
        let again = watcher.watch(&library).unwrap();
        let pid = root.ask(&["s:two.example"]);
        assert_eq!(told(&mut probe, pid).len(), 1, "{compiler}");
        drop(again);
        let begun = Instant::now();
        drop(watch);
        writeln!(
            std::io::stderr(),
            "{compiler}: read in {read:?}, watched in {watched:?}, forgotten in {:?}",
            begun.elapsed()
        )
        .unwrap();
        let after = root.ask(&["a:one.example"]);
        assert_eq!(told(&mut probe, after), [], "{compiler}");
    }
    assert!(tried > 0);
    assert!(
        probe.health().counts.iter().all(|it| it.name != "lookups_unreadable" || it.value == 0)
    );
}

#[test]
fn a_library_that_is_forgotten_does_not_keep_its_file_system() {
    let probe = Probe::start(OPTIONS, None).expect("needs root");
    let watcher = probe.watcher().unwrap().unwrap();
    let root = Root::new("cc").expect("a C compiler");
    let unmount = || {
        let mut unmount = Command::new("umount");
        unmount.arg(root.dir.path()).stderr(Stdio::null()).status().unwrap().success()
    };
    let library = root.library();
    let watch = watcher.watch(&library).unwrap();
    drop(library);
    assert!(!unmount(), "this kernel does not hold on to it");
    drop(watch);
    // The kernel lets go a moment later: by RCU, and then in a worker.
    let deadline = Instant::now() + Duration::from_secs(20);
    while !unmount() {
        assert!(Instant::now() < deadline, "it is held on to");
        std::thread::sleep(Duration::from_millis(50));
    }
    // For the end of `root`.
    run("mount", &["-t", "tmpfs", "lookups", root.dir.path().to_str().unwrap()]);
}

/// By hand: `cargo test -p femtosnitch-probe --release --test lookups -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn what_a_call_costs() {
    let mut probe = Probe::start(OPTIONS, None).expect("needs root");
    let watcher = probe.watcher().unwrap().unwrap();
    let root = Root::new("cc").expect("a C compiler");
    let ns = || -> u64 {
        let mut asking = Command::new("chroot");
        output(asking.arg(root.dir.path()).args(["/ask", "m:20000"])).parse().unwrap()
    };
    let mut ratios = Vec::new();
    for _ in 0..5 {
        let without = ns();
        let begun = Instant::now();
        let watch = watcher.watch(&root.library()).unwrap();
        let watched = begun.elapsed();
        let with = ns();
        let begun = Instant::now();
        drop(watch);
        probe.events(&mut |_| ()).unwrap();
        drop(probe.take_names());
        ratios.push((without, with, watched, begun.elapsed()));
    }
    writeln!(std::io::stderr(), "ns without, with; to watch; to forget: {ratios:?}").unwrap();
}
