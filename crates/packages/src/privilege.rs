//! What running a file grants: set-user-ID, set-group-ID, file capabilities.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt;

use rustix::fs::StatVfsMountFlags;

use crate::bytes::le32;

/// Names by number, from `linux/capability.h` up to Linux 5.9 (none was added since).
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

const S_ISUID: u32 = 0o4000;
const S_ISGID: u32 = 0o2000;
const S_IXGRP: u32 = 0o0010;

/// `VFS_CAP_REVISION_MASK` and `VFS_CAP_FLAGS_EFFECTIVE` of `linux/capability.h`.
const REVISION: u32 = 0xff00_0000;
const EFFECTIVE: u32 = 1;

/// What running a file grants, see `execve(2)` and `capabilities(7)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Privilege {
    /// It runs as this user, whoever starts it.
    pub setuid: Option<u32>,
    /// It runs as this group. The bit alone, without permission to execute, once meant mandatory
    /// locking, and grants nothing.
    pub setgid: Option<u32>,
    /// It gets these capabilities.
    pub capabilities: Option<FileCapabilities>,
    /// All that is void: the file system is mounted `nosuid`, as this descriptor sees it.
    pub nosuid: bool,
}

/// Capabilities that a file carries in `security.capability`. A set has bit 1 << number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileCapabilities {
    /// Those that whoever runs it gets.
    pub permitted: u64,
    /// Those that it keeps if whoever runs it passes them on.
    pub inheritable: u64,
    /// They are in effect from the start; otherwise the program must raise them.
    pub effective: bool,
    /// They count only in user namespaces whose root is this user (version 3).
    pub rootid: Option<u32>,
}

impl Privilege {
    /// What an open file grants.
    ///
    /// # Errors
    /// As `fstat(2)` and `fgetxattr(2)`; `InvalidData` for an attribute that the kernel would not
    /// take either. A file system without attributes is no error.
    pub fn of(file: &File) -> std::io::Result<Self> {
        let meta = file.metadata()?;
        let (mode, regular) = (meta.mode(), meta.is_file());
        let is_setgid = mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
        Ok(Self {
            setuid: (regular && mode & S_ISUID != 0).then(|| meta.uid()),
            setgid: (regular && is_setgid).then(|| meta.gid()),
            capabilities: capabilities(file)?,
            nosuid: rustix::fs::fstatvfs(file)?.f_flag.contains(StatVfsMountFlags::NOSUID),
        })
    }

    /// It grants nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.nosuid || self.setuid.is_none() && self.setgid.is_none() && self.capabilities.is_none()
    }
}

fn capabilities(file: &File) -> std::io::Result<Option<FileCapabilities>> {
    use rustix::io::Errno;
    // No version has more than 24 bytes; what is longer (ERANGE) is none.
    let mut value = [0; 32];
    match rustix::fs::fgetxattr(file, "security.capability", &mut value) {
        Ok(len) => {
            let value = value.get(..len).unwrap_or_default();
            let odd = std::io::ErrorKind::InvalidData;
            FileCapabilities::parse(value).map(Some).ok_or_else(|| odd.into())
        }
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(Errno::RANGE) => Err(std::io::ErrorKind::InvalidData.into()),
        Err(error) => Err(error.into()),
    }
}

impl FileCapabilities {
    /// The value of `security.capability`: `struct vfs_cap_data` of version 1 or 2, or
    /// `struct vfs_ns_cap_data`, little-endian. `None` for any other length or version.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let head = le32(value, 0)?;
        let (words, has_root) = match (head & REVISION, value.len()) {
            (0x0100_0000, 12) => (1, false),
            (0x0200_0000, 20) => (2, false),
            (0x0300_0000, 24) => (2, true),
            _ => return None,
        };
        let set = |first: usize| {
            let low = u64::from(le32(value, first)?);
            let high = if words == 2 { le32(value, first + 8)? } else { 0 };
            Some(low | u64::from(high) << 32)
        };
        Some(Self {
            permitted: set(4)?,
            inheritable: set(8)?,
            effective: head & EFFECTIVE != 0,
            rootid: if has_root { Some(le32(value, 20)?) } else { None },
        })
    }
}

/// As `getcap(8)`: `cap_net_raw=ep`; those of different flags apart, `[rootid=1000]` at the end.
impl fmt::Display for FileCapabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effective = if self.effective { "e" } else { "" };
        let both = self.permitted & self.inheritable;
        let sets = [(both, "ip"), (self.permitted & !both, "p"), (self.inheritable & !both, "i")];
        let mut between = "";
        for (set, flags) in sets.into_iter().filter(|(set, _)| *set != 0) {
            f.write_str(between)?;
            names(f, set)?;
            write!(f, "={effective}{flags}")?;
            between = " ";
        }
        if between.is_empty() {
            f.write_str("=")?;
        }
        self.rootid.map_or(Ok(()), |root| write!(f, " [rootid={root}]"))
    }
}

fn names(f: &mut fmt::Formatter<'_>, set: u64) -> fmt::Result {
    let mut between = "";
    for number in (0..64usize).filter(|number| set >> number & 1 != 0) {
        f.write_str(between)?;
        match NAMES.get(number) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "{number}")?,
        }
        between = ",";
    }
    Ok(())
}

/// `setuid root, setgid 42, cap_net_raw=ep`; `-` for nothing.
impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |id: u32| if id == 0 { "root".to_owned() } else { id.to_string() };
        let parts: Vec<String> = [
            self.setuid.map(|user| format!("setuid {}", id(user))),
            self.setgid.map(|group| format!("setgid {}", id(group))),
            self.capabilities.map(|capabilities| capabilities.to_string()),
        ]
        .into_iter()
        .flatten()
        .collect();
        if parts.is_empty() {
            return f.write_str("-");
        }
        f.write_str(&parts.join(", "))?;
        if self.nosuid { f.write_str(" (void: mounted nosuid)") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    fn value(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn shown(words: &[u32]) -> Option<String> {
        FileCapabilities::parse(&value(words)).map(|capabilities| capabilities.to_string())
    }

    #[test]
    fn each_version_is_decoded() {
        for (words, want) in [
            (&[0x0100_0001, 1 << 13, 0][..], Some("cap_net_raw=ep")),
            (&[0x0200_0001, 1 << 13, 0, 0, 0], Some("cap_net_raw=ep")),
            (&[0x0200_0000, 3 << 12, 0, 0, 0], Some("cap_net_admin,cap_net_raw=p")),
            (
                &[0x0200_0001, 1 << 12, 1 << 13, 1 << 7, 0],
                Some("cap_net_admin,cap_bpf=ep cap_net_raw=ei"),
            ),
            (&[0x0200_0001, 1, 1, 0, 0], Some("cap_chown=eip")),
            (&[0x0200_0000, 0, 0, 1 << 31, 0], Some("63=p")),
            (&[0x0300_0001, 1 << 13, 0, 0, 0, 1000], Some("cap_net_raw=ep [rootid=1000]")),
            (&[0x0200_0000, 0, 0, 0, 0], Some("=")),
            (&[0x0100_0001, 1 << 13, 0, 0, 0], None),
            (&[0x0200_0001, 1 << 13, 0], None),
            (&[0x0400_0001, 0, 0, 0, 0, 0], None),
            (&[], None),
        ] {
            assert_eq!(shown(words).as_deref(), want, "{words:x?}");
        }
    }

    #[test]
    fn bits_and_attributes_of_a_file_are_seen() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = file.as_file();
        let with = |mode| {
            file.set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            Privilege { nosuid: false, ..Privilege::of(file).unwrap() }
        };
        let meta = file.metadata().unwrap();
        assert_eq!(with(0o755).to_string(), "-");
        assert!(with(0o755).is_none() && with(0o2644).is_none());
        assert_eq!((with(0o4755).setuid, with(0o4755).setgid), (Some(meta.uid()), None));
        assert_eq!(with(0o2755).setgid, Some(meta.gid()));
        let raw = value(&[0x0200_0001, 1 << 13, 0, 0, 0]);
        let flags = rustix::fs::XattrFlags::empty();
        // Only root can set it, and only where the file system keeps attributes.
        if rustix::fs::fsetxattr(file, "security.capability", &raw, flags).is_ok() {
            assert_eq!(with(0o755).to_string(), "cap_net_raw=ep");
        }
    }

    #[test]
    fn privileges_are_told_in_words() {
        let capabilities = FileCapabilities::parse(&value(&[0x0200_0001, 1, 0, 0, 0]));
        let all = Privilege { setuid: Some(0), setgid: Some(42), capabilities, nosuid: false };
        assert_eq!(all.to_string(), "setuid root, setgid 42, cap_chown=ep");
        let void = Privilege { setuid: Some(1000), nosuid: true, ..Privilege::default() };
        assert_eq!(void.to_string(), "setuid 1000 (void: mounted nosuid)");
        assert!(void.is_none() && !all.is_none());
    }

    proptest! {
        #[test]
        fn anything_is_survived(value: Vec<u8>) {
            if let Some(capabilities) = FileCapabilities::parse(&value) {
                prop_assert!(!capabilities.to_string().is_empty());
            }
        }
    }
}
