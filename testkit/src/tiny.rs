//! Executables of some hundred bytes that send datagrams: thousands that differ cost nothing.

use std::net::SocketAddrV4;

use crate::Error;
use crate::Result;
use crate::sys;

/// Where the file is mapped.
const BASE: u64 = 0x0040_0000;
/// Length of both headers: the code follows.
const HEADERS: usize = 120;
/// Length of the parameters behind the code.
const PARAMETERS: usize = 24;
/// Datagrams are no longer than this: what is sent is what the file begins with.
pub const LONGEST: u32 = 1400;
/// A file is at least so long, so that a datagram can be.
const SHORTEST: usize = 2048;

/// What it does before it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// Removes its own file, which `argv[0]` has to name.
    Unlink,
}

/// A program for the processor at hand that sends one datagram, and another for each byte of
/// standard input, and ends with 0 if all was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    /// Where to.
    pub to: SocketAddrV4,
    /// Length of each datagram, at most [`LONGEST`].
    pub bytes: u32,
    /// What comes first.
    pub before: Before,
}

impl Sender {
    /// The executable. Files of another `salt` differ in their last bytes and do the same.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is no code for this processor.
    pub fn file(&self, salt: u64) -> Result<Vec<u8>> {
        if self.bytes > LONGEST {
            return Err(Error::Unexpected(format!("{} bytes are too many", self.bytes)));
        }
        let flags = match self.before {
            Before::Nothing => 0,
            Before::Unlink => 1,
        };
        executable(Some(self.to), self.bytes, flags, salt)
    }
}

/// A program that starts the one that its first argument names, with this and all further
/// arguments, waits for it, and ends as it ended.
///
/// # Errors
/// [`Error::Unsupported`] if there is no code for this processor.
pub fn launcher(salt: u64) -> Result<Vec<u8>> {
    executable(None, 0, 2, salt)
}

fn executable(to: Option<SocketAddrV4>, bytes: u32, flags: u32, salt: u64) -> Result<Vec<u8>> {
    let code = sys::tiny::code()
        .ok_or_else(|| Error::Unsupported("no tiny program for this processor".to_owned()))?;
    let length = (HEADERS + code.len() + PARAMETERS + 8).max(SHORTEST);
    let mut file = headers(length as u64);
    file.extend_from_slice(code);
    file.extend(address(to));
    file.extend(bytes.to_ne_bytes());
    file.extend(flags.to_ne_bytes());
    file.resize(length - 8, 0);
    file.extend(salt.to_le_bytes());
    Ok(file)
}

/// `sockaddr_in`.
fn address(to: Option<SocketAddrV4>) -> [u8; 16] {
    let mut raw = [0; 16];
    if let Some(to) = to {
        let family = u16::try_from(libc::AF_INET).unwrap_or(0).to_ne_bytes();
        let parts = family.into_iter().chain(to.port().to_be_bytes()).chain(to.ip().octets());
        raw.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
    }
    raw
}

/// The headers of a 64-bit ELF file that is mapped whole, to be read and executed: `elf(5)`.
fn headers(length: u64) -> Vec<u8> {
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |out: &mut Vec<u8>, values: &[u16]| {
        values.iter().for_each(|value| out.extend(value.to_ne_bytes()));
    };
    let word = |out: &mut Vec<u8>, values: &[u32]| {
        values.iter().for_each(|value| out.extend(value.to_ne_bytes()));
    };
    let long = |out: &mut Vec<u8>, values: &[u64]| {
        values.iter().for_each(|value| out.extend(value.to_ne_bytes()));
    };
    // ET_EXEC for EM_X86_64, version 1.
    half(&mut out, &[2, 62]);
    word(&mut out, &[1]);
    // Entry, program headers, no sections.
    long(&mut out, &[BASE + HEADERS as u64, 64, 0]);
    word(&mut out, &[0]);
    half(&mut out, &[64, 56, 1, 0, 0, 0]);
    // PT_LOAD, PF_R | PF_X; offset, both addresses, both lengths, alignment.
    word(&mut out, &[1, 5]);
    long(&mut out, &[0, BASE, BASE, length, length, 0x1000]);
    out
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::Ipv4Addr;
    use std::net::UdpSocket;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;
    use std::process::Stdio;
    use std::time::Duration;

    use super::*;

    /// What a command does, as soon as it can be executed: while another test forks, that child has
    /// our file open for writing until its own exec (`ETXTBSY`).
    fn executed<T>(mut run: impl FnMut() -> io::Result<T>) -> T {
        for _ in 0..1_000 {
            match run() {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                other => return other.unwrap(),
            }
        }
        panic!("the file is still open for writing");
    }

    /// A file in a directory that is this test's alone.
    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str, content: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("tiny-{name}-{}", std::process::id()));
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(std::fs::remove_file(&self.0));
        }
    }

    fn sender(bytes: u32, before: Before) -> (UdpSocket, Sender) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let std::net::SocketAddr::V4(to) = socket.local_addr().unwrap() else { panic!() };
        (socket, Sender { to, bytes, before })
    }

    #[test]
    fn a_launched_sender_sends_once_for_itself_and_once_a_byte() {
        let (socket, sender) = sender(700, Before::Nothing);
        let Ok(file) = sender.file(1) else { return };
        let send = Scratch::new("send", &file);
        let launch = Scratch::new("launch", &launcher(2).unwrap());
        let mut command = Command::new(&launch.0);
        command.arg(&send.0).stdin(Stdio::piped());
        let mut child = executed(|| command.spawn());
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"ab").unwrap();
        drop(child.stdin.take());
        let mut room = [0; 2000];
        for _ in 0..3 {
            assert_eq!(socket.recv(&mut room).unwrap(), 700);
        }
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn it_can_remove_itself_first() {
        let (socket, sender) = sender(1, Before::Unlink);
        let Ok(file) = sender.file(1) else { return };
        let own = Scratch::new("unlink", &file);
        let mut command = Command::new(&own.0);
        command.stdin(Stdio::null());
        assert!(executed(|| command.status()).success());
        assert_eq!(socket.recv(&mut [0; 10]).unwrap(), 1);
        assert!(!own.0.exists());
    }

    #[test]
    fn salt_makes_files_differ_and_nothing_else() {
        let (_socket, sender) = sender(1, Before::Nothing);
        let (Ok(one), Ok(other)) = (sender.file(1), sender.file(2)) else { return };
        assert_ne!(one, other);
        assert_eq!(one[..one.len() - 8], other[..other.len() - 8]);
    }

    #[test]
    fn too_long_a_datagram_is_refused() {
        let (_socket, sender) = sender(LONGEST + 1, Before::Nothing);
        assert!(matches!(sender.file(0), Err(Error::Unexpected(_))));
    }
}
