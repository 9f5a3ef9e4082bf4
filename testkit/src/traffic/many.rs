//! Many processes that live for one short connection each.

use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;

use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::Peer;
use crate::peer::stream;

/// Starts `processes` programs, at most `at_once` at a time, each of which connects, sends
/// `bytes` and exits at once. The report has one end for all of them together.
///
/// # Errors
/// If one of them failed, or the server did not get everything.
pub fn spread(tag: &str, processes: u64, bytes: u64, at_once: usize) -> Result<Report> {
    let mut server = Peer::start("sink", &["--bind", "127.0.0.1:0", "--tag", tag])?;
    server.order(&[processes, 0])?;
    let own = std::env::current_exe().doing("finding the own program")?;
    let (to, size) = (server.address.to_string(), bytes.to_string());
    let mut running: Vec<Child> = Vec::new();
    let mut all = End::here("shortlived", libc::AF_INET, libc::IPPROTO_TCP);
    all.cmdline = format!("{} shortlived --to {to} --bytes {size} --tag {tag}", own.display());
    all.remote = Some(server.address);
    all.pid = 0;
    for _ in 0..processes {
        if running.len() >= at_once {
            ended(running.remove(0))?;
        }
        let child = Command::new(&own)
            .args(["shortlived", "--to", &to, "--bytes", &size, "--tag", tag])
            .spawn()
            .doing("starting a short-lived process")?;
        running.push(child);
        all.sent += bytes;
        all.send_calls += 1;
    }
    running.into_iter().try_for_each(ended)?;
    server.done()?;
    let mut ends = vec![all];
    ends.extend(server.finish()?);
    let report = Report::new("many", ends);
    report.agree()?;
    Ok(report)
}

fn ended(mut child: Child) -> Result<()> {
    let status = child.wait().doing("waiting for a short-lived process")?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Unexpected(format!("a short-lived process ended with {status}")))
}

/// `shortlived`: connects, sends, and is gone.
///
/// # Errors
/// If nobody listens.
pub fn shortlived(to: SocketAddr, bytes: u64) -> Result<()> {
    let fd = stream::connected(to)?;
    // Counted by the starter: a process that fails says so by its exit code.
    let mut end = End::default();
    stream::send_all(&fd, &mut end, bytes, 1 << 20)
}
