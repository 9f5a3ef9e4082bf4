//! The digest that fs-verity enforces of a file (`FS_IOC_MEASURE_VERITY`, Linux 5.4).

use std::fmt::Write as _;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `_IOWR('f', 134, struct fsverity_digest)`, whose head has four bytes.
const MEASURE: libc::c_ulong = 0xc004_6686;
/// `FS_VERITY_MAX_DIGEST_SIZE`.
const DIGEST: u16 = 64;

/// `struct fsverity_digest` with room for the longest digest.
#[repr(C)]
struct Measured {
    algorithm: u16,
    size: u16,
    digest: [u8; DIGEST as usize],
}

/// As `fsverity measure` shows it: `sha256:…`. It is the root of a tree of hashes, not the digest of
/// the contents. `None` for a file without, or a file system that has no such thing.
#[must_use]
pub fn digest(file: BorrowedFd<'_>) -> Option<String> {
    let mut out = Measured { algorithm: 0, size: DIGEST, digest: [0; DIGEST as usize] };
    // SAFETY: the descriptor is open; the kernel writes at most `size` bytes of digest.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), MEASURE, &raw mut out) };
    if done != 0 {
        return None;
    }
    let name = match out.algorithm {
        1 => "sha256",
        2 => "sha512",
        _ => "unknown",
    };
    let mut text = format!("{name}:");
    for byte in out.digest.get(..usize::from(out.size))? {
        write!(text, "{byte:02x}").ok()?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn a_plain_file_has_none() {
        assert_eq!(digest(File::open("/proc/self/exe").unwrap().as_fd()), None);
        assert_eq!(digest(File::open("/dev/null").unwrap().as_fd()), None);
    }
}
