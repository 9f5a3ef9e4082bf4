//! Executing what has no name, as malware does that wants to leave no file.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::Doing;
use crate::Error;
use crate::Result;
use crate::sys::process;

/// Where the contents are when they are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Nameless {
    /// In a file in memory (`memfd_create(2)`).
    Memory,
    /// In the file itself, which was removed.
    Removed,
    /// In a file beside it that never had a name (`O_TMPFILE`).
    Unnamed,
}

/// How it is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// `fexecve(3)`.
    Descriptor,
    /// `execve(2)` of `/proc/self/fd/N`.
    Link,
}

/// Executes the contents of `path`; returns only an error.
///
/// # Errors
/// If the contents cannot be put there, or not be executed.
pub fn execute(what: Nameless, by: Way, path: &Path) -> Result<()> {
    let contents = std::fs::read(path).doing("reading the program")?;
    let file = match what {
        Nameless::Memory => {
            let mut file = process::memory_file().doing("making a file in memory")?;
            file.write_all(&contents).doing("writing to memory")?;
            file
        }
        Nameless::Removed => {
            let file = File::open(path).doing("opening the program")?;
            std::fs::remove_file(path).doing("removing the program")?;
            file
        }
        Nameless::Unnamed => unnamed(path, &contents)?,
    };
    let error = match by {
        Way::Descriptor => process::execute(&file, &[c"nameless"]),
        Way::Link => Command::new(link(&file)).exec(),
    };
    Err(error).doing("executing a file without a name")
}

fn unnamed(path: &Path, contents: &[u8]) -> Result<File> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_TMPFILE).mode(0o755);
    let mut writing = match options.open(directory) {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            return Err(Error::Unsupported("no unnamed files here".to_owned()));
        }
        other => other.doing("making a file without a name")?,
    };
    writing.write_all(contents).doing("writing to a file without a name")?;
    // What is open for writing cannot be executed.
    File::open(link(&writing)).doing("opening a file without a name")
}

fn link(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// What the kernel calls the file in memory, without the mark of one that was removed.
#[must_use]
pub fn memory_path() -> String {
    format!("memfd:{}", process::MEMORY_NAME.to_string_lossy())
}
