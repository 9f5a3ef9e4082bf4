//! One spelling for paths that several names lead to: `/bin/sh` and `/usr/bin/sh`.

use crate::root::Root;

/// Directories that distributions made links of, or are about to. Databases may still list what is
/// in them under the old name, while the kernel tells the new one; or the other way round.
const MERGED: [&str; 14] = [
    "bin",
    "sbin",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "libo32",
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "usr/lib32",
    "usr/lib64",
    "usr/libx32",
    "var/run",
];

/// How often a path is rewritten; `lib64 -> usr/lib64 -> lib` takes two.
const ROUNDS: usize = 8;

/// Which of those directories are links in one root, and where they lead.
#[derive(Debug, Default)]
pub(crate) struct Links(Vec<(Vec<u8>, Vec<u8>)>);

impl Links {
    pub(crate) fn of(root: &Root) -> Self {
        let resolve = |name: &&str| {
            let target = root.link(name.as_bytes())?;
            let from = format!("/{name}/").into_bytes();
            let mut to = if target.starts_with(b"/") { Vec::new() } else { parent(&from).to_vec() };
            to.push(b'/');
            to.extend_from_slice(&target);
            to.push(b'/');
            Some((from, tidy(&to)?))
        };
        Self(MERGED.iter().filter_map(resolve).collect())
    }

    /// The one spelling of a path: absolute, no double slashes, no merged directories. Paths that
    /// are no plain absolute ones come out as something that no other path comes out as.
    pub(crate) fn canon(&self, path: &[u8]) -> Vec<u8> {
        let mut path = tidy(path).unwrap_or_else(|| path.to_vec());
        for _ in 0..ROUNDS {
            let Some((from, to)) = self.0.iter().find(|(from, _)| path.starts_with(from)) else {
                break;
            };
            path.splice(..from.len(), to.iter().copied());
        }
        path
    }
}

/// What is left of the last slash but one: `/usr` of `/usr/lib/`, nothing of `/lib/`.
fn parent(dir: &[u8]) -> &[u8] {
    let dir = dir.strip_suffix(b"/").unwrap_or(dir);
    let end = dir.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    dir.get(..end).unwrap_or_default()
}

/// Absolute, without empty or `.` parts; a slash at the end stays. `None` where there is a `..`,
/// which databases do not have and the kernel does not tell.
fn tidy(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len() + 1);
    for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        if part == b".." {
            return None;
        }
        out.push(b'/');
        out.extend_from_slice(part);
    }
    if out.is_empty() || path.ends_with(b"/") {
        out.push(b'/');
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::symlink;

    fn links(pairs: &[(&str, &str)]) -> Links {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("usr")).unwrap();
        for (from, to) in pairs {
            symlink(to, dir.path().join(from)).unwrap();
        }
        Links::of(&Root::open(dir.path()).unwrap())
    }

    fn canon(links: &Links, path: &str) -> String {
        String::from_utf8(links.canon(path.as_bytes())).unwrap()
    }

    #[test]
    fn merged_directories_have_one_spelling() {
        let debian = links(&[("bin", "usr/bin"), ("lib64", "/usr/lib64")]);
        let arch = links(&[("bin", "usr/bin"), ("sbin", "usr/bin"), ("usr/sbin", "bin")]);
        let old = links(&[]);
        for (links, path, want) in [
            (&debian, "/bin/sh", "/usr/bin/sh"),
            (&debian, "/usr/bin/sh", "/usr/bin/sh"),
            (&debian, "//bin/./sh", "/usr/bin/sh"),
            (&debian, "bin/sh", "/usr/bin/sh"),
            (&debian, "/lib64/x", "/usr/lib64/x"),
            (&debian, "/sbin/init", "/sbin/init"),
            (&debian, "/binary", "/binary"),
            (&debian, "/bin", "/bin"),
            (&arch, "/usr/sbin/x", "/usr/bin/x"),
            (&arch, "/sbin/x", "/usr/bin/x"),
            (&old, "/bin/sh", "/bin/sh"),
            (&old, "", "/"),
            (&old, "./", "/"),
            (&old, "/bin/../sh", "/bin/../sh"),
        ] {
            assert_eq!(canon(links, path), want, "{path}");
        }
    }

    #[test]
    fn cycles_and_growth_end() {
        let cycle = links(&[("bin", "sbin"), ("sbin", "bin"), ("lib", "lib/lib/lib/lib")]);
        assert!(canon(&cycle, "/bin/x").len() < 100);
        assert!(canon(&cycle, "/lib/x").len() < 1000);
        let upward = links(&[("bin", "../../etc"), ("usr/lib", "..")]);
        assert_eq!(canon(&upward, "/bin/x"), "/bin/x");
    }

    proptest! {
        #[test]
        fn a_spelling_is_final(path in "[./binlusr\\x00]{0,40}") {
            let debian = Links(vec![(b"/bin/".to_vec(), b"/usr/bin/".to_vec())]);
            let once = debian.canon(path.as_bytes());
            prop_assert_eq!(debian.canon(&once), once);
        }
    }
}
