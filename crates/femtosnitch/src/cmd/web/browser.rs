//! A browser that is logged in.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use femtosnitch_sys::signal;
use nix::unistd::Uid;

/// How long a browser may take to start.
const LIFE: Duration = Duration::from_secs(120);
/// The file that leads there. Command lines can be read by everybody, files of ours cannot.
const FILE: &str = "open.html";
/// Waits for the name of that file, or for the end of whoever knows it.
const WAITS: &str = "IFS= read -r file && exec xdg-open \"$file\" </dev/null";
/// What ends so soon, and not well, has opened nothing.
const FAILS: Duration = Duration::from_secs(1);

/// Who opens the browser. It is started before this process gives up new privileges, since what it
/// starts would do without them, too: sandboxes of browsers begin with some.
pub(super) struct Opener(Option<io::Result<Child>>);

impl Opener {
    /// None for root: a browser should not run as root.
    pub(super) fn prepare() -> Self {
        if Uid::effective().is_root() {
            return Self(None);
        }
        let mut command = Command::new("sh");
        command.args(["-c", WAITS]).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(Some(signal::as_usual(|| command.spawn()).and_then(|started| started)))
    }

    /// Opens a browser with a key that logs it in once, and tells where it leads: some browsers may
    /// not read such a file.
    ///
    /// # Errors
    /// If there is no token to make a key with. A browser that does not start is only told of.
    pub(super) fn open(self, url: &str, state_dir: &Path) -> anyhow::Result<()> {
        let key = femtosnitch_web::open_key(state_dir, LIFE)
            .with_context(|| format!("cannot log a browser in by {}", state_dir.display()))?;
        let address = format!("{url}/open?key={key}");
        let first = match self.0 {
            Some(started) => {
                let file = state_dir.join(FILE);
                write(&file, &address)
                    .with_context(|| format!("cannot write {}", file.display()))?;
                if let Err(error) = started.and_then(|shell| lead(shell, &file)) {
                    writeln!(io::stdout(), "No browser could be started (xdg-open: {error}).")?;
                }
                "If no browser shows the dashboard, open"
            }
            None => "Open",
        };
        let life = LIFE.as_secs();
        writeln!(io::stdout(), "{first} this within {life} seconds, once: {address}")?;
        Ok(())
    }
}

/// Tells the shell which file, and waits a moment for bad news.
fn lead(mut shell: Child, file: &Path) -> io::Result<()> {
    if let Some(mut to) = shell.stdin.take() {
        to.write_all(file.as_os_str().as_bytes())?;
        to.write_all(b"\n")?;
    }
    let since = Instant::now();
    while since.elapsed() < FAILS {
        match shell.try_wait()? {
            Some(status) if status.success() => break,
            Some(status) if status.code() == Some(127) => {
                return Err(io::Error::other("it is not installed"));
            }
            Some(status) => return Err(io::Error::other(format!("it ended with {status}"))),
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
    Ok(())
}

fn write(file: &Path, address: &str) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    // Nothing in the address needs escaping.
    writeln!(
        out,
        "<!doctype html><meta charset=\"utf-8\"><title>femtosnitch</title>\
         <meta http-equiv=\"refresh\" content=\"0;url={address}\">\
         <a href=\"{address}\">femtosnitch</a>"
    )
}
