//! The records that fanotify writes, as plain bytes.

/// Names a file: file system and handle. Two are equal exactly if they name the same inode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileKey(Box<[u8]>);

impl FileKey {
    pub(super) fn new(file_system: [u8; 8], kind: i32, handle: &[u8]) -> Self {
        Self([&file_system, kind.to_ne_bytes().as_slice(), handle].concat().into())
    }
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A watched file's contents, attributes, links or name changed.
    Changed {
        /// Which.
        key: FileKey,
        /// Its last link and last user are gone; it is no longer watched.
        gone: bool,
        /// The process that wrote to it, or closed it after it may have written; `None` for other
        /// changes.
        writer: Option<u32>,
    },
    /// Events were lost: any watched file may have changed.
    Overflow,
}

const METADATA: usize = 24;
const INFO_FID: u8 = 1;

/// Reads every record in `bytes`. One that names no file counts as lost: better to look at all
/// files once more than to trust a digest too long.
pub(super) fn parse(mut bytes: &[u8]) -> Vec<Change> {
    let mut changes = Vec::new();
    while let Some((len, mask)) = header(bytes) {
        let Some((record, rest)) = bytes.split_at_checked(len) else { break };
        bytes = rest;
        let key = record.get(METADATA..).and_then(file_key);
        changes.push(match key {
            Some(key) if mask & libc::FAN_Q_OVERFLOW == 0 => {
                let writes = mask & (libc::FAN_MODIFY | libc::FAN_CLOSE_WRITE) != 0;
                let writer = writes.then(|| pid(record)).flatten();
                Change::Changed { key, gone: mask & libc::FAN_DELETE_SELF != 0, writer }
            }
            _ => Change::Overflow,
        });
    }
    if !bytes.is_empty() {
        changes.push(Change::Overflow);
    }
    changes
}

/// Length and mask of the record at the start.
fn header(bytes: &[u8]) -> Option<(usize, u64)> {
    let len = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let mask = u64::from_ne_bytes(*bytes.get(8..)?.first_chunk()?);
    (len >= METADATA).then_some((len, mask))
}

/// The process that did it; 0 stands for one that our pid namespace does not have.
fn pid(record: &[u8]) -> Option<u32> {
    let pid = i32::from_ne_bytes(*record.get(20..)?.first_chunk()?);
    u32::try_from(pid).ok().filter(|pid| *pid != 0)
}

/// The file that the first information record names.
fn file_key(info: &[u8]) -> Option<FileKey> {
    let len = usize::from(u16::from_ne_bytes(*info.get(2..)?.first_chunk()?));
    let info = info.get(..len).filter(|info| info.first() == Some(&INFO_FID))?;
    let file_system = *info.get(4..)?.first_chunk()?;
    let size = u32::from_ne_bytes(*info.get(12..)?.first_chunk()?) as usize;
    let kind = i32::from_ne_bytes(*info.get(16..)?.first_chunk()?);
    let handle = info.get(20..)?.get(..size).filter(|handle| !handle.is_empty())?;
    Some(FileKey::new(file_system, kind, handle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(mask: u64, handle: &[u8]) -> Vec<u8> {
        let info = 20 + handle.len();
        let mut out = Vec::new();
        out.extend(u32::try_from(METADATA + info).unwrap().to_ne_bytes());
        out.extend([3, 0, 24, 0]);
        out.extend(mask.to_ne_bytes());
        out.extend([0xff; 4]);
        out.extend(77i32.to_ne_bytes());
        out.extend([INFO_FID, 0]);
        out.extend(u16::try_from(info).unwrap().to_ne_bytes());
        out.extend([7; 8]);
        out.extend(u32::try_from(handle.len()).unwrap().to_ne_bytes());
        out.extend(1i32.to_ne_bytes());
        out.extend(handle);
        out
    }

    #[test]
    fn records_follow_each_other() {
        let bytes =
            [record(libc::FAN_MODIFY, b"abcd"), record(libc::FAN_DELETE_SELF, b"efgh")].concat();
        let key = |handle| FileKey::new([7; 8], 1, handle);
        let want = [
            Change::Changed { key: key(b"abcd"), gone: false, writer: Some(77) },
            Change::Changed { key: key(b"efgh"), gone: true, writer: None },
        ];
        assert_eq!(parse(&bytes), want);
    }

    #[test]
    fn what_cannot_be_told_is_an_overflow() {
        assert_eq!(parse(&record(libc::FAN_Q_OVERFLOW, b"abcd")), [Change::Overflow]);
        assert_eq!(parse(&record(libc::FAN_MODIFY, b"")), [Change::Overflow]);
        let whole = record(libc::FAN_MODIFY, b"abcd");
        for cut in 1..whole.len() {
            assert_eq!(parse(&whole[..cut]), [Change::Overflow], "cut at {cut}");
        }
        assert_eq!(parse(b""), []);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            parse(&bytes);
        }
    }
}
