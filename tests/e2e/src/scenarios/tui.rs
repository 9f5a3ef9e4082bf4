//! The history in a terminal, beside a daemon that watches real traffic.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_testkit::tiny::Before;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;

use crate::expect;
use crate::expect::Row;
use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::programs::Programs;
use crate::terminal::Terminal;
use crate::world::World;

/// The smallest screen on which nothing is missing.
const SMALL: (u16, u16) = (80, 24);

fn no_tmux() -> Outcome {
    Outcome::Skipped("tmux is not there: `scripts/setup test` installs it".to_owned())
}

/// It ends well, and the screen that was there before is back.
fn ends(terminal: &Terminal<'_>) -> Result<()> {
    terminal.shows("ended 0")?;
    for (flag, wanted) in [("alternate_on", "0"), ("mouse_any_flag", "0"), ("cursor_flag", "1")] {
        let found = terminal.flag(flag)?;
        ensure!(found == wanted, "{flag} is {found}");
    }
    Ok(())
}

/// From a program to a peer to its history in six keys at most; what is shown is what moved; it is
/// saved, and screens of every size are drawn on.
pub(super) fn from_a_program_to_a_peer(world: &World) -> Result<Outcome> {
    let Some(terminal) = Terminal::start(world, SMALL)? else { return Ok(no_tmux()) };
    let (root, mark) = (Root::new(world)?, world.mark("tui"));
    let daemon = root.start()?;
    let report = world.traffic("tcp4", &mark)?;
    let wanted = (report.sent(), report.recv());
    let exe = world.testkit.to_str().context("a strange path")?;
    let of_mark = |row: &&Value| Row(row).text("cmdline").contains(&mark);
    command::until("all of it in the history", world.patience(15), || {
        let rows = root.query("exe,cmdline")?;
        Ok(expect::total(rows.iter().filter(of_mark)) == wanted)
    })?;
    let filters = format!("tui --where 'cmdline~*{mark}*' --where 'exe={exe}'");
    terminal.run(&filters, &root.path(""))?;
    let name = Path::new(exe).file_name().and_then(|name| name.to_str()).context("no name")?;
    terminal.until("the program", |picture| {
        picture.lines().any(|line| line.contains(name) && line.contains("100 %"))
    })?;
    // Into the program, to its addresses, into the first of them, and to its history by program.
    let keys = ["Enter", "Tab", "Enter", "H"];
    ensure!(keys.len() <= 6, "{} keys", keys.len());
    terminal.key("Enter")?;
    terminal.shows("Remote address")?;
    terminal.key("Tab")?;
    terminal.key("Enter")?;
    terminal.until("the peer, with its history above", |picture| {
        picture.contains("→ 127.0.0.1") && picture.contains("/s ")
    })?;
    terminal.key("H")?;
    terminal.until("the peer's history by program", |picture| {
        let shows = |part: &str| picture.contains(part);
        shows("History by Program") && shows("raddr=127.0.0.1") && shows("All ") && shows(name)
    })?;
    // The exact numbers, in a file that only its owner reads.
    let file = root.path("shown.json");
    terminal.key("s")?;
    terminal.shows("Save what is shown")?;
    terminal.key("C-u")?;
    terminal.text(file.to_str().context("a strange path")?)?;
    terminal.key("Enter")?;
    terminal.shows("saved as")?;
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600, "others may read it");
    let saved: Vec<Value> = serde_json::from_str(&fs::read_to_string(&file)?)?;
    let moved = expect::total(saved.iter());
    ensure!(moved == wanted, "moved {wanted:?}, shown {moved:?}");
    for (columns, rows) in [(300, 100), (40, 10), (20, 4), SMALL] {
        terminal.resize(columns, rows)?;
        let wanted = match columns {
            20 => "too small",
            40 => "1 more: F",
            _ => "raddr=127.0.0.1",
        };
        terminal.shows(wanted)?;
    }
    terminal.key("S")?;
    terminal.shows("The daemon watches")?;
    terminal.key("q")?;
    ends(&terminal)?;
    daemon.stop()?;
    Ok(Outcome::Passed)
}

/// Filters by what is typed ahead, and a history that is not there at first.
pub(super) fn filters_and_an_absent_history(world: &World) -> Result<Outcome> {
    let Some(terminal) = Terminal::start(world, SMALL)? else { return Ok(no_tmux()) };
    let root = Root::new(world)?;
    terminal.run("tui", &root.path(""))?;
    terminal.shows("There is no history to show")?;
    let daemon = root.start()?;
    terminal.until("the history", |picture| {
        picture.contains("History by Program") && !picture.contains("There is no history")
    })?;
    world.traffic("udp4", &world.mark("tui-filter"))?;
    let exe = world.testkit.to_str().context("a strange path")?.to_owned();
    command::until("it in the history", world.patience(15), || {
        Ok(root.query("exe")?.iter().any(|row| Row(row).text("exe") == exe))
    })?;
    terminal.text("R/")?;
    terminal.shows("or type:")?;
    terminal.text(&exe)?;
    terminal.until("the value", |picture| {
        picture.lines().any(|line| line.contains("Program ") && line.contains("B │"))
    })?;
    terminal.key("Enter")?;
    terminal.until("the filter", |picture| picture.contains("exe=") && picture.contains("All "))?;
    terminal.text("b")?;
    terminal.shows("By what")?;
    terminal.text("protocol")?;
    terminal.key("Enter")?;
    terminal.shows("█ UDP")?;
    terminal.text("/")?;
    terminal.text("protocol!=udp")?;
    terminal.key("Enter")?;
    terminal.until("no more of it", |picture| {
        picture.contains("protocol!=17") && !picture.contains("█ UDP")
    })?;
    daemon.stop()?;
    terminal.text("S")?;
    terminal.shows("The daemon does not run")?;
    // Whoever ends it gets the screen back.
    kill(Pid::from_raw(terminal.program()?), Signal::SIGTERM)?;
    ends(&terminal)?;
    Ok(Outcome::Passed)
}

/// A name that would set the title, move the cursor and turn text around does nothing of it.
pub(super) fn hostile_names(world: &World) -> Result<Outcome> {
    let Some(terminal) = Terminal::start(world, SMALL)? else { return Ok(no_tmux()) };
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let name = "hostile\u{1b}]0;pwned\u{7}\u{1b}[2J\u{202e}gpj\n\u{9b}5A";
    let path = dir.path().join(name);
    programs.write_and_run(&path, Before::Nothing)?;
    programs.wait(&root, &path)?;
    terminal.run("tui --where 'exe~*hostile*'", &root.path(""))?;
    let row =
        |picture: &str| picture.lines().any(|it| it.starts_with("█ ") && it.contains("100 %"));
    let sides = |picture: &str| picture.contains("Domain  Remote address");
    let events = |picture: &str| picture.lines().any(|it| it.starts_with("Time "));
    let values = |picture: &str| picture.contains("or type:");
    // Each key waits for what it leads to: right after Esc, another would be taken for Alt with it.
    let mut pictures = Vec::new();
    let mut see = |what: &str, right: &dyn Fn(&str) -> bool| -> Result<String> {
        // Among events there is little room for it.
        let named = |picture: &str| picture.contains("hostile") || events(picture);
        let seen = |picture: &str| named(picture) && right(picture);
        let picture = terminal.until(what, seen)?;
        pictures.push(picture.clone());
        Ok(picture)
    };
    see("the history", &row)?;
    terminal.key("Enter")?;
    let first = see("the program", &|it| sides(it) && row(it))?;
    terminal.key("Tab")?;
    see("another side", &|it| sides(it) && it != first)?;
    terminal.key("y")?;
    see("a word about it", &|it| it.contains("copied"))?;
    terminal.key("E")?;
    see("events", &events)?;
    terminal.key("Escape")?;
    see("the program again", &|it| sides(it) && !events(it))?;
    terminal.key("Escape")?;
    see("the history again", &|it| row(it) && !sides(it))?;
    terminal.key("/")?;
    see("values", &values)?;
    terminal.key("Escape")?;
    see("no values", &|it| row(it) && !values(it))?;
    for picture in &pictures {
        let harm = picture
            .chars()
            .find(|ch| ch.is_control() && *ch != '\n' || matches!(ch, '\u{202a}'..='\u{202e}'));
        ensure!(harm.is_none(), "{harm:?} on\n{picture}");
    }
    let title = terminal.flag("pane_title")?;
    ensure!(!title.contains("pwned"), "the title is {title:?}");
    terminal.key("q")?;
    ends(&terminal)?;
    daemon.stop()?;
    Ok(Outcome::Passed)
}
