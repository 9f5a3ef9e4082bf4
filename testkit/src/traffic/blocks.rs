//! Traffic of the kernel itself: a block device whose blocks are on a server (nbd).

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::Doing;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::emit;
use crate::peer::Peer;
use crate::peer::stream;
use crate::sys::block;

const BLOCK: u32 = 4096;
/// What is written.
const MARK: u8 = 0xa7;
/// How long the kernel may take to write by itself.
const SOON: Duration = Duration::from_secs(120);

/// `nbd`: gives a connection to a server of blocks to the kernel, writes so many bytes to the
/// device and waits until the kernel has sent them by itself, reads them back, and prints the
/// server's [`Report`]. The device is left as it was found.
///
/// # Errors
/// [`Error::Unsupported`] where there is no such device; if it is in use, or blocks are lost.
pub fn blocks(tag: &str, device: &Path, bytes: u32) -> Result<()> {
    let blocks = bytes.div_ceil(BLOCK);
    let size = u64::from(blocks) * u64::from(BLOCK);
    let shown = device.display().to_string();
    let file = match File::options().read(true).write(true).open(device) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound) => {
            return Err(Error::Unsupported(format!("{shown}: no network block devices (nbd)")));
        }
        other => other.doing(&shown)?,
    };
    let room = size.to_string();
    let args = ["--bind", "127.0.0.1:0", "--bytes", &room, "--tag", tag];
    let server = Peer::start("blocks", &args)?;
    let socket = stream::connected(server.address)?;
    block::attach(&file, &socket, BLOCK, blocks).doing("giving the device a socket")?;
    // The kernel has it now; nothing here uses it any more.
    drop(socket);
    let driver = {
        let file = file.try_clone().doing("copying a descriptor")?;
        thread::spawn(move || block::drive(&file))
    };
    let moved = there_and_back(&file, device, size);
    block::disconnect(&file).doing("disconnecting the device")?;
    let driven = driver.join().map_err(|_panic| Error::Unexpected("a thread ended".to_owned()))?;
    driven.doing("driving the device")?;
    block::detach(&file).doing("taking the socket back")?;
    moved?;
    emit(&Report::new("nbd", server.finish()?))
}

fn there_and_back(file: &File, device: &Path, size: u64) -> Result<()> {
    let name = device.file_name().unwrap_or_default().to_string_lossy();
    let statistics = format!("/sys/block/{name}/stat");
    until("the device has its size", || match file.read_at(&mut [0; 1], 0) {
        Ok(got) => Ok(got == 1),
        Err(error) => Err(error).doing("reading from the device"),
    })?;
    let before = written(&statistics)?;
    let data = vec![MARK; usize::try_from(size).unwrap_or(usize::MAX)];
    file.write_all_at(&data, 0).doing("writing to the device")?;
    until("the kernel has written", || Ok(written(&statistics)? - before >= size))?;
    block::forget(file).doing("forgetting what was read")?;
    let mut back = vec![0; data.len()];
    file.read_exact_at(&mut back, 0).doing("reading from the device")?;
    if back == data { Ok(()) } else { Err(Error::Unexpected("blocks came back wrong".to_owned())) }
}

/// Bytes that a device has written, by its statistics.
fn written(statistics: &str) -> Result<u64> {
    let text = std::fs::read_to_string(statistics).doing(statistics)?;
    let sectors = text.split_whitespace().nth(6).and_then(|word| word.parse::<u64>().ok());
    let odd = || Error::Unexpected(format!("{statistics}: {text}"));
    sectors.map(|sectors| sectors * 512).ok_or_else(odd)
}

fn until(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let since = Instant::now();
    while !done()? {
        if since.elapsed() > SOON {
            return Err(Error::Unexpected(format!("waited in vain until {what}")));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
