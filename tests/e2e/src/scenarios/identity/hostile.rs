//! Names and arguments made to deceive whoever reads them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::digest;
use femtosnitch_testkit::tiny::Before;
use serde_json::Value;

use crate::expect::Row;
use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::programs::Programs;
use crate::scenarios::programs::Sending;
use crate::world::World;

/// Names, and what is kept of them: everything, in valid text.
const NAMES: [(&[u8], &str); 7] = [
    (b"hostile\nline", "hostile\nline"),
    (b"hostile\x1b[31m\x1b]0;t\x07", "hostile\u{1b}[31m\u{1b}]0;t\u{7}"),
    (b"hostile\xc2\x9b31m", "hostile\u{9b}31m"),
    (b"hostile\xff\xfe", "hostile\\xff\\xfe"),
    (b"hostile\xe2\x80\xaegpj", "hostile\u{202e}gpj"),
    (b"hostile\\xff", "hostile\\\\xff"),
    (b"hostile\",\"b\":\r\t", "hostile\",\"b\":\r\t"),
];
/// The kernel's limit of a name, and of a process' name.
const LONGEST: usize = 255;
const COMM: usize = 15;

/// Every name is kept, as path, as argument and as name of the process, with its digest and its
/// bytes; and nothing that is printed holds a control character.
pub(in crate::scenarios) fn names(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let mut daemon = root.start()?;
    let mut programs = Programs::new()?;
    let cmdlines = run_all(&root, &mut programs, dir.path())?;
    let long = dir.path().join("n".repeat(LONGEST));
    programs.write_and_run(&long, Before::Nothing)?;
    programs.wait(&root, &long)?;
    printed(&root, "table", harmless)?;
    printed(&root, "json", parses)?;
    shown_live(&root, &dir.path().join(OsStr::from_bytes(NAMES[1].0)), &mut programs)?;
    ensure!(daemon.runs()?, "the daemon has ended: {}", daemon.log());
    harmless("the log", &daemon.stop()?)?;
    programs.compare(&root)?;
    let rows = root.query("exe,name,cmdline")?;
    for (path, cmdline) in &cmdlines {
        let those: Vec<_> = rows.iter().map(Row).filter(|row| row.text("exe") == path).collect();
        let there = those.iter().any(|row| row.text("cmdline") == cmdline);
        ensure!(
            there,
            "not once {cmdline:?}: {:#?}",
            those.iter().map(|r| r.0).collect::<Vec<_>>()
        );
    }
    for (name, kept) in NAMES.iter().filter(|(name, _)| name.len() <= COMM) {
        let there = rows.iter().any(|row| Row(row).text("name") == *kept);
        ensure!(there, "no process is called {:?}: {rows:#?}", String::from_utf8_lossy(name));
    }
    Ok(Outcome::Passed)
}

/// The same names in comma-separated values.
pub(in crate::scenarios) fn csv(world: &World) -> Result<Outcome> {
    printed_for_programs(world, "csv")
}

/// The same names in JSON, which has a way to write every character that a terminal obeys.
pub(in crate::scenarios) fn json(world: &World) -> Result<Outcome> {
    printed_for_programs(world, "json")
}

fn printed_for_programs(world: &World, format: &str) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    run_all(&root, &mut Programs::new()?, dir.path())?;
    daemon.stop()?;
    printed(&root, format, harmless)?;
    Ok(Outcome::Passed)
}

/// Runs a program of each name with its name as its argument, until history has it; the command
/// lines that are to be kept, by path.
fn run_all(
    root: &Root<'_>,
    programs: &mut Programs,
    dir: &Path,
) -> Result<BTreeMap<String, String>> {
    let mut cmdlines = BTreeMap::new();
    for (name, kept) in NAMES {
        let path = dir.join(OsStr::from_bytes(name));
        programs.make(&path, Before::Nothing)?;
        let mut command = Command::new(&path);
        command.arg(OsStr::from_bytes(name));
        programs.run_by(command)?;
        let kept_path = format!("{}/{kept}", dir.display());
        programs.expect_as(&kept_path, &digest::of_file(&path)?, 1);
        programs.wait_for(root, &kept_path)?;
        cmdlines.insert(kept_path.clone(), format!("{kept_path} {kept}"));
    }
    Ok(cmdlines)
}

/// What history holds can be printed in this format, as `right` says.
fn printed(root: &Root<'_>, format: &str, right: fn(&str, &str) -> Result<()>) -> Result<()> {
    for by in ["exe,name,cmdline", "cmdline", "name,pexe,pname,pcmdline"] {
        let query = ["query", "--since", "all", "--limit", "100000", "--by", by];
        let text = said(asking(root, &[&query[..], &["--format", format]].concat()))?;
        let what = format!("query --by {by} --format {format}");
        ensure!(text.contains("hostile"), "{what}: {text}");
        right(&what, &text)?;
    }
    Ok(())
}

/// `top` and `status` while a program of such a name sends.
fn shown_live(root: &Root<'_>, path: &Path, programs: &mut Programs) -> Result<()> {
    let mut running = Sending::start(Command::new(path))?;
    for args in [&["top", "--once"][..], &["top", "--once", "--json"], &["status"]] {
        let text = std::thread::scope(|scope| -> Result<String> {
            let command = asking(root, args);
            let asked = scope.spawn(|| said(command));
            while !asked.is_finished() {
                running.poke()?;
                std::thread::sleep(Duration::from_millis(50));
            }
            asked.join().ok().context("a thread panicked")?
        })?;
        ensure!(args == ["status"] || text.contains("hostile"), "{args:?}: {text}");
        let right = if args.contains(&"--json") { parses } else { harmless };
        right(&args.join(" "), &text)?;
    }
    let kept = format!("{}/{}", path.parent().unwrap_or(path).display(), NAMES[1].1);
    programs.expect_as(&kept, &digest::of_file(path)?, running.finish(root)?);
    Ok(())
}

fn asking(root: &Root<'_>, args: &[&str]) -> Command {
    let mut command = Command::new(&root.world.femtosnitch);
    command.args(args).arg("--root").arg(root.path(""));
    command
}

/// What it prints, exactly.
fn said(mut command: Command) -> Result<String> {
    let done = command.output().with_context(|| format!("running {command:?}"))?;
    let complaint = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{command:?}: {complaint}");
    String::from_utf8(done.stdout).with_context(|| format!("{command:?} does not print text"))
}

/// No character that a terminal obeys, but the ends of lines.
fn harmless(what: &str, text: &str) -> Result<()> {
    let harmful =
        |ch: &char| ch.is_control() && *ch != '\n' || matches!(ch, '\u{202a}'..='\u{202e}');
    let found = text.chars().position(|ch| harmful(&ch));
    let around: Option<String> =
        found.map(|at| text.chars().skip(at.saturating_sub(30)).take(60).collect());
    ensure!(around.is_none(), "{what} holds a control character: {around:?}");
    Ok(())
}

/// Valid JSON, and no byte that a terminal obeys.
fn parses(what: &str, text: &str) -> Result<()> {
    let found = text.bytes().find(|byte| byte.is_ascii_control() && *byte != b'\n');
    ensure!(found.is_none(), "{what} holds the byte {found:?}: {text}");
    serde_json::from_str::<Value>(text).with_context(|| format!("{what}: {text}"))?;
    Ok(())
}

/// Paths as long, and as deep, as the kernel lets them be: the end is kept, and the digest is right.
pub(in crate::scenarios) fn long_paths(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let mut digests = Vec::new();
    for (name, length) in [("d", 200), ("e", 1)] {
        let path = deep(dir.path(), name, length)?;
        programs.make(&path, Before::Nothing)?;
        digests.push((digest::of_file(&path)?, path.display().to_string()));
        programs.run(&path)?;
        // What is in the way of a name that is longer than any.
        let gone = path.with_file_name("g");
        programs.make(&gone, Before::Unlink)?;
        digests.push((digest::of_file(&gone)?, gone.display().to_string()));
        programs.run(&gone)?;
    }
    daemon.stop()?;
    let rows = root.query("exe,sha256")?;
    for (sha256, path) in digests {
        let row = rows.iter().map(Row).find(|row| row.text("sha256") == sha256);
        let row = row.with_context(|| format!("nothing has {sha256}: {rows:#?}"))?;
        let end = row.text("exe").strip_prefix('…').context("the path is not cut")?;
        ensure!(path.ends_with(end) && end.starts_with('/'), "not the end: {end}");
        // As many names, or bytes, as the kernel side walks up.
        ensure!(end.len() > 1_700 || end.matches('/').count() > 80, "too little is kept: {end}");
    }
    Ok(Outcome::Passed)
}

/// A path of almost 4,096 bytes below `dir`, each of whose directories has a name of this length.
fn deep(dir: &Path, name: &str, length: usize) -> Result<PathBuf> {
    let mut path = dir.to_owned();
    while path.as_os_str().len() + length + 4 < 4090 {
        path.push(name.repeat(length));
    }
    std::fs::create_dir_all(&path).with_context(|| format!("making a deep directory {name}"))?;
    Ok(path.join("f"))
}
