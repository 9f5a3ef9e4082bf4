//! `femtosnitch top` in a terminal, with a real daemon and real traffic.

use std::process::Stdio;
use std::time::Instant;

use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_testkit::netns::Pair;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::helpers::Httpd;
use crate::root::Root;
use crate::runner::Outcome;
use crate::runner::say;
use crate::terminal::Terminal;
use crate::world::World;

/// Bytes a second of a download.
const RATE: u64 = 4_000_000;
/// What its host is called.
const NAME: &str = "film.top.test";

fn no_tmux() -> Outcome {
    Outcome::Skipped("tmux is not there: `scripts/setup test` installs it".to_owned())
}

/// A download begins: its program, how fast it is, and where from.
pub(super) fn download(world: &World) -> Result<Outcome> {
    if world.skip_namespaces {
        return Ok(Outcome::Skipped("asked to skip network namespaces".to_owned()));
    }
    let Some(terminal) = Terminal::start(world, (160, 40))? else { return Ok(no_tmux()) };
    let pair = Pair::create()?;
    let there = |args: &[&str]| -> Result<Httpd> {
        let mut command = world.testkit(args);
        pair.right.enter(&mut command)?;
        Httpd::start(command)
    };
    let (resolver, record) =
        (format!("{}:53", pair.right.v4), format!("--record={NAME}={}", pair.right.v4));
    let _resolver = there(&["names", "serve-dns", "--listen", &resolver, &record])?;
    let (listen, rate) = (format!("{}:0", pair.right.v4), RATE.to_string());
    let size = (RATE * 60).to_string();
    let httpd = there(&["httpd", "--listen", &listen, "--bytes", &size, "--rate", &rate])?;
    // As it is by default, but for what it is to know of names.
    let root = Root::with(world, &format!("[names]\nresolvers = [\"{}\"]\n", pair.right.v4))?;
    let daemon = root.start()?;
    terminal.run("top", &root.path(""))?;
    terminal.shows("live")?;
    // The rest of the machine may have traffic too: one process is looked for, by its arguments.
    let mark = world.mark("top");
    terminal.text("ue/")?;
    terminal.text(&mark)?;
    terminal.key("Enter")?;
    terminal.shows("no program with that")?;

    let begin = Instant::now();
    let port = httpd.address.port().to_string();
    let look = ["resolve", "--server", &resolver, "--name", NAME, "--port", &port];
    let mut fetch = world.testkit(&[&["names", "--tag", &mark], &look[..]].concat());
    pair.left.enter(&mut fetch)?;
    let mut fetch = fetch.stdout(Stdio::null()).spawn()?;
    let seen = terminal.until("the download, its rate and its host", |picture| {
        let is_told = |name: &str| {
            let mut lines = picture.lines().filter(|line| line.contains(name));
            lines.any(|line| megabytes(line).is_some_and(is_right))
        };
        is_told("testkit") && is_told(NAME)
    });
    let took = begin.elapsed();
    command::end(&mut fetch);
    let picture = seen?;
    say(&format!("  seen within 5 % after {} ms", took.as_millis()));
    let host = picture.lines().find(|line| line.contains(NAME)).unwrap_or_default();
    for part in [pair.right.v4.to_string(), "(private)".to_owned(), port, "TCP".to_owned()] {
        ensure!(host.contains(&part), "{part}: {host}");
    }
    ensure!(host.contains(" out ") && host.contains(" open "), "direction and state: {host}");
    // Its end is seen as well.
    terminal.until("its end", |picture| {
        picture.lines().any(|line| line.contains(NAME) && !line.contains(" open "))
    })?;
    terminal.key("q")?;
    terminal.shows("ended 0")?;
    daemon.stop()?;
    Ok(Outcome::Passed)
}

/// The first amount of a line that is in MB.
fn megabytes(line: &str) -> Option<f64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "MB")?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

/// Within 5 % of what the server sends.
fn is_right(megabytes: f64) -> bool {
    (megabytes - RATE as f64 / 1e6).abs() <= RATE as f64 / 1e6 * 0.05
}

/// A daemon that ends and comes back.
pub(super) fn restarted(world: &World) -> Result<Outcome> {
    let Some(terminal) = Terminal::start(world, (80, 24))? else { return Ok(no_tmux()) };
    let root = Root::new(world)?;
    let daemon = root.start()?;
    terminal.run("top", &root.path(""))?;
    terminal.shows("live")?;
    daemon.stop()?;
    let picture = terminal.shows("looked for every second")?;
    ensure!(picture.contains("no daemon"), "{picture}");
    let daemon = root.start()?;
    let picture = terminal.shows("the daemon is back")?;
    ensure!(picture.contains("live"), "{picture}");
    // What moves is shown again.
    let mark = world.mark("again");
    terminal.text("/")?;
    terminal.text(&mark)?;
    terminal.key("Enter")?;
    world.traffic("tcp4", &mark)?;
    terminal.shows("testkit")?;
    for (width, height) in [(300, 100), (40, 10), (20, 5), (80, 24)] {
        terminal.resize(width, height)?;
        let shown = if width == 20 { "too small" } else { "testkit" };
        terminal.shows(shown)?;
    }
    terminal.key("q")?;
    terminal.shows("ended 0")?;
    daemon.stop()?;
    Ok(Outcome::Passed)
}

/// Whatever ends it, the terminal is as before.
pub(super) fn given_back(world: &World) -> Result<Outcome> {
    let Some(terminal) = Terminal::start(world, (80, 24))? else { return Ok(no_tmux()) };
    let root = Root::new(world)?;
    let daemon = root.start()?;
    let settings = |when: &str| -> Result<String> {
        terminal.line(&format!("clear; stty -a; echo {when}"))?;
        let picture = terminal.until(when, |picture| picture.contains(&format!("\n{when}")))?;
        Ok(picture.split(when).next().unwrap_or_default().trim().to_owned())
    };
    let before = settings("before")?;
    let title = terminal.flag("pane_title")?;
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        terminal.run("top", &root.path(""))?;
        terminal.shows("live")?;
        ensure!(terminal.flag("alternate_on")? == "1", "not on the other screen");
        kill(Pid::from_raw(terminal.program()?), signal)?;
        let picture = terminal.shows("ended 0")?;
        ensure!(!picture.contains("femtosnitch top"), "{signal}: {picture}");
        for (flag, wanted) in [("alternate_on", "0"), ("mouse_any_flag", "0"), ("cursor_flag", "1")]
        {
            ensure!(terminal.flag(flag)? == wanted, "{signal}: {flag}");
        }
        let after = settings("after")?;
        ensure!(after == before, "{signal}: before {before}, after {after}");
    }
    // To the shell and back.
    terminal.line("set -m")?;
    terminal.run("top", &root.path(""))?;
    terminal.shows("live")?;
    terminal.key("C-z")?;
    terminal.until("the shell", |picture| !picture.contains("live"))?;
    ensure!(terminal.flag("alternate_on")? == "0", "stopped, and still on the other screen");
    terminal.line("fg")?;
    terminal.shows("live")?;
    terminal.key("C-c")?;
    terminal.until("the shell", |picture| !picture.contains("live"))?;
    ensure!(terminal.flag("pane_title")? == title, "the title was set");
    daemon.stop()?;
    Ok(Outcome::Passed)
}
