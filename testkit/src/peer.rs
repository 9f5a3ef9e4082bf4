//! The other end of the traffic: a process of its own, driven by orders on its standard input.
//!
//! A peer prints its address first, answers `ok` to every order it has carried out, and prints
//! what it counted ([`End`]s) when its standard input closes.

pub mod blocks;
pub mod datagram;
pub mod httpd;
pub mod sink;
pub mod stream;

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde::Deserialize;
use serde::Serialize;

use crate::Doing;
use crate::End;
use crate::Error;
use crate::Result;
use crate::emit;
use crate::netns;
use crate::sys::process;

/// The first line of a peer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Where it listens; the address of AF_PACKET peers is meaningless.
    pub address: SocketAddr,
}

/// A running peer process, killed if it is dropped before [`Peer::finish`].
#[derive(Debug)]
pub struct Peer {
    child: Option<Child>,
    orders: Option<File>,
    answers: BufReader<File>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Peer {
    /// Starts `peer KIND ARGS…` and waits until it listens.
    ///
    /// # Errors
    /// If it cannot be started or does not say where it listens.
    pub fn start(kind: &str, args: &[&str]) -> Result<Self> {
        Self::start_in(None, kind, args)
    }

    /// The same inside a named network namespace, if one is given.
    ///
    /// # Errors
    /// As [`Peer::start`], or if there is no such namespace.
    pub fn start_in(netns: Option<&str>, kind: &str, args: &[&str]) -> Result<Self> {
        let own = std::env::current_exe().doing("finding the own program")?;
        let mut command = Command::new(own);
        command.arg("peer").arg(kind).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(name) = netns {
            netns::enter(name, &mut command)?;
        }
        let mut child = command.spawn().doing("starting a peer")?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let (Some(orders), Some(answers)) = (orders, answers) else {
            return Err(Error::Unexpected("a peer without pipes".to_owned()));
        };
        let orders = File::from(OwnedFd::from(orders));
        let mut answers = BufReader::new(File::from(OwnedFd::from(answers)));
        let hello: Hello = read_json(&mut answers)?;
        Ok(Self { child: Some(child), orders: Some(orders), answers, address: hello.address })
    }

    /// Takes over a peer that the program before this one (the same process before an exec)
    /// had started: its orders, its answers and its address.
    #[must_use]
    pub fn inherit(orders: File, answers: File, address: SocketAddr) -> Self {
        Self { child: None, orders: Some(orders), answers: BufReader::new(answers), address }
    }

    /// The two pipes to it.
    ///
    /// # Errors
    /// If it was told to finish already.
    pub fn pipes(&self) -> Result<(&File, &File)> {
        let orders = self.orders.as_ref();
        orders.map(|orders| (orders, self.answers.get_ref())).ok_or_else(gone)
    }

    /// Tells the peer what to expect next.
    ///
    /// # Errors
    /// If it has ended.
    pub fn order(&mut self, numbers: &[u64]) -> Result<()> {
        let words: Vec<_> = numbers.iter().map(u64::to_string).collect();
        let line = format!("{}\n", words.join(" "));
        let orders = self.orders.as_mut().ok_or_else(gone)?;
        orders.write_all(line.as_bytes()).doing("giving a peer its order")
    }

    /// Waits until the last order is done.
    ///
    /// # Errors
    /// If the peer ended or complained instead.
    pub fn done(&mut self) -> Result<()> {
        let mut line = String::new();
        self.answers.read_line(&mut line).doing("waiting for a peer")?;
        if line == "ok\n" { Ok(()) } else { Err(Error::Unexpected(format!("peer said {line:?}"))) }
    }

    /// Closes its standard input; what it counted.
    ///
    /// # Errors
    /// If it did not end well.
    pub fn finish(mut self) -> Result<Vec<End>> {
        self.orders = None;
        let ends = read_json(&mut self.answers)?;
        if let Some(mut child) = self.child.take() {
            let status = child.wait().doing("waiting for a peer")?;
            if !status.success() {
                return Err(Error::Unexpected(format!("a peer ended with {status}")));
            }
        }
        Ok(ends)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself; either way it is reaped.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn gone() -> Error {
    Error::Unexpected("the peer was told to finish already".to_owned())
}

/// Reads one line of JSON.
///
/// # Errors
/// If the writer ended without one.
pub fn read_json<T: for<'a> Deserialize<'a>>(from: &mut impl BufRead) -> Result<T> {
    let mut line = String::new();
    if from.read_line(&mut line).doing("reading a report")? == 0 {
        return Err(Error::Unexpected("a process ended without its report".to_owned()));
    }
    Ok(serde_json::from_str(&line)?)
}

/// The peer's side: carries out orders until standard input closes.
///
/// # Errors
/// The first order that failed.
pub fn obey(mut carry_out: impl FnMut(&[u64]) -> Result<()>) -> Result<()> {
    for line in std::io::stdin().lines() {
        let line = line.doing("reading orders")?;
        let numbers: std::result::Result<Vec<u64>, _> =
            line.split_whitespace().map(str::parse).collect();
        let numbers =
            numbers.map_err(|error| Error::Unexpected(format!("order {line:?}: {error}")))?;
        carry_out(&numbers)?;
        say("ok")?;
    }
    Ok(())
}

/// Ends the process when standard input closes, whatever its threads wait for.
pub fn until_input_closes() {
    std::thread::spawn(|| {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        process::exit_now(0);
    });
}

fn say(word: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{word}\n").as_bytes()).doing("writing to standard output")?;
    out.flush().doing("writing to standard output")
}

/// Announces where the peer listens.
///
/// # Errors
/// If standard output is closed.
pub fn hello(address: SocketAddr) -> Result<()> {
    emit(&Hello { address })
}
