//! The `resolved` thread: listens to what systemd-resolved answers, where it runs.
//!
//! Its monitor (Linux distributions with systemd 252 and later) tells root of each answer, also of
//! those that come from its cache or over DNS in TLS. Who asked it does not tell.

mod message;

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use femtosnitch_model::Resolved;
use femtosnitch_sys::{procfs, socket, thread, wait};

use super::Message;
use super::capture::Waker;
use super::report::Report;
use message::Told;

/// Below the root directory.
pub(super) const MONITOR: &str = "run/systemd/resolve/io.systemd.Resolve.Monitor";

/// Varlink: JSON that ends with a NUL.
const SUBSCRIBE: &[u8] = b"{\"method\":\"io.systemd.Resolve.Monitor.SubscribeQueryResults\",\
                           \"parameters\":{},\"more\":true}\0";

/// No answer is this long: DNS has 64 KiB, which JSON may make eight times as large.
const LONGEST: usize = 1 << 20;
/// How long a subscription takes to be accepted or refused.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it runs, and whether it runs again after it ended.
const AGAIN: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(1);

/// Ends the thread when it is dropped.
pub(super) struct Listener {
    _ends: io::PipeWriter,
}

/// Starts the thread. It tells the capture thread by [`Message::Resolved`].
pub(super) fn start(
    path: PathBuf,
    answers: Sender<Message>,
    answered: Waker,
    report: &Arc<Report>,
) -> io::Result<(Listener, JoinHandle<()>)> {
    let (end, ends) = io::pipe()?;
    let report = Arc::clone(report);
    let thread = thread::spawn("resolved", move || {
        Thread { path, answers, answered, report, end, refused: false }.run();
    })?;
    Ok((Listener { _ends: ends }, thread))
}

struct Thread {
    path: PathBuf,
    answers: Sender<Message>,
    answered: Waker,
    report: Arc<Report>,
    end: io::PipeReader,
    refused: bool,
}

impl Thread {
    fn run(mut self) {
        loop {
            let pause = match self.listen() {
                // It was there: most likely it is being started again.
                Ok(()) => SOON,
                Err(error) => {
                    self.tell(&error);
                    AGAIN
                }
            };
            if wait::readable(&[self.end.as_fd()], Some(pause))
                .map_or(true, |ended| ended == [true])
            {
                return;
            }
        }
    }

    /// Until it ends, or we do. An error: it is not there, or does not want us.
    fn listen(&mut self) -> io::Result<()> {
        let mut stream = socket::connect_as_owner(&self.path)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // The network that its answers are about.
        let netns = procfs::network_namespace(socket::peer(&stream)?)?;
        stream.write_all(SUBSCRIBE)?;
        let mut text = Vec::new();
        loop {
            let ready = wait::readable(&[stream.as_fd(), self.end.as_fd()], None)?;
            if ready.get(1) == Some(&true) {
                return Ok(());
            }
            if ready.first() == Some(&true) && !read_some(&mut stream, &mut text)? {
                return Ok(());
            }
            while let Some(end) = text.iter().position(|byte| *byte == 0) {
                let message: Vec<u8> = text.drain(..=end).collect();
                self.take(message.get(..end).unwrap_or_default(), netns)?;
            }
            if text.len() > LONGEST {
                self.report.resolved_garbled();
                return Ok(());
            }
        }
    }

    fn take(&mut self, message: &[u8], netns: u32) -> io::Result<()> {
        match message::parse(message) {
            None => self.report.resolved_garbled(),
            Some(Told::Refused(why)) => return Err(io::Error::other(why)),
            Some(Told::Nothing) => {}
            Some(Told::Answer { name, addresses }) => {
                self.refused = false;
                let told = Message::Resolved(Resolved { netns, name, addresses });
                drop(self.answers.send(told));
                self.answered.wake();
            }
        }
        Ok(())
    }

    /// Once, until it works again.
    fn tell(&mut self, error: &io::Error) {
        let is_absent =
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused);
        if is_absent || std::mem::replace(&mut self.refused, true) {
            tracing::debug!(%error, "cannot listen to systemd-resolved");
            return;
        }
        self.report.warn(&format!(
            "cannot listen to systemd-resolved ({}: {error}): what it answers from its cache or over \
             DNS in TLS is known only as far as programs' C libraries tell",
            self.path.display()
        ));
    }
}

/// False at the end.
fn read_some(stream: &mut UnixStream, text: &mut Vec<u8>) -> io::Result<bool> {
    let mut some = [0; 16 << 10];
    match stream.read(&mut some) {
        Ok(0) => Ok(false),
        Ok(read) => {
            text.extend_from_slice(some.get(..read).unwrap_or_default());
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
