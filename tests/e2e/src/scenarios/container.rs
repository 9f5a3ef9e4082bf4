//! Traffic inside a container that a real OCI runtime makes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use femtosnitch_testkit::Report;
use serde_json::json;

use super::cgroups::Cgroup;
use super::cgroups::Hierarchy;
use crate::expect;
use crate::expect::Row;
use crate::live::Live;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;
use femtosnitch_harness::command::Running;

/// The runtime.
pub(super) const RUNTIME: &str = "crun";
/// The generator as the container sees it.
const INSIDE: &str = "/usr/bin/generator";

/// Own pid, mount, network, host name and IPC namespaces, no capability, an own root file system:
/// bytes, executable and container are right all the same.
pub(super) fn traffic_inside(world: &World) -> Result<Outcome> {
    if world.skip_namespaces {
        return Ok(Outcome::Skipped("asked to skip network namespaces".to_owned()));
    }
    let Some(runtime) = find(RUNTIME) else {
        let how = "on the machine itself `scripts/setup test` installs it";
        return Ok(Outcome::Skipped(format!("{RUNTIME} is not there: {how}")));
    };
    let root = Root::new(world)?;
    let bundle = root.path("bundle");
    fill(&bundle.join("rootfs"), &world.testkit)?;
    let daemon = root.start()?;
    let mut done = Vec::new();
    for kind in ["tcp4", "udp6"] {
        let mark = world.mark(kind);
        // As long as Docker's and Podman's; removed by the runtime with the container.
        let id = format!("{:0>64x}", u64::from(std::process::id()) << 8 | done.len() as u64);
        describe(&bundle, &format!("/{id}"), None, &["traffic", kind, "--tag", &mark])?;
        let report = world.report(contained(&root, &runtime, &bundle, &id))?;
        done.push((mark, id, report));
    }
    daemon.stop()?;
    for (mark, id, report) in done {
        compare(&root, &mark, &id, &report).context(mark)?;
    }
    Ok(Outcome::Passed)
}

/// History has the bytes of every process under its executable, its container and a namespace
/// that is not this one.
fn compare(root: &Root<'_>, mark: &str, id: &str, report: &Report) -> Result<()> {
    let rows = root.query("cmdline,exe,sha256,container,netns")?;
    let rows = expect::marked(&rows, mark);
    // Process ids in the report are the container's.
    let mut wanted = BTreeMap::new();
    for end in &report.ends {
        let sum: &mut (u64, u64) = wanted.entry(end.cmdline.clone()).or_default();
        *sum = (sum.0 + end.sent, sum.1 + end.recv);
    }
    let mut got = BTreeMap::new();
    for row in rows.iter().map(|row| Row(row)) {
        let sum: &mut (u64, u64) = got.entry(row.text("cmdline").to_owned()).or_default();
        *sum = (sum.0 + row.number("send"), sum.1 + row.number("recv"));
    }
    ensure!(wanted == got, "moved {wanted:?}, history says {got:?}");
    expect::identities(&rows, Path::new(INSIDE), &root.world.testkit_sha256)?;
    let here = fs::metadata("/proc/self/ns/net").context("looking at the namespace")?.ino();
    for row in rows.iter().map(|row| Row(row)) {
        ensure!(row.text("container") == id, "not in {id}: {}", row.0);
        ensure!(row.number("netns") != here, "in the namespace outside: {}", row.0);
    }
    Ok(())
}

/// The call of the runtime. In a mount namespace of its own it sees cgroup v2 alone: it refuses
/// machines that have both versions.
pub(super) fn contained(root: &Root<'_>, runtime: &Path, bundle: &Path, id: &str) -> Command {
    const SETTLE: &str = "mount --make-rprivate /
[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-ec", SETTLE]);
    command.arg("sh").arg(runtime).arg("--root").arg(root.path("runtime"));
    command.args(["--cgroup-manager=cgroupfs", "run"]);
    if root.world.machine_is_ours {
        // A guest's first file system cannot be pivoted away from.
        command.arg("--no-pivot");
    }
    command.arg("--bundle").arg(bundle).arg(id);
    command
}

/// In a cgroup as Podman makes them for a service: the live feed names the service, and the
/// container by the word of whoever the service's cgroup was handed to.
pub(super) fn in_a_service(world: &World) -> Result<Outcome> {
    let Some(runtime) = find(RUNTIME) else {
        let how = "on the machine itself `scripts/setup test` installs it";
        return Ok(Outcome::Skipped(format!("{RUNTIME} is not there: {how}")));
    };
    let Some(hierarchy) = Hierarchy::unified()? else {
        return Ok(Outcome::Skipped("no cgroup v2 here".to_owned()));
    };
    let root = Root::new(world)?;
    let (bundle, mark) = (root.path("bundle"), world.mark("service"));
    fill(&bundle.join("rootfs"), &world.testkit)?;
    let daemon = root.start()?;
    let mut live = Live::connect(&root)?;
    let service = format!("fs-e2e-{}.service", std::process::id());
    // Before the runtime makes what lies in it: to be removed afterwards.
    let cgroup = Cgroup::make(&hierarchy, &format!("system.slice/{service}"))?;
    let id = format!("{:0>64x}", u64::from(std::process::id()));
    let path = format!("/system.slice/{service}/libpod-payload-{id}");
    describe(&bundle, &path, None, &["traffic", "udp4", "--tag", &mark])?;
    let running = Running::start(contained(&root, &runtime, &bundle, &id))?;
    let told = live.flow(
        "a program in a container",
        world.patience(15),
        || Ok(()),
        |row| row.text("cmdline").ends_with(&mark),
        |_row| true,
    )?;
    let done = running.wait(world.patience(60))?;
    ensure!(done.status.success(), "{}", done.stderr.trim());
    drop(cgroup);
    daemon.stop()?;
    let row = Row(&told);
    ensure!(row.text("exe") == INSIDE && row.text("unit") == service, "not in {service}: {told}");
    ensure!(row.text("container") == format!("delegated/{id}"), "not in {id}: {told}");
    Ok(Outcome::Passed)
}

/// The bundle's description; with a network of its own, or the one that has this file.
pub(super) fn describe(
    bundle: &Path,
    cgroup: &str,
    network: Option<&str>,
    args: &[&str],
) -> Result<()> {
    let mut namespaces = ["pid", "mount", "uts", "ipc"].map(|kind| json!({"type": kind})).to_vec();
    namespaces.push(match network {
        None => json!({"type": "network"}),
        Some(file) => json!({"type": "network", "path": file}),
    });
    let none: [&str; 0] = [];
    let args = [&[INSIDE], args].concat();
    let config = json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": ["PATH=/usr/bin"],
            "cwd": "/",
            "capabilities": {"bounding": none, "effective": none, "permitted": none},
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "e2e",
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"cgroupsPath": cgroup, "namespaces": namespaces},
    });
    fs::write(bundle.join("config.json"), config.to_string()).context("describing a container")
}

/// A root file system with the generator and what it is linked to.
pub(super) fn fill(root: &Path, generator: &Path) -> Result<()> {
    let put = |source: &Path, place: &str| -> Result<()> {
        let place = root.join(place.trim_start_matches('/'));
        let above = place.parent().context("no directory")?;
        fs::create_dir_all(above).context("making a root file system")?;
        fs::copy(source, &place).with_context(|| format!("copying {}", source.display()))?;
        Ok(())
    };
    put(generator, INSIDE)?;
    for library in linked(generator)? {
        put(Path::new(&library), &library)?;
    }
    for directory in ["proc", "dev", "sys"] {
        fs::create_dir_all(root.join(directory)).context("making a root file system")?;
    }
    Ok(())
}

/// The files that a program maps when it starts, as its own loader says.
pub(super) fn linked(program: &Path) -> Result<Vec<String>> {
    let mut command = Command::new(program);
    // The loader prints `name => /path (address)` or `/path (address)` and ends.
    command.arg("kinds").env("LD_TRACE_LOADED_OBJECTS", "1");
    let done = command::run(command, std::time::Duration::from_secs(60))?;
    let paths: Vec<String> = done.stdout.lines().filter_map(library).map(str::to_owned).collect();
    if paths.is_empty() && done.stdout.contains("=>") {
        bail!("no library is where {} looks for it: {}", program.display(), done.stdout);
    }
    Ok(paths)
}

fn library(line: &str) -> Option<&str> {
    let (before, _) = line.split_once(" (0x")?;
    let place = before.rsplit_once("=> ").map_or(before, |(_, place)| place).trim();
    place.starts_with('/').then_some(place)
}

/// A program on the path.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|directory| directory.join(program));
    places.find(|place| place.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_library_is_understood() {
        let named = "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f51)";
        assert_eq!(library(named), Some("/lib/x86_64-linux-gnu/libc.so.6"));
        let loader = "\t/lib64/ld-linux-x86-64.so.2 (0x00007f51743db000)";
        assert_eq!(library(loader), Some("/lib64/ld-linux-x86-64.so.2"));
        assert_eq!(library("\tlinux-vdso.so.1 (0x00007f51743d9000)"), None);
        assert_eq!(library("[\"tcp4\",\"TCP over IPv4\"]"), None);
    }

    #[test]
    fn what_this_test_is_linked_to_is_there() {
        let own = std::env::current_exe().unwrap();
        for library in linked(&own).unwrap() {
            assert!(Path::new(&library).exists(), "{library}");
        }
    }
}
