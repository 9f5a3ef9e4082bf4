//! A browser that is logged in.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use femtosnitch_sys::signal;
use nix::unistd::Uid;

/// How long a browser may take to start.
const LIFE: Duration = Duration::from_secs(120);
/// The file that leads there. Command lines can be read by everybody, files of ours cannot.
const FILE: &str = "open.html";

/// Opens a browser with a key that logs it in once.
///
/// # Errors
/// If there is no token to make a key with. A browser that does not start is only told of.
pub(super) fn open(url: &str, state_dir: &Path) -> anyhow::Result<()> {
    let key = femtosnitch_web::open_key(state_dir, LIFE)
        .with_context(|| format!("cannot log a browser in by {}", state_dir.display()))?;
    let address = format!("{url}/open?key={key}");
    if Uid::effective().is_root() {
        // A browser should not run as root.
        let life = LIFE.as_secs();
        writeln!(io::stdout(), "Open this within {life} seconds, once: {address}")?;
        return Ok(());
    }
    let file = state_dir.join(FILE);
    write(&file, &address).with_context(|| format!("cannot write {}", file.display()))?;
    let mut command = Command::new("xdg-open");
    command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = signal::as_usual(|| command.spawn()).and_then(|started| started);
    if let Err(error) = started {
        let life = LIFE.as_secs();
        writeln!(io::stdout(), "No browser could be started (xdg-open: {error}).")?;
        writeln!(io::stdout(), "Open this within {life} seconds, once: {address}")?;
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
