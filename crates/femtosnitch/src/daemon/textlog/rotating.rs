//! A file of lines that is renamed when it has grown long enough: `NAME`, `NAME.1`, `NAME.2` …

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use femtosnitch_sys::owner;

const FILE_MODE: u32 = 0o640;
const DIR_MODE: u32 = 0o750;
/// Read at a time when looking for the end of the last whole line.
const STEP: u64 = 64 << 10;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Rotating {
    path: PathBuf,
    /// What each file begins with: a line, or nothing.
    head: Vec<u8>,
    max: u64,
    keep: u32,
    gid: Option<u32>,
    file: Option<File>,
}

impl Rotating {
    /// Opens nothing yet.
    pub(super) fn new(path: PathBuf, head: Vec<u8>, max: u64, keep: u32, gid: Option<u32>) -> Self {
        Self { path, head, max, keep, gid, file: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines. A file that somebody moved away is begun anew.
    ///
    /// # Errors
    /// As the disk has them; the file ends with a whole line then, too.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut file = self.current()?;
        let mut size = file.metadata()?.len();
        let added = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        // What is longer than a whole file has one of its own.
        if size > self.head_len() && size.saturating_add(added) > self.max {
            drop(file);
            self.rotate()?;
            file = self.current()?;
            size = file.metadata()?.len();
        }
        let written = if size == 0 { file.write_all(&self.head) } else { Ok(()) };
        if let Err(error) = written.and_then(|()| file.write_all(lines)) {
            // Not half a line. Should that fail as well, the next start mends it.
            drop(file.set_len(size));
            return Err(error);
        }
        self.file = Some(file);
        Ok(())
    }

    fn head_len(&self) -> u64 {
        u64::try_from(self.head.len()).unwrap_or(u64::MAX)
    }

    /// The file that has the name now.
    fn current(&mut self) -> io::Result<File> {
        if let Some(file) = self.file.take() {
            let (ours, named) = (file.metadata()?, fs::symlink_metadata(&self.path));
            let same = |named: fs::Metadata| (named.dev(), named.ino()) == (ours.dev(), ours.ino());
            if named.is_ok_and(same) {
                return Ok(file);
            }
        }
        let file = self.open()?;
        if self.is_of_another_kind(&file)? {
            // Of an earlier version, with other columns.
            self.rotate()?;
            return self.open();
        }
        Ok(file)
    }

    fn open(&self) -> io::Result<File> {
        if let Some(directory) = self.path.parent() {
            owner::ensure_dir(directory, DIR_MODE, self.gid)?;
        }
        let file = owner::append_to(&self.path, FILE_MODE, self.gid)?;
        mend(&file)?;
        Ok(file)
    }

    fn is_of_another_kind(&self, file: &File) -> io::Result<bool> {
        let size = file.metadata()?.len();
        if size == 0 || self.head.is_empty() {
            return Ok(false);
        }
        let mut start = vec![0; self.head.len()];
        match file.read_exact_at(&mut start, 0) {
            Ok(()) => Ok(start != self.head),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    /// Gives each file the next name, up to the first name that is free: interrupted at any point,
    /// it leaves every file that is to be kept, and a later call goes on from there.
    fn rotate(&self) -> io::Result<()> {
        self.prune()?;
        if self.keep == 0 {
            return fs::remove_file(&self.path);
        }
        let free = (1..self.keep).find(|&number| !is_there(&self.numbered(number)));
        for number in (1..free.unwrap_or(self.keep)).rev() {
            fs::rename(self.numbered(number), self.numbered(number + 1))?;
        }
        fs::rename(&self.path, self.numbered(1))
    }

    /// Removes what an earlier configuration kept.
    fn prune(&self) -> io::Result<()> {
        for number in self.keep.saturating_add(1).. {
            let path = self.numbered(number);
            if !is_there(&path) {
                break;
            }
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Takes away a last line that is not whole: whoever wrote it was killed.
fn mend(file: &File) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut end = size;
    let mut buffer = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        buffer.resize(usize::try_from(end - start).unwrap_or_default(), 0);
        file.read_exact_at(&mut buffer, start)?;
        if let Some(at) = buffer.iter().rposition(|&byte| byte == b'\n') {
            end = start.saturating_add(u64::try_from(at).unwrap_or_default()).saturating_add(1);
            break;
        }
        end = start;
    }
    if end < size { file.set_len(end) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"a,b\n";

    fn log(dir: &Path, max: u64, keep: u32) -> Rotating {
        Rotating::new(dir.join("logs/c.csv"), HEAD.to_vec(), max, keep, None)
    }

    /// Name and contents of every file.
    fn files(dir: &Path) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(dir.join("logs"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn named(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
    }

    #[test]
    fn long_files_are_renamed_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log(dir.path(), 14, 2);
        for number in 1..=7 {
            log.append(format!("{number},{number}{number}\n").as_bytes()).unwrap();
        }
        assert_eq!(
            files(dir.path()),
            named(&[
                ("c.csv", "a,b\n7,77\n"),
                ("c.csv.1", "a,b\n5,55\n6,66\n"),
                ("c.csv.2", "a,b\n3,33\n4,44\n"),
            ])
        );
        let meta = fs::metadata(log.path()).unwrap();
        assert_eq!(meta.mode() & 0o7777, FILE_MODE);
        // What does not fit into any file has one of its own.
        log.append(b"long,long,long,long\n").unwrap();
        log.append(b"8,88\n").unwrap();
        assert_eq!(files(dir.path())[1].1, "a,b\nlong,long,long,long\n");
        // Fewer are kept from now on.
        let mut log = self::log(dir.path(), 14, 0);
        log.append(b"9,99\n").unwrap();
        log.append(b"9,99\n").unwrap();
        assert_eq!(files(dir.path()), named(&[("c.csv", "a,b\n9,99\n")]));
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log(dir.path(), 1_000, 2);
        log.append(b"1,1\n").unwrap();
        let moved = dir.path().join("logs/moved");
        fs::rename(log.path(), &moved).unwrap();
        log.append(b"2,2\n").unwrap();
        assert_eq!(fs::read(&moved).unwrap(), b"a,b\n1,1\n");
        assert_eq!(fs::read(log.path()).unwrap(), b"a,b\n2,2\n");
        // Or emptied where it is.
        File::create(log.path()).unwrap();
        log.append(b"3,3\n").unwrap();
        assert_eq!(fs::read(log.path()).unwrap(), b"a,b\n3,3\n");
        fs::remove_file(log.path()).unwrap();
        log.append(b"4,4\n").unwrap();
        assert_eq!(fs::read(log.path()).unwrap(), b"a,b\n4,4\n");
        // A directory's loss is no end either.
        fs::remove_dir_all(dir.path().join("logs")).unwrap();
        log.append(b"5,5\n").unwrap();
        assert_eq!(fs::read(log.path()).unwrap(), b"a,b\n5,5\n");
    }

    #[test]
    fn what_a_killed_one_left_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        log(dir.path(), 1_000_000, 2).append(b"1,1\n").unwrap();
        let path = dir.path().join("logs/c.csv");
        let long = "x".repeat(200_000);
        for (left, kept) in [
            ("a,b\n1,1\n2,", "a,b\n1,1\n"),
            (&format!("a,b\n1,1\n{long}"), "a,b\n1,1\n"),
            ("a,", ""),
            ("", ""),
        ] {
            fs::write(&path, left).unwrap();
            log(dir.path(), 1_000_000, 2).append(b"3,3\n").unwrap();
            let kept = if kept.is_empty() { "a,b\n" } else { kept };
            assert_eq!(
                fs::read_to_string(&path).unwrap(),
                format!("{kept}3,3\n"),
                "{}",
                left.len()
            );
        }
        // Other columns are another file.
        fs::write(&path, "a\n1\n").unwrap();
        log(dir.path(), 1_000, 2).append(b"3,3\n").unwrap();
        let expected = named(&[("c.csv", "a,b\n3,3\n"), ("c.csv.1", "a\n1\n")]);
        assert_eq!(files(dir.path()), expected);
    }

    /// Killed after any rename, and started again: no file is lost that was to be kept.
    #[test]
    fn an_interrupted_rotation_loses_nothing() {
        for done in 0..=3 {
            let dir = tempfile::tempdir().unwrap();
            let logs = dir.path().join("logs");
            fs::create_dir(&logs).unwrap();
            let name = |number: u32| {
                if number == 0 { logs.join("c.csv") } else { logs.join(format!("c.csv.{number}")) }
            };
            for number in 0..=2 {
                fs::write(name(number), format!("a,b\n{number}\n")).unwrap();
            }
            // The renames of a rotation with three to keep, in their order, as far as it came.
            for number in (0..=2).rev().take(done) {
                fs::rename(name(number), name(number + 1)).unwrap();
            }
            let mut log = log(dir.path(), 6, 3);
            log.append(b"new\n").unwrap();
            let all: String = files(dir.path()).into_iter().map(|(_, text)| text).collect();
            for text in ["new\n", "0\n", "1\n", "2\n"] {
                assert!(all.contains(text), "{done}: {all:?}");
            }
            assert_eq!(files(dir.path()).len(), 4, "{done}");
        }
    }

    #[test]
    fn what_is_in_the_way_is_an_error_and_passes() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log(dir.path(), 1_000, 2);
        fs::write(dir.path().join("logs"), "").unwrap();
        assert!(log.append(b"1,1\n").is_err());
        fs::remove_file(dir.path().join("logs")).unwrap();
        fs::create_dir(dir.path().join("logs")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", log.path()).unwrap();
        assert!(log.append(b"1,1\n").is_err());
        fs::remove_file(log.path()).unwrap();
        log.append(b"2,2\n").unwrap();
        assert_eq!(files(dir.path()), named(&[("c.csv", "a,b\n2,2\n")]));
    }
}
