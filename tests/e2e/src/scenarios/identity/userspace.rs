//! Programs on file systems that a user's program serves, as those of an AppImage are.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_harness::digest;
use femtosnitch_testkit::tiny::Before;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::expect::Row;
use crate::helpers::Talker;
use crate::live::Live;
use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::mounted::Unmount;
use crate::scenarios::programs::Programs;
use crate::scenarios::programs::Sending;
use crate::world::World;

/// Whose file systems they are: nobody's on this machine.
const USER: u32 = 54_321;

/// A mount of [`USER`]'s, where an AppImage's would be.
struct Mount {
    /// The program in it.
    program: PathBuf,
    /// Ended after the mount is gone: only then all that waits for it can go on.
    _server: Talker,
    _unmount: Unmount,
    _dir: TempDir,
}

impl Mount {
    /// `None` where there is no FUSE.
    fn new(world: &World, file: &Path, how: &[&str]) -> Result<Option<Self>> {
        if !Path::new("/dev/fuse").exists() {
            return Ok(None);
        }
        let dir =
            tempfile::Builder::new().prefix(".mount_Tool").rand_bytes(6).tempdir_in("/tmp")?;
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755))?;
        let (at, user) = (dir.path(), USER.to_string());
        let mut serve = world.testkit(&["fuse", "--name", "tool", "--user", &user]);
        serve.arg("--at").arg(at).arg("--file").arg(file).args(how);
        let unmount = Unmount::later(at);
        let mut server = Talker::start(serve)?;
        server.read::<String>().context("the file system's server")?;
        let program = at.join("tool");
        Ok(Some(Self { program, _server: server, _unmount: unmount, _dir: dir }))
    }

    /// Its program, run by its user.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.uid(USER).gid(USER).current_dir("/");
        command
    }
}

fn skipped() -> Outcome {
    Outcome::Skipped("no /dev/fuse here".to_owned())
}

/// Root may not look into it, and yet the digest is right, while the program runs and for one that
/// is gone at once; and the live feed names the AppImage.
pub(in crate::scenarios) fn of_a_user(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let mut programs = Programs::new()?;
    let file = dir.path().join("tool");
    programs.make(&file, Before::Nothing)?;
    let daemon = root.start()?;
    let Some(mount) = Mount::new(world, &file, &[])? else { return Ok(skipped()) };
    let closed = std::fs::File::open(&mount.program).is_err();
    ensure!(closed, "root can read what is another user's: nothing is tested");
    let mut live = Live::connect(&root)?;
    let sha256 = digest::of_file(&file)?;
    let path = mount.program.display().to_string();
    let mut running = Sending::start(mount.command())?;
    let pid = running.pid();
    let told = live.flow(
        "the digest of a program on a user's file system",
        world.patience(10),
        || running.poke(),
        |row| row.number("pid") == pid,
        |row| row.text("sha256") != "(pending)",
    )?;
    let row = Row(&told);
    ensure!(row.text("sha256") == sha256, "not {sha256}: {told}");
    ensure!(row.text("exe") == path && row.text("app") == "appimage Tool", "{told}");
    let times = running.finish(&root)?;
    programs.expect_as(&path, &sha256, times + 1);
    programs.run_by(mount.command())?;
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}

/// Its server never answers whoever reads the program after it was executed: the digest is a reason
/// in brackets, and all others are hashed and recorded meanwhile.
pub(in crate::scenarios) fn silent(world: &World) -> Result<Outcome> {
    never_answered(world, &[])
}

/// The same where root may look at it.
pub(in crate::scenarios) fn silent_shared(world: &World) -> Result<Outcome> {
    never_answered(world, &["--shared"])
}

fn never_answered(world: &World, how: &[&str]) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let (mut silent, mut programs) = (Programs::new()?, Programs::new()?);
    let file = dir.path().join("tool");
    silent.make(&file, Before::Nothing)?;
    let how = [&["--answers", "1"], how].concat();
    let mut daemon = root.start()?;
    // After the daemon, so that it is gone before: whoever waits for its server cannot be killed.
    let Some(mount) = Mount::new(world, &file, &how)? else { return Ok(skipped()) };
    let mut running = Sending::start(mount.command())?;
    let path = mount.program.display().to_string();
    let text = |key| -> Result<Option<String>> {
        let rows = root.query("exe,sha256")?;
        let row = rows.iter().map(Row).find(|row| row.text("exe") == path);
        Ok(row.map(|row| row.text(key).to_owned()))
    };
    // As many as there may be threads that hash.
    for n in 0..8 {
        let path = dir.path().join(format!("other{n}"));
        let before = if n % 2 == 0 { Before::Nothing } else { Before::Unlink };
        programs.write_and_run(&path, before)?;
        programs.wait(&root, &path).context("while a file system is silent")?;
    }
    running.poke()?;
    // Without the server's help.
    command::until("a reason in history", world.patience(60), || {
        Ok(text("sha256")?.is_some_and(|sha256| sha256 != "(pending)"))
    })?;
    running.finish(&root)?;
    daemon.signal(Signal::SIGTERM)?;
    let ended = command::until("the daemon's end", world.patience(15), || Ok(!daemon.runs()?));
    drop(mount);
    ended?;
    let reason = text("sha256")?.unwrap_or_default();
    ensure!(reason == "(no answer)", "another reason: {reason:?}");
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}
