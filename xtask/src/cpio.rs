//! Writes the archive that the kernel unpacks as its first root (cpio, "newc"): each entry a
//! header of fixed-width hexadecimal numbers, the name, the content, both padded to four bytes.

use std::io::Result;
use std::io::Write;

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;

/// The name that ends an archive.
const END: &str = "TRAILER!!!";

/// An archive being written. Parents have to come before what is in them.
pub(crate) struct Writer<W> {
    out: W,
    written: u64,
    inode: u32,
}

impl<W: Write> Writer<W> {
    /// Starts an archive on `out`.
    pub(crate) const fn new(out: W) -> Self {
        Self { out, written: 0, inode: 0 }
    }

    /// Adds a directory that everybody may enter.
    pub(crate) fn directory(&mut self, name: &str) -> Result<()> {
        self.entry(name, DIRECTORY | 0o755, (0, 0), &[])
    }

    /// Adds a file with its permission bits.
    pub(crate) fn file(&mut self, name: &str, permissions: u32, content: &[u8]) -> Result<()> {
        self.entry(name, REGULAR | (permissions & 0o7777), (0, 0), content)
    }

    /// Adds a symbolic link.
    pub(crate) fn symlink(&mut self, name: &str, target: &str) -> Result<()> {
        self.entry(name, SYMLINK | 0o777, (0, 0), target.as_bytes())
    }

    /// Adds a character device with its major and minor number.
    pub(crate) fn character_device(&mut self, name: &str, device: (u32, u32)) -> Result<()> {
        self.entry(name, CHARACTER | 0o600, device, &[])
    }

    /// Writes the end of the archive and hands `out` back.
    pub(crate) fn finish(mut self) -> Result<W> {
        self.inode = 0;
        self.header(END, 0, (0, 0), 0, 0)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), content: &[u8]) -> Result<()> {
        let size = u32::try_from(content.len()).map_err(|_| {
            std::io::Error::other(format!("{name} is too large for a cpio archive"))
        })?;
        self.inode += 1;
        self.header(name, mode, device, size, self.inode)?;
        self.put(content)?;
        self.pad()
    }

    fn header(
        &mut self,
        name: &str,
        mode: u32,
        device: (u32, u32),
        size: u32,
        inode: u32,
    ) -> Result<()> {
        let name_size = u32::try_from(name.len() + 1).map_err(std::io::Error::other)?;
        let links = 1;
        let (owner, group, time, checksum) = (0, 0, 0, 0);
        let fields = [
            inode, mode, owner, group, links, time, size, 0, 0, device.0, device.1, name_size,
            checksum,
        ];
        self.put(b"070701")?;
        for field in fields {
            self.put(format!("{field:08x}").as_bytes())?;
        }
        self.put(name.as_bytes())?;
        self.put(&[0])?;
        self.pad()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn pad(&mut self) -> Result<()> {
        while !self.written.is_multiple_of(4) {
            self.put(&[0])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::process::Stdio;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        writer.directory("dir").unwrap();
        writer.file("dir/odd", 0o640, b"12345").unwrap();
        writer.symlink("link", "dir/odd").unwrap();
        writer.character_device("console", (5, 1)).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn header_and_padding_are_as_the_format_says() {
        let mut writer = Writer::new(Vec::new());
        writer.file("ab", 0o644, b"xyz").unwrap();
        let archive = writer.finish().unwrap();
        // 110 bytes of header, three of name with its end, three of padding, then the content.
        assert_eq!(&archive[..6], b"070701");
        assert_eq!(&archive[14..22], b"000081a4", "mode: a regular file, 0644");
        assert_eq!(&archive[54..62], b"00000003", "size of the content");
        assert_eq!(&archive[94..102], b"00000003", "size of the name");
        assert_eq!(&archive[110..116], b"ab\0\0\0\0");
        assert_eq!(&archive[116..120], b"xyz\0");
        assert_eq!(archive.len() % 4, 0);
        assert!(archive.windows(END.len()).any(|window| window == END.as_bytes()));
    }

    #[test]
    fn cpio_lists_what_was_written() {
        let Some(cpio) = crate::process::find("cpio") else {
            panic!("this test needs cpio: run `scripts/setup test`");
        };
        let mut child = Command::new(cpio)
            .args(["-itv", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&sample()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let listing = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = listing.lines().collect();
        assert_eq!(lines.len(), 4, "{listing}");
        assert!(lines[0].starts_with("drwxr-xr-x") && lines[0].ends_with("dir"), "{listing}");
        assert!(lines[1].starts_with("-rw-r-----") && lines[1].ends_with("dir/odd"), "{listing}");
        assert!(lines[2].ends_with("link -> dir/odd"), "{listing}");
        assert!(lines[3].starts_with("crw-------") && lines[3].contains("5,"), "{listing}");
    }
}
