//! Programs, as what lasts while their files are replaced.

use std::borrow::Cow;

/// Letters that AppImage's runtime adds to the name of its mount.
const RANDOM: usize = 6;

/// The part of an executable's path that stays the same from one run and one version to the next:
/// without the letters that an AppImage's mount is given by chance
/// (`/tmp/.mount_KritaAbC123/usr/bin/krita`) and without a snap's revision (`/snap/NAME/1234/…`).
/// All other paths are returned as they are.
#[must_use]
pub fn program_path(path: &str) -> Cow<'_, str> {
    app_image(path).or_else(|| snap(path)).map_or(Cow::Borrowed(path), Cow::Owned)
}

fn app_image(path: &str) -> Option<String> {
    let at = path.find("/.mount_")?;
    let (before, mount) = path.split_at_checked(at + 1)?;
    let (mount, rest) = mount.split_at_checked(mount.find('/')?)?;
    let (name, random) = mount.split_at_checked(mount.len().checked_sub(RANDOM)?)?;
    let fits = name.len() > ".mount_".len() && random.bytes().all(|it| it.is_ascii_alphanumeric());
    fits.then(|| format!("{before}{name}{rest}"))
}

fn snap(path: &str) -> Option<String> {
    let root = ["/snap/", "/var/lib/snapd/snap/"].into_iter().find(|it| path.starts_with(it))?;
    let (name, rest) = path.strip_prefix(root)?.split_once('/')?;
    let (revision, rest) = rest.split_once('/')?;
    // `x1` is the first of those that were installed from a file.
    let number = revision.strip_prefix('x').unwrap_or(revision);
    let fits = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
    fits.then(|| format!("{root}{name}/current/{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_changes_with_every_run_or_version_is_left_out() {
        for (path, lasting) in [
            ("/tmp/.mount_KritaAbC123/usr/bin/krita", "/tmp/.mount_Krita/usr/bin/krita"),
            ("/run/user/1000/.mount_xAAAAAA/AppRun", "/run/user/1000/.mount_x/AppRun"),
            ("/snap/firefox/4173/usr/lib/firefox", "/snap/firefox/current/usr/lib/firefox"),
            ("/var/lib/snapd/snap/jq/x2/bin/jq", "/var/lib/snapd/snap/jq/current/bin/jq"),
        ] {
            assert_eq!(program_path(path), lasting);
        }
    }

    #[test]
    fn everything_else_stays() {
        for path in [
            "",
            "/usr/bin/curl",
            "(unknown)",
            "/tmp/.mount_AbC123/x",
            "/tmp/.mount_",
            "/tmp/.mount_Krita-----/x",
            "/snap/firefox/current/bin/x",
            "/snap/firefox",
            "/home/snap/firefox/1/x",
        ] {
            assert_eq!(program_path(path), path);
        }
    }

    proptest! {
        #[test]
        fn no_path_is_too_strange(path in "(/|\\.mount_|snap|é|x|1|\u{0}){0,12}") {
            let lasting = program_path(&path).into_owned();
            prop_assert!(lasting.len() <= path.len() + "current".len());
        }
    }
}
