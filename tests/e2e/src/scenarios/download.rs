//! A real program downloads a file of known size, started by a shell.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::netns::Pair;

use crate::expect::Row;
use crate::expect::marked;
use crate::helpers::Httpd;
use crate::root::Root;
use crate::runner::Outcome;
use crate::runner::say;
use crate::world::World;
use femtosnitch_harness::command;
use femtosnitch_harness::digest;

const SIZE: u64 = 5_000_011;

/// Where a program really lives.
pub(super) fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").context("PATH is not set")?;
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    let found = found.with_context(|| format!("{name} is needed but not installed"))?;
    found.canonicalize().with_context(|| format!("cannot resolve {}", found.display()))
}

/// A shell that has to stay while its command runs.
pub(super) fn shell(line: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{line}; true"));
    shell
}

pub(super) fn over_loopback(world: &World) -> Result<Outcome> {
    let server = Httpd::on(world, "127.0.0.1:0", SIZE, &world.mark("httpd"))?;
    download(world, server, |_shell| Ok(()))
}

pub(super) fn over_veth(world: &World) -> Result<Outcome> {
    if world.skip_namespaces {
        return Ok(Outcome::Skipped("asked to skip network namespaces".to_owned()));
    }
    let pair = Pair::create()?;
    let (listen, size) = (format!("{}:0", pair.right.v4), SIZE.to_string());
    let mut httpd = world.testkit(&["httpd", "--listen", &listen, "--bytes", &size]);
    pair.right.enter(&mut httpd)?;
    download(world, Httpd::start(httpd)?, |shell| Ok(pair.left.enter(shell)?))
}

fn download(
    world: &World,
    mut server: Httpd,
    place: impl FnOnce(&mut Command) -> Result<()>,
) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("curl"));
    let daemon = root.start()?;
    let url = format!("http://{}/{mark}", server.address);
    let mut shell = shell(&format!("curl --silent --noproxy '*' --output /dev/null {url}"));
    place(&mut shell)?;
    let done = command::run(shell, world.patience(60))?;
    ensure!(done.status.success(), "curl: {}", done.stderr);
    let served = server.served()?;
    ensure!(served.sent > SIZE, "the server sent {} bytes only", served.sent);
    daemon.stop()?;

    let rows = root.query("exe,sha256,parent,psha256,pcmdline,gpexe,cmdline,raddr,rport")?;
    let rows = marked(&rows, &mark);
    let [row] = rows[..] else { anyhow::bail!("not one row: {rows:#?}") };
    say(&format!("  {row}"));
    let row = Row(row);
    ensure!(row.bytes() == (served.recv, served.sent), "server: {served:?}, history: {}", row.0);
    let (curl, sh) = (program("curl")?, program("sh")?);
    let me = std::env::current_exe()?.canonicalize()?;
    let wanted = [
        ("exe", curl.display().to_string()),
        ("sha256", digest::of_file(&curl)?),
        ("parent", sh.display().to_string()),
        ("psha256", digest::of_file(&sh)?),
        ("gpexe", me.display().to_string()),
        ("raddr", server.address.ip().to_string()),
    ];
    for (key, value) in wanted {
        ensure!(row.text(key) == value, "{key} should be {value}: {}", row.0);
    }
    ensure!(row.number("rport") == u64::from(server.address.port()), "rport: {}", row.0);
    ensure!(row.text("pcmdline").contains(&url), "pcmdline: {}", row.0);
    Ok(Outcome::Passed)
}
