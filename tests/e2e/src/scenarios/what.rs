//! What an executable is, besides its digest: on the live feed.

use std::fs::File;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_harness::digest;
use femtosnitch_testkit::tiny::Before;
use serde_json::Value;
use tempfile::TempDir;

use super::download::program;
use super::programs::Programs;
use super::programs::Sending;
use super::programs::script;
use crate::expect::Row;
use crate::helpers::Httpd;
use crate::live::Live;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// Where Debian has it.
const CURL: &str = "/usr/bin/curl";

/// The reason where this machine's curl is not from dpkg.
fn not_from_dpkg(world: &World) -> Option<Outcome> {
    let mut ask = Command::new("dpkg");
    ask.args(["-S", CURL]);
    let owner = command::output(ask, world.patience(10)).unwrap_or_default();
    (!owner.starts_with("curl:"))
        .then(|| Outcome::Skipped(format!("{CURL} is not from dpkg's package curl here")))
}

/// A curl that runs, or runs again and again, until its package was told.
struct Curl<'a> {
    program: &'a Path,
    /// What comes before it on the command line.
    prefix: &'a [&'a str],
}

impl Curl<'_> {
    fn command(&self, url: &str) -> Command {
        let mut shell = script("exec \"$@\"", self.prefix);
        shell.arg(self.program).args(["-s", "--noproxy", "*", "-o", "/dev/null", url]);
        shell
    }

    /// What is told of one that runs, and sends what it is given.
    fn told(&self, root: &Root<'_>, live: &mut Live) -> Result<Value> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let url = format!("telnet://{}", listener.local_addr()?);
        let mut running = Sending::start(self.command(&url))?;
        let pid = running.pid();
        live.flow(
            "curl's package",
            root.world.patience(10),
            || running.poke(),
            |row| row.number("pid") == pid && row.text("name") == "curl",
            |row| row.text("sha256").len() == 64 && !row.text("package_state").is_empty(),
        )
    }

    /// What is told of one that is gone at once, each time.
    fn told_of_short(&self, root: &Root<'_>, live: &mut Live) -> Result<Value> {
        let mark = root.world.mark("curl");
        let mut server = Httpd::on(root.world, "127.0.0.1:0", 1000, &root.world.mark("httpd"))?;
        let url = format!("http://{}/{mark}", server.address);
        let again = || -> Result<()> {
            command::output(self.command(&url), root.world.patience(30))?;
            server.served()?;
            Ok(())
        };
        live.flow(
            "the package of a curl that is gone at once",
            root.world.patience(5),
            again,
            |row| row.text("cmdline").ends_with(&mark) && row.text("name") == "curl",
            |row| row.text("sha256").len() == 64 && !row.text("package_state").is_empty(),
        )
    }
}

/// A copy of curl somewhere else belongs to no package.
pub(super) fn copied(world: &World) -> Result<Outcome> {
    if let Some(skipped) = not_from_dpkg(world) {
        return Ok(skipped);
    }
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut live = Live::connect(&root)?;
    let copy = dir.path().join("curl");
    std::fs::copy(CURL, &copy)?;
    let curl = |program| Curl { program, prefix: &[] };
    let original = curl(Path::new(CURL)).told(&root, &mut live)?;
    let told = curl(&copy).told(&root, &mut live)?;
    daemon.stop()?;
    let (row, first) = (Row(&told), Row(&original));
    ensure!(first.text("package") == "dpkg curl", "the original: {original}");
    ensure!(first.text("package_state") == "intact", "the original: {original}");
    ensure!(row.text("sha256") == first.text("sha256"), "another digest: {told}");
    ensure!(row.text("package").is_empty(), "a package: {told}");
    ensure!(row.text("package_state") == "not packaged", "{told}");
    Ok(Outcome::Passed)
}

/// A copy of curl with another last byte.
struct Modified {
    _dir: TempDir,
    copy: PathBuf,
}

impl Modified {
    const LINE: &str = "mount --make-rprivate /
mount --bind \"$1\" /usr/bin/curl; shift
exec \"$@\"";

    fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let copy = dir.path().join("copy");
        std::fs::copy(CURL, &copy)?;
        // The last byte is part of the table of sections, which nobody needs to run it.
        let file = File::options().read(true).write(true).open(&copy)?;
        let (mut byte, last) = ([0], file.metadata()?.len() - 1);
        file.read_exact_at(&mut byte, last)?;
        file.write_all_at(&byte.map(|byte| !byte), last)?;
        Ok(Self { _dir: dir, copy })
    }

    /// What makes the copy at this path curl.
    fn prefix(copy: &str) -> [&str; 7] {
        ["unshare", "-m", "sh", "-ec", Self::LINE, "sh", copy]
    }
}

/// One byte of the packaged file is another, in a mount namespace: it is said to be modified there,
/// and intact outside, before and after.
pub(super) fn modified(world: &World) -> Result<Outcome> {
    if let Some(skipped) = not_from_dpkg(world) {
        return Ok(skipped);
    }
    let (root, other) = (Root::new(world)?, Modified::new()?);
    let daemon = root.start()?;
    let copy = other.copy.display().to_string();
    let mut live = Live::connect(&root)?;
    for (prefix, sha256, state) in [
        (&[][..], digest::of_file(Path::new(CURL))?, "intact"),
        (&Modified::prefix(&copy), digest::of_file(&other.copy)?, "modified"),
        (&[][..], digest::of_file(Path::new(CURL))?, "intact"),
    ] {
        let told = Curl { program: Path::new(CURL), prefix }.told(&root, &mut live)?;
        let row = Row(&told);
        ensure!(row.text("exe") == CURL && row.text("sha256") == sha256, "not {sha256}: {told}");
        ensure!(row.text("package") == "dpkg curl", "another package: {told}");
        ensure!(row.text("package_state") == state, "not {state}: {told}");
    }
    daemon.stop()?;
    Ok(Outcome::Passed)
}

/// The same where each process is gone before anything can be found out: something is told all the
/// same, and nothing that is wrong.
pub(super) fn modified_and_gone(world: &World) -> Result<Outcome> {
    if let Some(skipped) = not_from_dpkg(world) {
        return Ok(skipped);
    }
    let (root, other) = (Root::new(world)?, Modified::new()?);
    let daemon = root.start()?;
    let copy = other.copy.display().to_string();
    let mut live = Live::connect(&root)?;
    let curl = Curl { program: Path::new(CURL), prefix: &Modified::prefix(&copy) };
    let told = curl.told_of_short(&root, &mut live)?;
    daemon.stop()?;
    let state = Row(&told).text("package_state").to_owned();
    ensure!(state == "modified" || state.starts_with("unknown: "), "{state}: {told}");
    Ok(Outcome::Passed)
}

/// What running it grants: a set-uid program.
pub(super) fn set_uid(world: &World) -> Result<Outcome> {
    let (dir, mut programs) = (tempfile::tempdir()?, Programs::new()?);
    let path = dir.path().join("tool");
    programs.make(&path, Before::Nothing)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o6755))?;
    grants(world, dir, "setuid root, setgid root")
}

/// What running it grants: capabilities of the file.
pub(super) fn capabilities(world: &World) -> Result<Outcome> {
    let (dir, mut programs) = (tempfile::tempdir()?, Programs::new()?);
    let path = dir.path().join("tool");
    programs.make(&path, Before::Nothing)?;
    let mut set = Command::new("setcap");
    set.arg("cap_net_raw,cap_net_bind_service=+ep").arg(&path);
    if let Err(error) = command::output(set, world.patience(10)) {
        return Ok(Outcome::Skipped(format!("no setcap here: {error:#}")));
    }
    grants(world, dir, "cap_net_bind_service,cap_net_raw=ep")
}

fn grants(world: &World, dir: TempDir, wanted: &str) -> Result<Outcome> {
    let root = Root::new(world)?;
    let daemon = root.start()?;
    let mut live = Live::connect(&root)?;
    let mut running = Sending::start(Command::new(dir.path().join("tool")))?;
    let pid = running.pid();
    let told = live.flow(
        "what a program grants",
        world.patience(10),
        || running.poke(),
        |row| row.number("pid") == pid,
        |row| !row.text("package_state").is_empty(),
    )?;
    running.finish(&root)?;
    daemon.stop()?;
    ensure!(Row(&told).text("privileges") == wanted, "not {wanted:?}: {told}");
    Ok(Outcome::Passed)
}

/// The build-id of a real program.
pub(super) fn build_id(world: &World) -> Result<Outcome> {
    let curl = program("curl")?;
    let contents = std::fs::read(&curl)?;
    let Some(wanted) = note(&contents) else {
        return Ok(Outcome::Skipped(format!("{} has no build-id", curl.display())));
    };
    let root = Root::new(world)?;
    let daemon = root.start()?;
    let mut live = Live::connect(&root)?;
    let told = Curl { program: &curl, prefix: &[] }.told_of_short(&root, &mut live)?;
    daemon.stop()?;
    ensure!(Row(&told).text("build_id") == wanted, "not {wanted}: {told}");
    Ok(Outcome::Passed)
}

/// The note that linkers write, in hex: its header, `GNU`, then twenty bytes.
fn note(contents: &[u8]) -> Option<String> {
    const HEAD: &[u8] = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";
    let at = contents.windows(HEAD.len()).position(|window| window == HEAD)? + HEAD.len();
    let id = contents.get(at..at + 20)?;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}
