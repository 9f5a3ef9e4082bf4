//! Bad input: a clear message, the right exit code, nothing destroyed.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use crate::daemon::Daemon;
use crate::expect;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

pub(super) fn broken_config(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("kept"));
    let daemon = root.start()?;
    let report = world.traffic("tcp4", &mark)?;
    daemon.stop()?;
    let before = fs::read(root.database()).context("reading the database")?;
    let cases = [
        ("[store]\n\nretenshun = \"1h\"\n", "3", "retenshun"),
        ("[capture]\nmax_flows = \"many\"\n", "2", "max_flows"),
        ("[store]\nwrite_interval = \"0s\"\n", "2", "write_interval"),
        ("[store\n", "1", "config.toml"),
    ];
    for (config, line, key) in cases {
        root.configure(config)?;
        let (code, said) = root.refused()?;
        ensure!(code == Some(1), "{config:?} ended with {code:?}: {said}");
        for word in ["config.toml", line, key] {
            ensure!(said.contains(word), "{config:?}: the message lacks {word:?}: {said}");
        }
    }
    let after = fs::read(root.database()).context("reading the database")?;
    ensure!(before == after, "a broken configuration changed the database");
    expect::exactly(&root, &mark, &report)?;
    Ok(Outcome::Passed)
}

pub(super) fn corrupt_database(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("fresh"));
    let database = root.database();
    let dir = database.parent().context("odd path")?.to_owned();
    fs::create_dir_all(&dir).context("making the database directory")?;
    let garbage = b"this is no database at all ".repeat(1000);
    let companions = ["", "-wal", "-shm"];
    for end in companions {
        fs::write(dir.join(format!("femtosnitch.db{end}")), &garbage)?;
    }
    let daemon = root.start()?;
    let report = world.traffic("tcp4", &mark)?;
    let log = daemon.stop()?;
    ensure!(log.contains("corrupt"), "no warning about the corrupt database: {log}");
    let mut aside = Vec::new();
    for entry in fs::read_dir(&dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains("corrupt") && fs::read(entry.path())? == garbage {
            aside.push(name);
        }
    }
    for end in ["-wal", "-shm"] {
        let there = aside.iter().any(|name| name.ends_with(end));
        ensure!(there, "the {end} file was not moved along: {aside:?}");
    }
    ensure!(aside.len() == companions.len(), "moved aside unchanged: {aside:?}");
    root.check_integrity()?;
    expect::exactly(&root, &mark, &report)?;
    Ok(Outcome::Passed)
}

/// Numbers of capabilities that capturing cannot do without, from `linux/capability.h`.
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

pub(super) fn missing_capability(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    let daemon = Daemon::command(world, &root.path(""));
    // CAP_SYS_ADMIN stands in for the other two.
    let caps = format!("{CAP_SYS_ADMIN},{CAP_PERFMON},{CAP_BPF}");
    let mut command = world.testkit(&["drop-caps", "--caps", &caps, "--"]);
    command.arg(daemon.get_program()).args(daemon.get_args());
    let done = command::run(command, world.patience(15))?;
    let (code, said) = (done.status.code(), done.stderr);
    ensure!(code == Some(1), "without capabilities it ended with {code:?}: {said}");
    ensure!(said.to_uppercase().contains("CAP_BPF"), "it should name what it lacks: {said}");
    Ok(Outcome::Passed)
}

pub(super) fn no_type_information(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    let daemon = Daemon::command(world, &root.path(""));
    // A mount namespace of its own in which the kernel seems to lack BTF.
    let hide = "mount -t tmpfs none /sys/kernel/btf && exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", hide, "sh"]);
    command.arg(daemon.get_program()).args(daemon.get_args());
    let done = command::run(command, world.patience(15))?;
    let (code, said) = (done.status.code(), done.stderr);
    ensure!(code == Some(1), "without BTF it ended with {code:?}: {said}");
    ensure!(said.contains("CONFIG_DEBUG_INFO_BTF"), "it should say what is missing: {said}");
    Ok(Outcome::Passed)
}

/// Without /proc nothing can be told of those who are running already.
pub(super) fn no_proc(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    let daemon = Daemon::command(world, &root.path(""));
    let hide = "mount -t tmpfs none /proc && exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", hide, "sh"]);
    command.arg(daemon.get_program()).args(daemon.get_args());
    let done = command::run(command, world.patience(15))?;
    let (code, said) = (done.status.code(), done.stderr);
    ensure!(code == Some(1), "without /proc it ended with {code:?}: {said}");
    ensure!(said.contains("mount -t proc"), "it should say what to do: {said}");
    Ok(Outcome::Passed)
}

pub(super) fn unreadable_config(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    // Root may read any file, so something that is no file stands in its place.
    let config = root.path("etc/femtosnitch/config.toml");
    fs::remove_file(&config).context("removing the scenario's configuration")?;
    fs::create_dir(&config)?;
    let (code, said) = root.refused()?;
    ensure!(code == Some(1), "an unreadable configuration ended with {code:?}: {said}");
    ensure!(said.contains("config.toml"), "it should name the file: {said}");
    Ok(Outcome::Passed)
}
