//! Home directories, from `/etc/passwd`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Larger than any that is kept in a file.
pub(super) const PASSWD_LIMIT: u64 = 16 << 20;

/// The home directory of the first entry of this user in the text of `/etc/passwd`, if it is an
/// absolute path without `..` and not the root itself.
pub(super) fn home(passwd: &[u8], uid: u32) -> Option<PathBuf> {
    let uid = uid.to_string();
    let line = passwd.split(|byte| *byte == b'\n').find(|line| {
        line.split(|byte| *byte == b':').nth(2).is_some_and(|field| field == uid.as_bytes())
    })?;
    let home = line.split(|byte| *byte == b':').nth(5)?;
    let path = Path::new(OsStr::from_bytes(home));
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let fine = path.is_absolute()
        && path.components().count() > 1
        && path.components().all(plain)
        && !home.contains(&0);
    fine.then(|| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn homes_are_found_by_uid() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\n\
            1000:x:1:1::/wrong:/bin/sh\n\
            ann:x:1000:1000:Ann,,,:/home/ann:/bin/bash\n\
            again:x:1000:1000::/home/other:/bin/bash\n\
            up:x:1001:1001::/home/ann/../../etc:/bin/bash\n\
            rel:x:1002:1002::home:/bin/bash\nslash:x:1003:1::/:\nshort:x:1004\n";
        assert_eq!(home(passwd, 0), Some("/root".into()));
        assert_eq!(home(passwd, 1000), Some("/home/ann".into()));
        for uid in [1, 1001, 1002, 1003, 1004, 1005] {
            let want = (uid == 1).then(|| PathBuf::from("/wrong"));
            assert_eq!(home(passwd, uid), want, "{uid}");
        }
    }

    proptest! {
        #[test]
        fn anything_goes(text: Vec<u8>, uid in 0_u32..10) {
            home(&text, uid);
        }
    }
}
