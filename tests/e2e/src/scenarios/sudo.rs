//! `femtosnitch run` as somebody starts it who is not root: the dashboard is theirs.

use std::fs;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_harness::command::Done;
use femtosnitch_harness::command::Running;

use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// Who runs sudo, the group that may read the history, and somebody else.
const ADA: u32 = 47_110;
const READERS: u32 = 47_111;
const EVE: u32 = 47_112;

/// A mount namespace in which users are ours, and nothing of the machine's own history is there.
const PRIVATE: &str = "mount --bind \"$1/etc\" /etc
    for dir in /var/lib /var/log /var/cache /run; do mount -t tmpfs none $dir || exit 1; done
    shift; exec \"$@\"";

/// Keeps the file that it is to open, and whether it could gain privileges.
const XDG_OPEN: &str = "#!/bin/sh
cp \"$1\" \"$HOME/opened.part\" && grep NoNewPrivs /proc/self/status >>\"$HOME/opened.part\"
mv \"$HOME/opened.part\" \"$HOME/opened\"
";

/// The machine as Ada has it.
struct Machine<'a> {
    root: Root<'a>,
    run: Running,
    url: String,
}

impl<'a> Machine<'a> {
    fn start(world: &'a World) -> Result<Self> {
        // Nobody else listens there for as long as this takes.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let root = Root::quick_and(world, &format!("[web]\nlisten = \"127.0.0.1:{port}\"\n"))?;
        let config = fs::read(root.path("etc/femtosnitch/config.toml"))?;
        let mut copy = Command::new("cp");
        copy.args(["-a", "/etc/."]).arg(root.path("etc"));
        command::output(copy, world.patience(10))?;
        fs::create_dir_all(root.path("etc/femtosnitch"))?;
        fs::write(root.path("etc/femtosnitch/config.toml"), config)?;
        let home = |name: &str| root.path(name).display().to_string();
        let users = format!(
            "ada:x:{ADA}:{ADA}::{}:/bin/sh\neve:x:{EVE}:{EVE}::{}:/bin/sh\n",
            home("ada"),
            home("eve")
        );
        let groups = format!("ada:x:{ADA}:\nfemtosnitch:x:{READERS}:\neve:x:{EVE}:\n");
        for (file, more) in [("etc/passwd", users), ("etc/group", groups)] {
            let kept = fs::read_to_string(root.path(file)).unwrap_or_default();
            let kept = kept.lines().filter(|line| !line.starts_with("femtosnitch:"));
            let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
            fs::write(root.path(file), kept + &more)?;
        }
        // Others have to get to their homes.
        fs::set_permissions(root.path(""), fs::Permissions::from_mode(0o711))?;
        for (name, uid) in [("ada", ADA), ("eve", EVE)] {
            fs::create_dir(root.path(name))?;
            chown(root.path(name), Some(uid), Some(uid))?;
        }
        fs::create_dir(root.path("bin"))?;
        for (name, made) in
            [("femtosnitch", fs::read(&world.femtosnitch)?), ("xdg-open", XDG_OPEN.into())]
        {
            fs::write(root.path("bin").join(name), made)?;
            fs::set_permissions(root.path("bin").join(name), fs::Permissions::from_mode(0o755))?;
        }
        let mut run = Command::new("unshare");
        run.args(["--mount", "sh", "-c", PRIVATE, "sh"]).arg(root.path(""));
        run.arg(root.path("bin/femtosnitch")).arg("run");
        run.env("SUDO_UID", ADA.to_string()).env("SUDO_USER", "ada").env("HOME", "/root");
        let url = format!("http://127.0.0.1:{port}");
        let run = Running::start(run)?;
        Ok(Self { root, run, url })
    }

    /// A program that somebody runs there, with nothing but a home.
    fn as_somebody(&self, uid: u32, name: &str, program: &[&str]) -> Result<Done> {
        let mut enter = Command::new("nsenter");
        enter.arg(format!("--mount=/proc/{}/ns/mnt", self.run.pid()));
        let uid = uid.to_string();
        enter.args(["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups", "env", "-i"]);
        enter.arg(format!("HOME={}", self.root.path(name).display()));
        enter.arg(format!("PATH={}:/usr/bin:/bin", self.root.path("bin").display()));
        enter.args(program);
        command::run(enter, self.root.world.patience(15))
    }

    fn curl(&self, args: &[&str]) -> Result<String> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--output", "/dev/null"]);
        curl.args(["--write-out", "%{http_code}"]).args(args);
        command::output(curl, self.root.world.patience(15))
    }

    /// The status of an answer to whoever sends this.
    fn status(&self, header: &str) -> Result<String> {
        self.curl(&["--header", header, &format!("{}/api/v1/status", self.url)])
    }
}

/// What a process says of itself.
fn of_process(pid: u32, wanted: &str) -> Result<Vec<String>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(wanted)).context("no such line")?;
    Ok(line.split_whitespace().map(str::to_owned).collect())
}

/// The dashboard's server that another process started.
fn server_of(pid: u32) -> Result<u32> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let told = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        for child in told.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            // The daemon has others, which read files as their users.
            let cmdline = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            if cmdline.split(|byte| *byte == 0).any(|arg| arg == b"web") {
                return Ok(child);
            }
        }
    }
    anyhow::bail!("no server beside the daemon")
}

/// Everything below a directory.
fn below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(below(&path)?);
        }
        found.push(path);
    }
    Ok(found)
}

/// The server runs as whoever ran sudo, who alone has the token; their browser opens logged in,
/// nobody else's does.
pub(super) fn dashboard(world: &World) -> Result<Outcome> {
    for tool in ["curl", "setpriv", "nsenter", "unshare"] {
        if Command::new(tool).arg("--version").output().is_err() {
            return Ok(Outcome::Skipped(format!("no {tool} here")));
        }
    }
    let machine = Machine::start(world)?;
    let token = machine.root.path("ada/.local/state/femtosnitch/token");
    command::until("a token of Ada's", world.patience(20), || Ok(token.exists()))?;
    let bearer = format!("Authorization: Bearer {}", fs::read_to_string(&token)?.trim());
    command::until("an answer", world.patience(10), || Ok(machine.status(&bearer)? == "200"))?;
    ensure!(machine.status("Accept: */*")? == "401", "whoever has no token gets something");

    let server = server_of(machine.run.pid())?;
    let ids = |id: u32| vec![id.to_string(); 4];
    ensure!(of_process(server, "Uid:")? == ids(ADA), "{:?}", of_process(server, "Uid:")?);
    ensure!(of_process(server, "Gid:")? == ids(READERS), "{:?}", of_process(server, "Gid:")?);
    ensure!(of_process(server, "Groups:")?.is_empty(), "root's groups are left");
    ensure!(of_process(server, "CapEff:")? == ["0000000000000000"], "it has capabilities");
    ensure!(of_process(server, "NoNewPrivs:")? == ["1"], "it could gain some");
    for path in below(&machine.root.path("ada"))? {
        let (about, shown) = (fs::symlink_metadata(&path)?, path.display());
        ensure!(about.uid() == ADA, "{shown} is of user {}", about.uid());
        ensure!(about.mode() & 0o077 == 0, "{shown} has mode {:o}", about.mode());
    }
    // It reads the history.
    let report = format!("{}/api/v1/report?since=1h&by=exe", machine.url);
    ensure!(machine.curl(&["--header", &bearer, &report])? == "200", "no report");

    let opens = ["femtosnitch", "web", "--open"];
    let done = machine.as_somebody(ADA, "ada", &opens)?;
    ensure!(done.status.success(), "Ada's --open: {}", done.stderr);
    let opened = machine.root.path("ada/opened");
    command::until("a browser", world.patience(10), || Ok(opened.exists()))?;
    let opened = fs::read_to_string(&opened)?;
    let (_, address) = opened.split_once("0;url=").context("it leads nowhere")?;
    let (address, after) = address.split_once('"').context("no end")?;
    ensure!(address.starts_with(&machine.url), "it leads to {address}");
    ensure!(after.contains("NoNewPrivs:\t0"), "a browser's sandbox has no privileges: {after}");
    let jar = machine.root.path("jar").display().to_string();
    let follow = ["--location", "--cookie-jar", &jar, "--cookie", &jar];
    ensure!(machine.curl(&[&follow[..], &[address]].concat())? == "200", "no page");
    let ask = format!("{}/api/v1/status", machine.url);
    ensure!(machine.curl(&["--cookie", &jar, &ask])? == "200", "the browser is not logged in");
    ensure!(machine.curl(&[address])? != "200", "the key fits twice");

    let shown = token.display().to_string();
    let read = machine.as_somebody(EVE, "eve", &["cat", &shown])?;
    ensure!(!read.status.success() && read.stdout.is_empty(), "Eve reads the token");
    let read = machine.as_somebody(EVE, "eve", &opens)?;
    ensure!(read.status.code() == Some(1), "Eve's --open: {:?}", read.status);
    ensure!(read.stderr.contains("as whoever started it"), "it should say more: {}", read.stderr);
    ensure!(below(&machine.root.path("eve"))?.is_empty(), "a key that fits nothing is left");

    let Machine { run, .. } = machine;
    let done = run.stop(world.patience(15))?;
    ensure!(done.status.success(), "run ended with {}: {}", done.status, done.stderr);
    ensure!(!Path::new(&format!("/proc/{server}")).exists(), "the server is left");
    Ok(Outcome::Passed)
}
