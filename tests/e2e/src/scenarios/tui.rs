//! The history in a terminal, beside a daemon that watches real traffic.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_testkit::tiny::Before;

use crate::expect::Row;
use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::programs::Programs;
use crate::tmux;
use crate::tmux::Tmux;
use crate::world::World;

/// The history of `root` in a terminal of 80 by 24.
fn open(root: &Root<'_>, args: &[&str]) -> Result<Tmux> {
    let dir = root.path("");
    let dir = dir.to_str().context("a strange path")?;
    let args = [&["tui", "--root", dir], args].concat();
    Tmux::start(&root.world.femtosnitch, &args, (80, 24), root.world.patience(15))
}

/// Without tmux there is no terminal.
fn skipped() -> Option<Outcome> {
    (!tmux::is_there()).then(|| Outcome::Skipped("no tmux here".to_owned()))
}

/// From a program to a peer to its history in six keys at most; what is shown is what moved; it is
/// saved, and every size of the terminal is drawn on.
pub(super) fn from_a_program_to_a_peer(world: &World) -> Result<Outcome> {
    if let Some(skipped) = skipped() {
        return Ok(skipped);
    }
    let (root, mark) = (Root::new(world)?, world.mark("tui"));
    let daemon = root.start()?;
    let report = world.traffic("tcp4", &mark)?;
    let wanted = (report.sent(), report.recv());
    let exe = world.testkit.to_str().context("a strange path")?;
    command::until("all of it in the history", world.patience(15), || {
        let rows = root.query("exe,cmdline")?;
        let of_mark = |row: &&serde_json::Value| Row(row).text("cmdline").contains(&mark);
        Ok(crate::expect::total(rows.iter().filter(of_mark)) == wanted)
    })?;
    let cmdline = format!("cmdline~*{mark}*");
    let tui = open(&root, &["--where", &cmdline, "--where", &format!("exe={exe}")])?;
    let name = Path::new(exe).file_name().and_then(|name| name.to_str()).context("no name")?;
    tui.until("the program", |screen| {
        screen.lines().any(|line| line.contains(name) && line.contains("100 %"))
    })?;
    // Three keys: into the program, to its addresses, into the first of them.
    let keys = ["Enter", "Tab", "Enter"];
    tui.press(&keys[..1])?;
    tui.shows("Remote address")?;
    tui.press(&keys[1..])?;
    let peer = tui.shows("127.0.0.1")?;
    ensure!(peer.contains("→ 127.0.0.1"), "no way from the program to the peer:\n{peer}");
    tui.until("the peer's history", |screen| {
        screen.contains("Program  ") && screen.contains("/s")
    })?;
    ensure!(keys.len() <= 6, "{} keys", keys.len());
    // The exact numbers, in a file that only its owner reads.
    tui.press(&["H"])?;
    tui.shows("History by")?;
    tui.press(&["P"])?;
    tui.until("the table", |screen| screen.contains("All ") && screen.contains(name))?;
    let file = root.path("shown.json");
    tui.press(&["s", "C-u"])?;
    tui.type_in(file.to_str().context("a strange path")?)?;
    tui.press(&["Enter"])?;
    tui.shows("saved as")?;
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600, "others may read it");
    let saved: Vec<serde_json::Value> = serde_json::from_str(&fs::read_to_string(&file)?)?;
    let moved = crate::expect::total(saved.iter());
    ensure!(moved == wanted, "moved {wanted:?}, shown {moved:?}");
    for (columns, rows) in [(300, 100), (40, 10), (20, 4), (80, 24)] {
        tui.resize(columns, rows)?;
        let wanted = if columns < 40 { "too small" } else { "History by Program" };
        tui.shows(wanted)?;
    }
    tui.press(&["S"])?;
    tui.shows("The daemon watches")?;
    tui.press(&["q"])?;
    ensure!(tui.exit_code()? == 0, "it did not end well");
    daemon.stop()?;
    Ok(Outcome::Passed)
}

/// Filters by what is typed ahead, and a history that comes, goes and comes back.
pub(super) fn filters_and_an_absent_history(world: &World) -> Result<Outcome> {
    if let Some(skipped) = skipped() {
        return Ok(skipped);
    }
    let root = Root::new(world)?;
    let tui = open(&root, &[])?;
    tui.shows("There is no history to show")?;
    let daemon = root.start()?;
    tui.until("the history", |screen| !screen.contains("There is no history"))?;
    let mark = world.mark("tui-filter");
    world.traffic("udp4", &mark)?;
    let exe = world.testkit.to_str().context("a strange path")?.to_owned();
    command::until("it in the history", world.patience(15), || {
        Ok(root.query("exe")?.iter().any(|row| Row(row).text("exe") == exe))
    })?;
    tui.press(&["R", "/"])?;
    tui.shows("or type:")?;
    let name = Path::new(&exe).file_name().and_then(|name| name.to_str()).context("no name")?;
    tui.type_in(name)?;
    tui.until("the value", |screen| screen.lines().any(|line| line.contains("Program ")))?;
    tui.press(&["Enter"])?;
    tui.until("the filter", |screen| screen.contains("exe=") && screen.contains("All "))?;
    tui.press(&["b"])?;
    tui.type_in("protocol")?;
    tui.press(&["Enter"])?;
    tui.shows("UDP")?;
    tui.press(&["x"])?;
    tui.until("nothing else", |screen| {
        screen.contains("protocol!=17") && !screen.contains("█ UDP")
    })?;
    daemon.stop()?;
    tui.press(&["BSpace", "BSpace", "P", "S"])?;
    tui.shows("The daemon does not run")?;
    // Whoever ends it gets the screen back.
    let pid: i32 = tui.told("#{pane_pid}")?.parse()?;
    let child = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let child: i32 = child.trim().parse().with_context(|| format!("children: {child:?}"))?;
    let comm = fs::read_to_string(format!("/proc/{child}/comm"))?;
    ensure!(comm.trim() == "femtosnitch", "that is {comm}");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child),
        nix::sys::signal::Signal::SIGTERM,
    )?;
    ensure!(tui.exit_code()? == 0, "it did not end well");
    Ok(Outcome::Passed)
}

/// A name that would set the title, move the cursor and turn text around does nothing of it.
pub(super) fn hostile_names(world: &World) -> Result<Outcome> {
    if let Some(skipped) = skipped() {
        return Ok(skipped);
    }
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let path = dir.path().join("hostile\x1b]0;pwned\x07\x1b[2J\u{202e}gpj\n\u{9b}5A");
    programs.write_and_run(&path, Before::Nothing)?;
    programs.wait(&root, &path)?;
    let tui = open(&root, &["--where", "exe~*hostile*"])?;
    tui.shows("hostile")?;
    let mut screens = vec![tui.screen()?];
    for keys in [&["Enter"][..], &["Tab"], &["Escape", "y"], &["E"], &["Escape", "/"]] {
        tui.press(keys)?;
        screens.push(tui.shows("hostile")?);
    }
    for screen in &screens {
        let harm = screen.chars().find(|ch| {
            ch.is_control() && *ch != '\n' || matches!(ch, '\u{202a}'..='\u{202e}')
        });
        ensure!(harm.is_none(), "{harm:?} on\n{screen}");
        ensure!(screen.lines().count() <= 24, "the screen moved:\n{screen}");
    }
    let title = tui.told("#{pane_title}")?;
    ensure!(!title.contains("pwned"), "the title is {title:?}");
    tui.press(&["Escape", "q"])?;
    ensure!(tui.exit_code()? == 0, "it did not end well");
    daemon.stop()?;
    Ok(Outcome::Passed)
}
