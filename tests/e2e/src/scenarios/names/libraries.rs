//! Programs whose C library looks a name up: of the host, of a container, linked statically.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;

use super::town::Town;
use super::town::watch;
use super::wanted::Name;
use super::wanted::Wanted;
use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::container;
use crate::scenarios::container::find;
use crate::world::World;

/// The library asked the system's resolver: both saw it.
const EITHER: &[&str] = &["dns", "getaddrinfo"];
/// Only the library knows.
const LIBRARY: &[&str] = &["getaddrinfo"];
/// In no resolver, but in the file of hosts.
const WRITTEN: &str = "written.town.test";
/// What a daemon may take to find a library that it has never met.
const MEET: Duration = Duration::from_millis(400);
/// How often a program that ends within milliseconds is run for that: while the machine is busy the
/// daemon may come too late once and again.
const MEETINGS: usize = 8;

/// What everybody uses.
pub(in crate::scenarios) fn curl(world: &World) -> Result<Outcome> {
    watch(world, &["--host-record=shop.town.test,10.231.77.11"], |town| {
        let mark = town.world.mark("names");
        let url = format!("http://shop.town.test:{}/{mark}", town.port());
        let args = ["-sS", "-o", "/dev/null", "--noproxy", "*", &url];
        town.succeed(town.with_files(Path::new("curl"), &args)?)?;
        let name = Name::Is("shop.town.test", EITHER);
        Ok(vec![Wanted::served(&mark, &town.served()?, name)?])
    })
}

/// A name that never was on any wire.
pub(in crate::scenarios) fn hosts_file(world: &World) -> Result<Outcome> {
    watch(world, &[], |town| {
        for _ in 1..MEETINGS {
            look(town, WRITTEN)?;
            thread::sleep(MEET);
        }
        look(town, WRITTEN)
    })
}

/// The testkit's look-up with the town's files.
fn look(town: &Town<'_>, name: &'static str) -> Result<Vec<Wanted>> {
    let (mark, port) = (town.world.mark("names"), town.port());
    let args = ["names", "--tag", &mark, "look", "--name", name, "--port", &port];
    let report = town.report(town.with_files(&town.world.testkit, &args)?)?;
    Wanted::reported(&mark, &report, Name::Is(name, LIBRARY))
}

/// A program that has its C library inside, where no uprobe finds it.
pub(in crate::scenarios) fn static_program(world: &World) -> Result<Outcome> {
    let Some(busybox) = find("busybox") else {
        return Ok(Outcome::Skipped("busybox is not there: `scripts/setup test`".to_owned()));
    };
    if !container::linked(&busybox)?.is_empty() {
        return Ok(Outcome::Skipped("the busybox here is not linked statically".to_owned()));
    }
    watch(world, &["--host-record=solid.town.test,10.231.77.12"], |town| {
        let mark = town.world.mark("names");
        let url = format!("http://solid.town.test:{}/{mark}", town.port());
        let args = ["wget", "-q", "-O", "/dev/null", &url];
        town.succeed(town.with_files(Path::new("busybox"), &args)?)?;
        let name = Name::Is("solid.town.test", &["dns"]);
        Ok(vec![Wanted::served(&mark, &town.served()?, name)?])
    })
}

/// Another library: a program is compiled for it.
pub(in crate::scenarios) fn musl(world: &World) -> Result<Outcome> {
    let Some(compiler) = find("musl-gcc") else {
        return Ok(Outcome::Skipped("musl-gcc is not there: `scripts/setup test`".to_owned()));
    };
    let directory = tempfile::Builder::new().prefix("fs-e2e-musl-").tempdir()?;
    let (source, program) = (directory.path().join("look.c"), directory.path().join("look"));
    fs::write(&source, include_str!("look.c")).context("writing a program")?;
    let mut compile = std::process::Command::new(compiler);
    compile.arg("-o").arg(&program).arg(&source);
    command::output(compile, world.patience(30))?;
    watch(world, &[], |town| {
        let mut all = Vec::new();
        // The others are how the library is met.
        for _ in 0..MEETINGS {
            let (mark, port) = (town.world.mark("names"), town.port());
            town.succeed(town.with_files(&program, &[WRITTEN, &port, &mark])?)?;
            all = vec![Wanted::served(&mark, &town.served()?, Name::Is(WRITTEN, LIBRARY))?];
            thread::sleep(MEET);
        }
        Ok(all)
    })
}

/// In a container with a copy of the library, which was there for a moment: both by its resolver
/// and by its file of hosts.
pub(in crate::scenarios) fn container(world: &World) -> Result<Outcome> {
    if find(container::RUNTIME).is_none() {
        return Ok(Outcome::Skipped(format!("{} is not there", container::RUNTIME)));
    }
    watch(world, &["--host-record=inner.town.test,10.231.77.13"], |town| {
        let scratch = Root::new(town.world)?;
        let bundle = scratch.path("bundle");
        let rootfs = bundle.join("rootfs");
        container::fill(&rootfs, &town.world.testkit)?;
        fs::create_dir_all(rootfs.join("etc")).context("making a root file system")?;
        for file in ["resolv.conf", "hosts", "nsswitch.conf"] {
            fs::copy(town.etc().join(file), rootfs.join("etc").join(file))
                .context("filling a root file system")?;
        }
        let mut all = Vec::new();
        let names = [(WRITTEN, LIBRARY), ("inner.town.test", EITHER)];
        for (number, (name, sources)) in names.into_iter().enumerate() {
            all.extend(inside(town, &scratch, number, Name::Is(name, sources), name)?);
        }
        Ok(all)
    })
}

/// On a file system that is mounted for it: its library is met like any other, and keeps nobody from
/// unmounting it, in whichever mount namespace.
pub(in crate::scenarios) fn unmounted(world: &World) -> Result<Outcome> {
    watch(world, &[], |town| {
        let mut all = Vec::new();
        for own in [true, false] {
            let mark = town.world.mark("names");
            let scratch = Root::new(town.world)?;
            let at = scratch.path("mounted");
            fs::create_dir_all(&at).context("making a directory")?;
            let files = scratch.path("files");
            container::fill(&files, &town.world.testkit)?;
            fs::create_dir_all(files.join("etc")).context("making a root file system")?;
            for file in ["resolv.conf", "hosts", "nsswitch.conf"] {
                fs::copy(town.etc().join(file), files.join("etc").join(file))
                    .context("filling a root file system")?;
            }
            let script = scratch.path("in-and-out");
            fs::write(&script, IN_AND_OUT).context("writing a script")?;
            let port = town.port();
            let args = [path(&script)?, path(&at)?, path(&files)?, WRITTEN, &port, &mark];
            let mut command = Command::new(if own { "env" } else { "unshare" });
            if !own {
                command.arg("--mount");
            }
            command.arg("sh").args(args);
            town.pair.left.enter(&mut command)?;
            let report = town.report(command)?;
            all.extend(Wanted::reported(&mark, &report, Name::Is(WRITTEN, LIBRARY))?);
        }
        Ok(all)
    })
}

/// The program waits long enough for its library to be met before it looks the name up; and then the
/// daemon may hold on to it for a while, as it was executed.
const IN_AND_OUT: &str = r#"set -e
mount -t tmpfs lookups "$1"
mkdir "$1/root"
cp -a "$2"/. "$1/root"
chroot "$1/root" /usr/bin/generator names --tag "$5" look --name "$3" --port "$4" --after 1500 > "$2/report"
cat "$2/report"
for try in $(seq 150); do
    umount "$1" 2> "$2/why" && exit
    sleep 0.5
done
cat "$2/why" >&2
umount -l "$1"
exit 1
"#;

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

fn inside(
    town: &Town<'_>,
    scratch: &Root<'_>,
    number: usize,
    wanted: Name,
    name: &str,
) -> Result<Vec<Wanted>> {
    let runtime = find(container::RUNTIME).context("no runtime")?;
    let (bundle, mark, port) = (scratch.path("bundle"), town.world.mark("names"), town.port());
    let id = format!("{:0>64x}", u64::from(std::process::id()) << 8 | 0x80 | number as u64);
    let network = format!("/run/netns/{}", town.pair.left.name);
    let after = MEET.as_millis().to_string();
    let args =
        ["names", "--tag", &mark, "look", "--name", name, "--port", &port, "--after", &after];
    container::describe(&bundle, &format!("/{id}"), Some(&network), &args)?;
    let report = town.report(container::contained(scratch, &runtime, &bundle, &id))?;
    ensure!(report.ends.len() == 1, "one conversation: {report:#?}");
    Wanted::reported(&mark, &report, wanted)
}
