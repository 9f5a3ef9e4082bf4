//! AppImages, by where their runtime mounts them.

use crate::text::clean;

/// Letters of the file's name that the runtime takes over, and of randomness behind them.
const NAME: usize = 6;

const PREFIX: &[u8] = b".mount_";

/// An AppImage. Anybody may make a directory of that name: it is the claim of whoever runs the
/// program, and no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppImage {
    /// Name of its file without `.AppImage`, cleaned; without a parent that tells, only the first
    /// six letters.
    pub name: String,
    /// The file itself, raw: the parent's executable, where it fits.
    pub file: Option<Vec<u8>>,
}

/// The AppImage that an executable at `exe` belongs to: `/tmp/.mount_NameXXXXXX/usr/bin/program`.
/// `parent` is the executable of the parent process, which may be the AppImage itself (its runtime
/// serves the mounted files).
#[must_use]
pub fn app_image(exe: &[u8], parent: Option<&[u8]>) -> Option<AppImage> {
    let short = mounted(exe)?;
    let file = parent.filter(|path| path.starts_with(b"/")).and_then(|path| {
        let base = path.rsplit(|byte| *byte == b'/').next()?;
        let (stem, extension) = base.split_at_checked(base.len().checked_sub(9)?)?;
        let fits = extension.eq_ignore_ascii_case(b".AppImage") && base.starts_with(short);
        (fits && !stem.is_empty()).then_some((path, stem))
    });
    Some(match file {
        Some((path, stem)) => AppImage { name: clean(stem), file: Some(path.to_vec()) },
        None => AppImage { name: clean(short), file: None },
    })
}

/// What the runtime took over of the file's name.
fn mounted(exe: &[u8]) -> Option<&[u8]> {
    let in_tmp = exe.strip_prefix(b"/tmp/").or_else(|| exe.strip_prefix(b"/var/tmp/"));
    // TMPDIR of some logins.
    let rest = in_tmp.or_else(|| {
        let rest = exe.strip_prefix(b"/run/user/")?;
        let slash = rest.iter().position(|byte| *byte == b'/')?;
        let (uid, rest) = rest.split_at_checked(slash)?;
        uid.iter().all(u8::is_ascii_digit).then_some(rest.strip_prefix(b"/")?)
    })?;
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    let (directory, rest) = rest.split_at_checked(slash)?;
    let name = directory.strip_prefix(PREFIX)?;
    let (short, random) = name.split_at_checked(name.len().checked_sub(NAME)?)?;
    let fine = (1..=NAME).contains(&short.len())
        && random.iter().all(u8::is_ascii_alphanumeric)
        && rest.len() > 1;
    fine.then_some(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_mount_and_the_parent_tell() {
        let exe = b"/tmp/.mount_nvim.aK3xYz9/usr/bin/nvim";
        let short = app_image(exe, Some(b"/usr/bin/bash")).unwrap();
        assert_eq!((short.name.as_str(), short.file), ("nvim.a", None));
        let file = b"/home/ann/Apps/nvim.appimage".as_slice();
        let full = app_image(exe, Some(file)).unwrap();
        assert_eq!((full.name.as_str(), full.file.as_deref()), ("nvim", Some(file)));
        assert_eq!(app_image(exe, Some(b"/x/Krita.AppImage")).unwrap().name, "nvim.a");
        assert!(app_image(b"/run/user/1000/.mount_KritaAbCdEf/AppRun", None).is_some());
    }

    #[test]
    fn others_are_none() {
        for exe in [
            "/usr/bin/nvim",
            "/tmp/.mount_nvim",
            "/tmp/.mount_AbCdEf/AppRun",
            "/tmp/.mount_nvim.aK3xYz9",
            "/tmp/.mount_nvim.aK3xYz9/",
            "/tmp/.mount_toolongname123456/x",
            "/home/ann/.mount_nvim.aK3xYz9/x",
            "/tmp/x/.mount_nvim.aK3xYz9/x",
        ] {
            assert_eq!(app_image(exe.as_bytes(), None), None, "{exe}");
        }
    }

    proptest! {
        #[test]
        fn names_are_harmless(name in prop::collection::vec(any::<u8>(), 0..12)) {
            let exe = [b"/tmp/.mount_", name.as_slice(), b"AbCdEf/x"].concat();
            if let Some(image) = app_image(&exe, None) {
                prop_assert!(!image.name.chars().any(char::is_control));
            }
        }
    }
}
