//! A file system of one executable, served by a program without privileges, as that of an AppImage
//! is. The kernel's protocol, version 7.31: `linux/fuse.h`.

use std::collections::HashSet;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;

use crate::Doing;
use crate::Error;
use crate::Result;
use crate::emit;
use crate::sys::mount;
use crate::sys::process;

/// What is served, where, and to whom.
#[derive(Debug, Clone)]
pub struct Served {
    /// The mount point.
    pub at: PathBuf,
    /// What the executable holds.
    pub file: PathBuf,
    /// What it is called.
    pub name: String,
    /// Whose file system it is.
    pub user: u32,
    /// Others may look at it as well.
    pub shared: bool,
    /// How many opens of the file, the first ones, are answered when they read.
    pub answers: u64,
}

/// A request is no longer than this.
const ROOM: usize = 64 * 1024;
/// `struct fuse_in_header` and `struct fuse_out_header`.
const IN_HEADER: usize = 40;
const OUT_HEADER: usize = 16;
/// Nodes: the directory, the executable.
const DIRECTORY: u64 = 1;
const EXECUTABLE: u64 = 2;
/// Seconds that the kernel may remember what it was told, and the time of all stamps.
const VALID: u64 = 3600;
const TIME: u64 = 1_700_000_000;
/// `FOPEN_DIRECT_IO`: past the page cache, of which the program lives.
const DIRECT: u32 = 1;

/// Mounts it, prints a line once it is there, and serves it as its user until it is unmounted.
///
/// # Errors
/// [`Error::Unsupported`] without FUSE in the kernel; whatever else fails.
pub fn serve(what: &Served) -> Result<()> {
    let contents = std::fs::read(&what.file).doing("reading the executable")?;
    let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let device = device.supported("/dev/fuse")?;
    mount::fuse(&device, &what.at, what.user, what.shared).doing("mounting")?;
    process::become_user(what.user).doing("giving up root")?;
    let mut server = Server {
        device,
        contents,
        name: what.name.as_bytes().to_vec(),
        answers: what.answers,
        opens: 0,
        silent: HashSet::new(),
    };
    let mut room = vec![0; ROOM];
    let mut said = false;
    loop {
        let length = match server.device.read(&mut room) {
            Ok(length) => length,
            // Unmounted; or a request that was taken back meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
            Err(error) => return Err(error).doing("reading a request"),
        };
        server.answer(room.get(..length).unwrap_or_default())?;
        if !said {
            // The first request is the kernel's greeting.
            emit(&"serving")?;
            said = true;
        }
    }
}

struct Server {
    device: File,
    contents: Vec<u8>,
    name: Vec<u8>,
    answers: u64,
    opens: u64,
    /// Handles whose reads stay without an answer.
    silent: HashSet<u64>,
}

impl Server {
    fn answer(&mut self, request: &[u8]) -> Result<()> {
        let (opcode, unique) = (number32(request, 4)?, number64(request, 8)?);
        let node = number64(request, 16)?;
        let body = request.get(IN_HEADER..).unwrap_or_default();
        let answer = match opcode {
            // FORGET, INTERRUPT, BATCH_FORGET: none is wanted.
            2 | 36 | 42 => return Ok(()),
            1 => self.look_up(node, body),
            3 => Ok(self.attributes(node)),
            14 => Ok(self.open()),
            15 => {
                if self.silent.contains(&number64(body, 0)?) {
                    return Ok(());
                }
                self.read(body)
            }
            17 => Ok(vec![0; 80]),
            // RELEASE, OPENDIR, RELEASEDIR, DESTROY.
            18 | 29 | 38 => Ok(Vec::new()),
            27 => Ok(words64(&[0, 0])),
            26 => Ok(greeting()),
            28 => self.list(body),
            _ => Err(libc::ENOSYS),
        };
        let (error, data) = match answer {
            Ok(data) => (0, data),
            Err(error) => (-error, Vec::new()),
        };
        let length = u32::try_from(OUT_HEADER + data.len()).unwrap_or(u32::MAX);
        let mut out = length.to_ne_bytes().to_vec();
        out.extend(error.to_ne_bytes());
        out.extend(unique.to_ne_bytes());
        out.extend(data);
        match self.device.write_all(&out) {
            // Whoever asked was killed meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other.doing("answering"),
        }
    }

    fn look_up(&self, node: u64, name: &[u8]) -> std::result::Result<Vec<u8>, i32> {
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if node != DIRECTORY || name != self.name {
            return Err(libc::ENOENT);
        }
        let mut out = words64(&[EXECUTABLE, 1, VALID, VALID, 0]);
        out.extend(self.attribute(EXECUTABLE));
        Ok(out)
    }

    fn attributes(&self, node: u64) -> Vec<u8> {
        let mut out = words64(&[VALID, 0]);
        out.extend(self.attribute(node));
        out
    }

    /// `struct fuse_attr`.
    fn attribute(&self, node: u64) -> Vec<u8> {
        let (mode, links, size) = match node {
            EXECUTABLE => (libc::S_IFREG | 0o555, 1, self.contents.len() as u64),
            _ => (libc::S_IFDIR | 0o555, 2, 0),
        };
        let mut out = words64(&[node, size, size.div_ceil(512), TIME, TIME, TIME]);
        for word in [0, 0, 0, mode, links, 0, 0, 0, 4096, 0] {
            out.extend(word.to_ne_bytes());
        }
        out
    }

    /// `struct fuse_open_out`.
    fn open(&mut self) -> Vec<u8> {
        self.opens += 1;
        let mut flags = 0;
        if self.opens > self.answers {
            self.silent.insert(self.opens);
            flags = DIRECT;
        }
        words64(&[self.opens, u64::from(flags)])
    }

    fn read(&self, body: &[u8]) -> std::result::Result<Vec<u8>, i32> {
        let offset = number64(body, 8).map_err(|_short| libc::EINVAL)?;
        let size = number32(body, 16).map_err(|_short| libc::EINVAL)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.contents.len());
        let end = start.saturating_add(size as usize).min(self.contents.len());
        Ok(self.contents.get(start..end).unwrap_or_default().to_vec())
    }

    /// `struct fuse_dirent`, once.
    fn list(&self, body: &[u8]) -> std::result::Result<Vec<u8>, i32> {
        if number64(body, 8).map_err(|_short| libc::EINVAL)? > 0 {
            return Ok(Vec::new());
        }
        let mut out = words64(&[EXECUTABLE, 1]);
        let length = u32::try_from(self.name.len()).map_err(|_long| libc::EINVAL)?;
        out.extend(length.to_ne_bytes());
        out.extend(8u32.to_ne_bytes());
        out.extend(&self.name);
        out.resize(out.len().next_multiple_of(8), 0);
        Ok(out)
    }
}

/// `struct fuse_init_out`.
fn greeting() -> Vec<u8> {
    let mut out = Vec::new();
    // Version, no read ahead, no flags; requests in the background; longest write; times in ns.
    for word in [7u32, 31, 0, 0, 12 << 16 | 16, 4096, 1] {
        out.extend(word.to_ne_bytes());
    }
    out.resize(64, 0);
    out
}

fn words64(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn number32(bytes: &[u8], at: usize) -> Result<u32> {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map(|found| u32::from_ne_bytes(*found)).ok_or_else(short)
}

fn number64(bytes: &[u8], at: usize) -> Result<u64> {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map(|found| u64::from_ne_bytes(*found)).ok_or_else(short)
}

fn short() -> Error {
    Error::Unexpected("a request is too short".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(answers: u64) -> Server {
        let device = OpenOptions::new().write(true).open("/dev/null").unwrap();
        let (contents, name) = (b"0123456789".to_vec(), b"tool".to_vec());
        Server { device, contents, name, answers, opens: 0, silent: HashSet::new() }
    }

    #[test]
    fn answers_are_as_long_as_the_kernel_wants_them() {
        let server = server(1);
        assert_eq!(server.look_up(DIRECTORY, b"tool\0").unwrap().len(), 128);
        assert_eq!(server.attributes(EXECUTABLE).len(), 104);
        assert_eq!(greeting().len(), 64);
        assert_eq!(server.look_up(DIRECTORY, b"too\0").unwrap_err(), libc::ENOENT);
        assert_eq!(server.look_up(EXECUTABLE, b"tool\0").unwrap_err(), libc::ENOENT);
    }

    #[test]
    fn reads_end_where_the_file_does() {
        let server = server(1);
        let read = |offset, size| server.read(&words64(&[1, offset, size])).unwrap();
        assert_eq!(read(0, 4), b"0123");
        assert_eq!(read(8, 4), b"89");
        assert_eq!(read(u64::MAX, 4), b"");
        assert!(server.read(&[0; 8]).is_err());
    }

    #[test]
    fn only_the_first_opens_are_answered() {
        let mut server = server(1);
        assert_eq!(server.open(), words64(&[1, 0]));
        assert_eq!(server.open(), words64(&[2, u64::from(DIRECT)]));
        assert_eq!(server.silent, HashSet::from([2]));
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        assert!(server(1).answer(&[0; 20]).is_err());
    }
}
