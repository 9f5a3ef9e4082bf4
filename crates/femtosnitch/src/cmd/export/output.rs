//! Where an export goes: a file that has its name only once it is complete.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Only the user who asked: it tells who talked to whom.
const MODE: u32 = 0o600;

/// A file that is being written as `FILE.part`, which goes away if it is not finished.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    part: PathBuf,
    path: PathBuf,
    force: bool,
    finished: bool,
}

impl Output {
    /// Begins `path`; `force` replaces a file of that name at the end.
    ///
    /// # Errors
    /// If there is something of that name already, or it cannot be made.
    pub(super) fn create(path: &Path, force: bool) -> anyhow::Result<Self> {
        check(path, force)?;
        let mut part = OsString::from(path);
        part.push(".part");
        let part = PathBuf::from(part);
        if force && fs::symlink_metadata(&part).is_ok_and(|meta| meta.is_file()) {
            // Left behind by an export that was killed.
            fs::remove_file(&part).with_context(|| format!("cannot remove {}", part.display()))?;
        }
        let made = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&part);
        let file = match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(
                "{} is there: another export is writing it, or one was killed; remove it, or add \
                 --force",
                part.display()
            ),
            made => made.with_context(|| format!("cannot make {}", part.display()))?,
        };
        Ok(Self { file, part, path: path.to_owned(), force, finished: false })
    }

    /// Gives the file its name, once it is on the disk. Its size in bytes.
    ///
    /// # Errors
    /// If the disk refuses it, or if something of that name has appeared meanwhile.
    pub(super) fn finish(mut self) -> anyhow::Result<u64> {
        let path = self.path.display().to_string();
        let written = self.file.sync_all().and_then(|()| self.file.metadata());
        let bytes = written.with_context(|| format!("cannot write {path}"))?.len();
        if self.force {
            check(&self.path, true)?;
            fs::rename(&self.part, &self.path).with_context(|| format!("cannot make {path}"))?;
            self.finished = true;
        } else {
            self.name()?;
        }
        Ok(bytes)
    }

    /// A link never replaces anything, whoever made it meanwhile.
    fn name(&mut self) -> anyhow::Result<()> {
        match fs::hard_link(&self.part, &self.path) {
            // The drop takes the other name away.
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => {
                // A file system without links.
                check(&self.path, false)?;
                fs::rename(&self.part, &self.path)
                    .with_context(|| format!("cannot make {}", self.path.display()))?;
                self.finished = true;
                return Ok(());
            }
        }
        check(&self.path, false)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = fs::remove_file(&self.part)
        {
            tracing::debug!(path = %self.part.display(), %error, "left behind");
        }
    }
}

/// Whether a file of this name may be made.
fn check(path: &Path, force: bool) -> anyhow::Result<()> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot look at {shown}")),
        Ok(meta) if !meta.is_file() => {
            bail!("{shown} is there and is no file; give --output another name")
        }
        Ok(_) if !force => bail!("{shown} is there; give another name, or add --force"),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn names(dir: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|it| name(it).unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_once_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let mut output = Output::create(&path, false).unwrap();
        output.write_all(b"one").unwrap();
        assert_eq!(names(dir.path()), ["a.csv.part"]);
        let other = Output::create(&path, false).unwrap_err().to_string();
        assert!(other.contains("a.csv.part is there"), "{other}");
        assert_eq!(output.finish().unwrap(), 3);
        assert_eq!(names(dir.path()), ["a.csv"]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        drop(Output::create(&dir.path().join("b"), false).unwrap());
        assert_eq!(names(dir.path()), ["a.csv"], "what is not finished goes away");
    }

    #[test]
    fn nothing_is_replaced_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(&path, "old").unwrap();
        let refused = Output::create(&path, false).unwrap_err().to_string();
        assert!(refused.contains("--force"), "{refused}");
        let mut output = Output::create(&path, true).unwrap();
        output.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");

        // It appears while the export runs.
        let late = dir.path().join("late");
        let output = Output::create(&late, false).unwrap();
        fs::write(&late, "theirs").unwrap();
        assert!(output.finish().unwrap_err().to_string().contains("--force"));
        assert_eq!(fs::read(&late).unwrap(), b"theirs");
        assert_eq!(names(dir.path()), ["a.csv", "late"]);

        // A killed one's part goes with --force alone.
        fs::write(dir.path().join("x.part"), "half").unwrap();
        assert!(Output::create(&dir.path().join("x"), false).is_err());
        drop(Output::create(&dir.path().join("x"), true).unwrap());
    }

    #[test]
    fn what_is_no_file_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("/nowhere", &link).unwrap();
        for path in [&link, dir.path(), Path::new("/dev/null")] {
            let refused = Output::create(path, true).unwrap_err().to_string();
            assert!(refused.contains("is no file"), "{refused}");
        }
        symlink("/nowhere", dir.path().join("y.part")).unwrap();
        assert!(Output::create(&dir.path().join("y"), true).is_err());
        assert!(Output::create(&dir.path().join("no/such"), true).is_err());
    }
}
