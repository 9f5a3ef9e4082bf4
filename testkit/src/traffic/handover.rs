//! One connection, several processes or programs one after the other.

use std::fs::File;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::process::Stdio;

use serde::Deserialize;
use serde::Serialize;

use super::Plan;
use super::V4;
use super::streams;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::emit;
use crate::peer::Peer;
use crate::peer::read_json;
use crate::peer::stream;
use crate::peer::stream::Reading;
use crate::sys::process;
use crate::sys::vectored;

/// Moves one share both ways: what the first process moves differs from the second's.
fn share(fd: &impl AsFd, end: &mut End, up: u64, chunk: usize) -> Result<()> {
    stream::send_all(fd, end, up, chunk)?;
    stream::recv_all(fd, end, down(up), Reading::Plain)
}

fn down(up: u64) -> u64 {
    up / 7 + 5
}

/// Shares of the two processes: a quarter and three quarters.
fn shares(plan: &Plan) -> [u64; 2] {
    [plan.bytes / 4 + 3, plan.bytes / 4 * 3 + 1]
}

/// The parent uses the connection, then a forked child.
pub(super) fn fork(plan: &Plan) -> Result<Report> {
    let mut peer = streams::peer(plan, V4, "plain")?;
    let fd = stream::connected(peer.address)?;
    let mut end = stream::end("parent", &fd)?;
    let [first, second] = shares(plan);
    peer.order(&[first, down(first)])?;
    share(&fd, &mut end, first, plan.chunk)?;
    peer.done()?;
    peer.order(&[second, down(second)])?;
    let (reader, mut writer) = process::pipe()?;
    let pid = process::fork(|| {
        let moved = stream::end("child", &fd).and_then(|mut end| {
            share(&fd, &mut end, second, plan.chunk)?;
            writeln!(writer, "{}", serde_json::to_string(&end)?).doing("reporting")
        });
        i32::from(moved.is_err())
    })
    .doing("forking")?;
    drop(writer);
    let child: End = read_json(&mut BufReader::new(reader))?;
    if process::wait(pid).doing("waiting for the child")? != 0 {
        return Err(Error::Unexpected("the child failed".to_owned()));
    }
    peer.done()?;
    let mut ends = vec![end, child];
    ends.extend(peer.finish()?);
    Ok(Report::new("", ends))
}

/// A connection goes to another program over a Unix socket.
pub(super) fn scm_rights(plan: &Plan) -> Result<Report> {
    let mut peer = streams::peer(plan, V4, "plain")?;
    let fd = stream::connected(peer.address)?;
    let mut end = stream::end("giver", &fd)?;
    let [first, second] = shares(plan);
    peer.order(&[first, down(first)])?;
    share(&fd, &mut end, first, plan.chunk)?;
    peer.done()?;
    peer.order(&[second, down(second)])?;
    let (here, there) = UnixStream::pair().doing("making a Unix socket pair")?;
    let own = std::env::current_exe().doing("finding the own program")?;
    let mut taker = Command::new(own)
        .args(["taker", "--bytes", &second.to_string(), "--chunk", &plan.chunk.to_string()])
        .args(plan.mark())
        .stdin(Stdio::from(OwnedFd::from(there)))
        .stdout(Stdio::piped())
        .spawn()
        .doing("starting the taker")?;
    vectored::send_descriptor(&here, &fd).doing("passing the connection")?;
    drop(fd);
    let out = taker.stdout.take();
    let out = out.ok_or_else(|| Error::Unexpected("no pipe to the taker".to_owned()))?;
    let taken: End = read_json(&mut BufReader::new(out))?;
    taker.wait().doing("waiting for the taker")?;
    peer.done()?;
    let mut ends = vec![end, taken];
    ends.extend(peer.finish()?);
    Ok(Report::new("", ends))
}

/// `taker`: takes a connection from the Unix socket on standard input and uses it.
///
/// # Errors
/// If none comes or it breaks.
pub fn receive_passed(bytes: u64, chunk: usize) -> Result<()> {
    let fd = vectored::recv_descriptor(&std::io::stdin()).doing("taking the connection")?;
    let mut end = stream::end("taker", &fd)?;
    share(&fd, &mut end, bytes, chunk)?;
    emit(&end)
}

/// Where the state goes that has to survive the exec without showing in the arguments.
const KEPT: &str = "FEMTOSNITCH_TESTKIT_KEPT";

#[derive(Serialize, Deserialize)]
struct Kept {
    before: End,
    socket: i32,
    orders: i32,
    answers: i32,
    address: SocketAddr,
    bytes: u64,
    chunk: usize,
}

/// A connection is used, kept over `execve`, and used by the next program.
pub(super) fn exec(plan: &Plan) -> Result<Report> {
    let mut peer = streams::peer(plan, V4, "plain")?;
    let fd = stream::connected(peer.address)?;
    let mut before = stream::end("before", &fd)?;
    let [first, bytes] = shares(plan);
    peer.order(&[first, down(first)])?;
    share(&fd, &mut before, first, plan.chunk)?;
    peer.done()?;
    let (orders, answers) = peer.pipes()?;
    let kept = Kept {
        before,
        socket: process::keep_over_exec(&fd).doing("keeping the socket")?,
        orders: process::keep_over_exec(orders).doing("keeping a pipe")?,
        answers: process::keep_over_exec(answers).doing("keeping a pipe")?,
        address: peer.address,
        bytes,
        chunk: plan.chunk,
    };
    let own = std::env::current_exe().doing("finding the own program")?;
    let failed = Command::new(own)
        .arg("after-exec")
        .args(plan.mark())
        .env(KEPT, serde_json::to_string(&kept)?)
        .exec();
    Err(failed).doing("executing the own program again")
}

/// `after-exec`: the second half of the `exec` traffic, which prints the whole report.
///
/// # Errors
/// If it was not started by the first half, or the connection broke.
pub fn after_exec() -> Result<()> {
    let state = std::env::var(KEPT);
    let state = state.map_err(|_absent| {
        Error::Unexpected("this is the second half of `traffic exec`: run that".to_owned())
    })?;
    let kept: Kept = serde_json::from_str(&state)?;
    let take = |fd| process::take_over(fd).doing("taking over a descriptor");
    let fd = take(kept.socket)?;
    let (orders, answers) = (File::from(take(kept.orders)?), File::from(take(kept.answers)?));
    let mut peer = Peer::inherit(orders, answers, kept.address);
    let mut end = stream::end("after", &fd)?;
    peer.order(&[kept.bytes, down(kept.bytes)])?;
    share(&fd, &mut end, kept.bytes, kept.chunk)?;
    peer.done()?;
    let mut ends = vec![kept.before, end];
    ends.extend(peer.finish()?);
    let report = Report::new("exec", ends);
    report.agree()?;
    emit(&report)
}
