//! Many programs, each of which differs from the others.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use super::Stopwatch;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::tiny::Before;
use crate::tiny::Sender;

/// Bytes that each run sends.
const BYTES: u32 = 100;

/// Writes programs number `from` to `from + count` to a directory and has each of them send one
/// datagram, `runs` times.
///
/// # Errors
/// If one cannot be written or run, or fails.
pub fn programs(directory: &Path, from: u64, count: u64, runs: u64) -> Result<Report> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).doing("opening a socket")?;
    let SocketAddr::V4(to) = socket.local_addr().doing("naming a socket")? else {
        return Err(Error::Unexpected("no IPv4 address".to_owned()));
    };
    let sender = Sender { to, bytes: BYTES, before: Before::Nothing };
    let path = |salt: u64| directory.join(format!("program{salt}"));
    for salt in from..from + count {
        std::fs::write(path(salt), sender.file(salt)?).doing("writing a program")?;
        let mode = PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path(salt), mode).doing("making a program executable")?;
    }
    let watch = Stopwatch::start()?;
    for salt in (0..runs).flat_map(|_| from..from + count) {
        let mut command = Command::new(path(salt));
        let status = command.stdin(Stdio::null()).status().doing("starting a program")?;
        if !status.success() {
            return Err(Error::Unexpected(format!("{} ended with {status}", path(salt).display())));
        }
    }
    watch.report("programs", count * runs, End::here("starter", 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_program() {
        let directory = std::env::temp_dir().join(format!("programs-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        // Another test's child may have one of them open for writing until it executes.
        let run = || programs(&directory, 7, 3, 2);
        let report = (0..20).find_map(|_| run().ok()).or_else(|| run().ok());
        let mut files: Vec<_> = std::fs::read_dir(&directory)
            .unwrap()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect();
        std::fs::remove_dir_all(&directory).unwrap();
        files.sort();
        files.dedup();
        assert_eq!(files.len(), 3);
        assert_eq!(report.unwrap().figures.get("rounds"), Some(&6.0));
    }
}
