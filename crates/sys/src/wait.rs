//! Waiting for one of several descriptors.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Waits until something can be read from one of `fds` (its end and errors count), up to
/// `timeout` (`None`: for ever). Says for each whether so; all `false` after the timeout or an
/// interruption.
///
/// # Errors
/// As `poll(2)`.
pub fn readable(fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let wanted = fds.iter().map(|&fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    polled(wanted, timeout)
}

/// The same for one descriptor, and until `other` is at its end (a terminal that was hung up, a pipe
/// that nobody writes to any more), however much there is to read before that. Says which of the two.
///
/// # Errors
/// As `poll(2)`.
pub fn readable_or_gone(
    fd: BorrowedFd<'_>,
    other: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> io::Result<(bool, bool)> {
    let mut wanted = vec![PollFd::new(fd, PollFlags::POLLIN)];
    wanted.extend(other.map(|fd| PollFd::new(fd, PollFlags::empty())));
    let told = polled(wanted, timeout)?;
    let at = |nth: usize| told.get(nth).copied().unwrap_or(false);
    Ok((at(0), at(1)))
}

fn polled(mut wanted: Vec<PollFd<'_>>, timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let timeout = timeout.map_or(PollTimeout::NONE, |limit| {
        // Rounded up, so that a caller's loop does not spin through the last millisecond.
        let limit = limit.saturating_add(Duration::from_micros(999));
        PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut wanted, timeout) {
        Ok(_) => Ok(wanted.iter().map(|fd| fd.any().unwrap_or(true)).collect()),
        Err(Errno::EINTR) => Ok(vec![false; wanted.len()]),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn the_one_with_something_to_read_is_told() {
        let (quiet, _keep) = io::pipe().unwrap();
        let (told, mut tell) = io::pipe().unwrap();
        let fds = [quiet.as_fd(), told.as_fd()];
        assert_eq!(readable(&fds, Some(Duration::ZERO)).unwrap(), [false, false]);
        tell.write_all(b"x").unwrap();
        assert_eq!(readable(&fds, None).unwrap(), [false, true]);
        drop((_keep, tell));
        assert_eq!(readable(&fds, None).unwrap(), [true, true], "an end is something to read");
        let (other, mut tell) = io::pipe().unwrap();
        let wait = |other| readable_or_gone(quiet.as_fd(), other, Some(Duration::ZERO)).unwrap();
        assert_eq!(wait(None), (true, false));
        tell.write_all(b"x").unwrap();
        assert_eq!(wait(Some(other.as_fd())), (true, false), "there is only something to read");
        drop(tell);
        assert_eq!(wait(Some(other.as_fd())), (true, true));
        assert_eq!(readable(&[], Some(Duration::from_millis(2))).unwrap(), Vec::<bool>::new());
    }
}
