//! A reader's end of the feed.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{API_VERSION, Event, socket};

/// A daemon that runs says hello at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// No line of the feed comes near this.
const LONGEST_LINE: usize = 4 << 20;

/// Why there is no event.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no daemon is running (nobody listens at {})", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// The caller may not connect.
    #[error(
        "not allowed to read {}: become a member of the group that owns it \
         (sudo usermod -aG femtosnitch $USER, then log in again), or use sudo", path.display()
    )]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// Whoever listens there does not speak as a daemon does.
    #[error("{} is not the socket of a femtosnitch daemon", path.display())]
    NotOurs {
        /// The socket.
        path: PathBuf,
    },
    /// The daemon is of another generation.
    #[error(
        "the daemon speaks version {theirs} of the feed, this program version {API_VERSION}; \
             restart the daemon after an upgrade"
    )]
    Version {
        /// The daemon's version of the feed.
        theirs: u32,
    },
    /// Nothing came within the time set; trying again is fine.
    #[error("the daemon said nothing in time")]
    Timeout,
    /// A line that cannot be understood; the next one may be.
    #[error("a line of the feed cannot be understood: {0}")]
    BadLine(#[source] serde_json::Error),
    /// A line that does not end. The connection is of no use any more.
    #[error("a line of the feed is longer than any that a daemon sends")]
    TooLong,
    /// The connection failed.
    #[error("the connection to the daemon failed: {0}")]
    Io(#[from] io::Error),
}

/// A connection to the daemon: yields events until the daemon ends. Events of later versions are
/// passed over.
#[derive(Debug)]
pub struct LiveClient {
    stream: UnixStream,
    buffer: Vec<u8>,
    /// Start of the first line that has not been given out.
    start: usize,
    /// Up to where no newline is.
    searched: usize,
    hello: Event,
    ended: bool,
}

impl LiveClient {
    /// Connects and waits for the daemon to introduce itself.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = socket::connect(path).map_err(|err| match err.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NotRunning { path: path.to_owned() }
            }
            io::ErrorKind::PermissionDenied => ClientError::Denied { path: path.to_owned() },
            _ => ClientError::Io(err),
        })?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (buffer, hello) = (Vec::new(), Event::Unknown);
        let mut client = Self { stream, buffer, start: 0, searched: 0, hello, ended: false };
        match client.next_event() {
            Ok(Some(Event::Hello { api, .. })) if api != API_VERSION => {
                return Err(ClientError::Version { theirs: api });
            }
            Ok(Some(hello @ Event::Hello { .. })) => client.hello = hello,
            // Closed before it spoke: it is on its way out.
            Ok(None) => return Err(ClientError::NotRunning { path: path.to_owned() }),
            Ok(Some(_)) | Err(ClientError::BadLine(_) | ClientError::TooLong) => {
                return Err(ClientError::NotOurs { path: path.to_owned() });
            }
            Err(err) => return Err(err),
        }
        client.stream.set_read_timeout(None)?;
        Ok(client)
    }

    /// True if it is certain that no daemon runs. Who may not ask does not know.
    #[must_use]
    pub fn is_absent(path: &Path) -> bool {
        matches!(Self::connect(path), Err(ClientError::NotRunning { .. }))
    }

    /// How the daemon introduced itself: always [`Event::Hello`].
    #[must_use]
    pub fn hello(&self) -> &Event {
        &self.hello
    }

    /// How long to wait for an event before [`ClientError::Timeout`]; `None` (as after
    /// [`LiveClient::connect`]) waits for ever, zero does not wait at all.
    ///
    /// # Errors
    /// None is known.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) -> Result<(), ClientError> {
        let never = timeout == Some(Duration::ZERO);
        self.stream.set_nonblocking(never)?;
        if !never {
            self.stream.set_read_timeout(timeout)?;
        }
        Ok(())
    }

    fn next_event(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            let Some(line) = self.next_line()? else { return Ok(None) };
            match serde_json::from_slice(line) {
                Ok(Event::Unknown) => {}
                Ok(event) => return Ok(Some(event)),
                Err(err) => return Err(ClientError::BadLine(err)),
            }
        }
    }

    /// The next event as it came over the wire, without its line break, for readers of many flows
    /// that need a few fields of each; `None` at the end. Each line is given out once, here or as an
    /// [`Event`]. What was read of a line before a timeout is kept.
    ///
    /// # Errors
    /// [`ClientError`], but for [`ClientError::BadLine`].
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, ClientError> {
        loop {
            let rest = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
                let line = self.start..self.searched + at;
                self.start = line.end + 1;
                self.searched = self.start;
                return Ok(Some(self.buffer.get(line).unwrap_or_default()));
            }
            self.buffer.drain(..self.start);
            (self.start, self.searched) = (0, self.buffer.len());
            if self.buffer.len() > LONGEST_LINE {
                self.ended = true;
                return Err(ClientError::TooLong);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                // A line that a dying daemon did not finish is no line.
                Ok(0) => return Ok(None),
                Ok(len) => self.buffer.extend(chunk.iter().take(len)),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    return Err(ClientError::Timeout);
                }
                Err(err) => {
                    self.ended = true;
                    return Err(err.into());
                }
            }
        }
    }
}

impl Iterator for LiveClient {
    type Item = Result<Event, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let event = self.next_event().transpose();
        self.ended |= event.is_none();
        event
    }
}

impl AsFd for LiveClient {
    /// Readable when the daemon has sent something. Lines already received are not seen that way:
    /// iterate (without waiting) until [`ClientError::Timeout`] before waiting on it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    const HELLO: &str = "{\"type\":\"hello\",\"version\":\"9\",\"api\":1,\"pid\":5}\n";

    /// Connects to somebody who says `text` and closes.
    fn hear(text: &'static [u8]) -> Result<LiveClient, ClientError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let speaker = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(text).unwrap();
        });
        let client = LiveClient::connect(&path);
        speaker.join().unwrap();
        client
    }

    #[test]
    fn bad_lines_are_reported_and_survived() {
        let text = b"{\"type\":\"hello\",\"version\":\"9\",\"api\":1,\"pid\":5}\n\
            {\"type\":\"missed\",\"events\":1}\nnonsense\n{\"type\":\"missed\"}\n\xff\n\
            {\"type\":\"later\"}\n{\"type\":\"missed\",\"events\":2}\n{\"type\":\"miss";
        let heard: Vec<_> = hear(text).unwrap().collect();
        assert!(matches!(heard[0], Ok(Event::Missed { events: 1 })));
        assert!(heard[1..4].iter().all(|it| matches!(it, Err(ClientError::BadLine(_)))));
        assert!(matches!(heard[4], Ok(Event::Missed { events: 2 })));
        assert_eq!(heard.len(), 5);
    }

    #[test]
    fn whoever_is_no_daemon_of_this_version_is_refused() {
        let other = b"{\"type\":\"hello\",\"version\":\"9\",\"api\":2,\"pid\":5}\n";
        assert!(matches!(hear(other), Err(ClientError::Version { theirs: 2 })));
        assert!(matches!(hear(b"220 smtp ready\n"), Err(ClientError::NotOurs { .. })));
        assert!(matches!(
            hear(b"{\"type\":\"missed\",\"events\":1}\n"),
            Err(ClientError::NotOurs { .. })
        ));
        assert!(matches!(hear(b""), Err(ClientError::NotRunning { .. })));
        let missing = LiveClient::connect("/nowhere/live.sock".as_ref());
        assert!(matches!(missing, Err(ClientError::NotRunning { .. })));
    }

    #[test]
    fn a_timeout_does_not_tear_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let speaker = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(HELLO.as_bytes()).unwrap();
            stream
        });
        let mut client = LiveClient::connect(&path).unwrap();
        assert!(matches!(client.hello(), Event::Hello { pid: 5, .. }));
        let mut stream = speaker.join().unwrap();
        for timeout in [Duration::from_millis(10), Duration::ZERO] {
            client.set_timeout(Some(timeout)).unwrap();
            stream.write_all(b"{\"type\":\"missed\",").unwrap();
            assert!(matches!(client.next(), Some(Err(ClientError::Timeout))));
            stream.write_all(b"\"events\":4}\n").unwrap();
            assert!(matches!(client.next(), Some(Ok(Event::Missed { events: 4 }))));
        }
    }
}
