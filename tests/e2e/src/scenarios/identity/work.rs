//! How much the daemon hashes, told by the bytes: other programs of the machine are hashed as well.

use std::fs::File;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use femtosnitch_harness::command;

use crate::root::Root;

/// Length of a program that stands out: all others together are seldom hashed meanwhile. The
/// largest that waits with the small ones.
const LENGTH: u64 = 60 << 20;
/// How often something is tried before what others do cannot be the reason any more.
const TRIES: usize = 3;

/// Makes a program so long that hashing it shows. What is added is a hole.
pub(in crate::scenarios) fn lengthen(path: &Path) -> Result<()> {
    let file = File::options().write(true).open(path)?;
    file.set_len(LENGTH).with_context(|| format!("lengthening {}", path.display()))
}

/// The files hashed so far, and their bytes.
fn hashed(root: &Root<'_>) -> Result<[u64; 2]> {
    let status = root.status()?;
    let counter = |name: &str| {
        let value = status.pointer(&format!("/counters/{name}")).and_then(|value| value.as_u64());
        value.with_context(|| format!("no counter {name}: {status}"))
    };
    Ok([counter("files_hashed")?, counter("files_hashed_bytes")?])
}

/// What `act` does makes the daemon hash exactly so many programs of such length.
pub(in crate::scenarios) fn exactly(
    root: &Root<'_>,
    programs: u64,
    mut act: impl FnMut() -> Result<()>,
) -> Result<()> {
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let [_, before] = hashed(root)?;
        act()?;
        // The counters of the status are a second old at most; a digest takes its time as well.
        let bytes = || Ok::<u64, anyhow::Error>(hashed(root)?[1] - before);
        command::until("the digests", root.world.patience(15), || {
            Ok(bytes()? >= programs * LENGTH)
        })?;
        std::thread::sleep(std::time::Duration::from_secs(3));
        let bytes = bytes()?;
        ensure!(bytes >= programs * LENGTH, "a counter went back");
        if bytes < (programs + 1) * LENGTH {
            return Ok(());
        }
        seen.push(bytes);
    }
    bail!(
        "{programs} programs of {LENGTH} bytes had to be hashed; bytes hashed, each time: {seen:?}"
    )
}
