//! Packages that are directories or file systems of their own: Nix, Guix, Flatpak, Snap.
//!
//! Only places count into which nobody but root can put a file. A user's own Flatpak installation
//! is like any other directory of that user: what is in it is not packaged.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use rustix::fs::StatVfsMountFlags;

use crate::answer::{Answer, Manager, Owner, Reason, State};
use crate::bytes::clean;
use crate::root::Root;

/// What Flatpak puts into the root of each sandbox.
const FLATPAK_INFO: &[u8] = b".flatpak-info";

/// Largest of those.
const MAX_INFO: u64 = 1 << 20;

/// `SQUASHFS_MAGIC` of `linux/magic.h`. What FUSE mounts has another one.
const SQUASHFS: u64 = 0x7371_7368;

/// Where Fedora has snaps.
const SNAPD: &[u8] = b"/var/lib/snapd/snap";

/// Characters of a store's hash.
const STORE_HASH: usize = 32;

/// Hexadecimal digits of a commit of OSTree.
const COMMIT: usize = 64;

/// The answer for a path in such a place, `None` for any other.
pub(crate) fn identify(root: &Root, path: &[u8], file: &File) -> Option<Answer> {
    if let Some(owner) = snap(path) {
        let is_image = is_mounted(root, path, file) && read_only_squashfs(file);
        return Some(Answer::of(owner, if is_image { State::Intact } else { convention(file) }));
    }
    let owner = store(path).or_else(|| flatpak(path)).or_else(|| sandboxed(root, path))?;
    Some(Answer::of(owner, convention(file)))
}

/// The next part of a path, and what is behind it.
fn part(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = path.iter().position(|&byte| byte == b'/')?;
    let (part, rest) = path.split_at_checked(slash)?;
    (!matches!(part, b"" | b"." | b"..")).then_some((part, rest.get(1..)?))
}

fn owner(manager: Manager, package: &[u8], version: &[u8], architecture: &[u8]) -> Owner {
    Owner {
        manager,
        package: clean(package),
        version: clean(version),
        architecture: clean(architecture),
    }
}

/// `/nix/store/HASH-NAME-VERSION/…`, or a single file of that name.
fn store(path: &[u8]) -> Option<Owner> {
    let stores: [(&[u8], Manager); 2] =
        [(b"/nix/store/", Manager::Nix), (b"/gnu/store/", Manager::Guix)];
    let (rest, manager) =
        stores.into_iter().find_map(|(dir, manager)| Some((path.strip_prefix(dir)?, manager)))?;
    let item = rest.split(|&byte| byte == b'/').next()?;
    let (hash, name) = item.split_at_checked(STORE_HASH)?;
    let name = name.strip_prefix(b"-").filter(|name| !name.is_empty())?;
    if !hash.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return None;
    }
    // The version begins behind the first dash that no letter follows, as `nix-env(1)` has it.
    let dash = name
        .windows(2)
        .position(|pair| matches!(pair, [b'-', next] if !next.is_ascii_alphabetic()));
    let (package, version) = match dash {
        Some(at) => (name.get(..at)?, name.get(at + 1..)?),
        None => (name, &b""[..]),
    };
    Some(owner(manager, package, version, b""))
}

/// `/var/lib/flatpak/app/ID/ARCH/BRANCH/COMMIT/files/…`, or `runtime` in place of `app`.
fn flatpak(path: &[u8]) -> Option<Owner> {
    let rest = path.strip_prefix(b"/var/lib/flatpak/")?;
    let rest = rest.strip_prefix(b"app/").or_else(|| rest.strip_prefix(b"runtime/"))?;
    let (id, rest) = part(rest)?;
    let (architecture, rest) = part(rest)?;
    let (_branch, rest) = part(rest)?;
    let (commit, _) = part(rest)?;
    is_commit(commit).then(|| owner(Manager::Flatpak, id, commit, architecture))
}

fn is_commit(text: &[u8]) -> bool {
    text.len() == COMMIT && text.iter().all(u8::is_ascii_hexdigit)
}

/// `/app/…` and `/usr/…` within a sandbox, whose description names application and runtime.
fn sandboxed(root: &Root, path: &[u8]) -> Option<Owner> {
    let in_app = path.starts_with(b"/app/");
    if !in_app && !path.starts_with(b"/usr/") {
        return None;
    }
    let info = root.read(FLATPAK_INFO, MAX_INFO).ok()?;
    described(&info, in_app)
}

/// As [`sandboxed`], from the text of the description: an INI file.
fn described(info: &[u8], in_app: bool) -> Option<Owner> {
    let value = |section: &[u8], key: &[u8]| {
        let mut inside = false;
        info.split(|&byte| byte == b'\n').find_map(|line| {
            if line.starts_with(b"[") {
                inside = line == section;
            }
            let value = line.strip_prefix(key)?.strip_prefix(b"=")?;
            inside.then_some(value)
        })
    };
    let runtime = || value(b"[Application]", b"runtime")?.strip_prefix(b"runtime/");
    let architecture = runtime().and_then(|text| Some(part(part(text)?.1)?.0)).unwrap_or_default();
    let (id, commit) = if in_app {
        (value(b"[Application]", b"name")?, value(b"[Instance]", b"app-commit")?)
    } else {
        (part(runtime()?)?.0, value(b"[Instance]", b"runtime-commit")?)
    };
    is_commit(commit).then(|| owner(Manager::Flatpak, id, commit, architecture))
}

/// `/snap/NAME/REVISION/…`, or the same below [`SNAPD`].
fn snap(path: &[u8]) -> Option<Owner> {
    let rest = path.strip_prefix(b"/snap").or_else(|| path.strip_prefix(SNAPD))?;
    let (name, rest) = part(rest.strip_prefix(b"/")?)?;
    let (revision, _) = part(rest)?;
    // `x1` and so on are of a snap that was installed from a file.
    let digits = revision.strip_prefix(b"x").unwrap_or(revision);
    let is_revision = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_revision.then(|| owner(Manager::Snap, name, revision, b""))
}

/// A file system of its own is mounted at the snap's revision, and the file is on it. (The whole
/// root may be one, with a directory in it that is called like a snap.)
fn is_mounted(root: &Root, path: &[u8], file: &File) -> bool {
    let above = |levels: usize| {
        let prefix: &[u8] = if path.starts_with(b"/snap/") { b"/snap" } else { SNAPD };
        let depth = prefix.split(|&byte| byte == b'/').count() + levels;
        let parts: Vec<&[u8]> = path.split(|&byte| byte == b'/').take(depth).collect();
        root.device(&parts.join(&b'/'))
    };
    let device = file.metadata().ok().map(|meta| meta.dev());
    device.is_some() && above(2) == device && above(1) != device
}

/// No such file system can be written to, and only root can mount one.
fn read_only_squashfs(file: &File) -> bool {
    let kind = rustix::fs::fstatfs(file).map(|stat| u64::try_from(stat.f_type));
    matches!(kind, Ok(Ok(SQUASHFS))) && is_read_only(file)
}

fn is_read_only(file: &File) -> bool {
    rustix::fs::fstatvfs(file).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn convention(file: &File) -> State {
    let protected = is_read_only(file)
        || file.metadata().is_ok_and(|meta| meta.uid() == 0 && meta.mode() & 0o222 == 0);
    State::Unknown(Reason::Convention { protected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    fn told(owner: Option<Owner>) -> Option<String> {
        owner.map(|owner| format!("{} {owner} {}", owner.manager, owner.architecture))
    }

    #[test]
    fn stores_name_their_packages() {
        let hash = "0c5b1ra2vxyjfq4vpzlmblwcfnz2a6bq";
        for (path, want) in [
            (format!("/nix/store/{hash}-curl-8.9.1-bin/bin/curl"), "nix curl 8.9.1-bin "),
            (format!("/nix/store/{hash}-glibc-locales-2.39/lib/x"), "nix glibc-locales 2.39 "),
            (format!("/nix/store/{hash}-hook.sh"), "nix hook.sh "),
            (format!("/gnu/store/{hash}-hello-2.12/bin/hello"), "guix hello 2.12 "),
            (format!("/nix/store/{hash}-\x1b[31m-1/x"), "nix ?[31m 1 "),
        ] {
            assert_eq!(told(store(path.as_bytes())).as_deref(), Some(want), "{path}");
        }
        for path in ["/nix/store/short-x/y", "/nix/store/", "/home/nix/store/x"] {
            assert_eq!(store(path.as_bytes()), None, "{path}");
        }
        assert_eq!(store(format!("/nix/store/{hash}").as_bytes()), None);
        assert_eq!(store(format!("/nix/store/{}-x/y", hash.to_uppercase()).as_bytes()), None);
    }

    #[test]
    fn flatpaks_are_known_from_both_sides() {
        let commit = "ab".repeat(32);
        let want = format!("flatpak org.x.App {commit} x86_64");
        let path = format!("/var/lib/flatpak/app/org.x.App/x86_64/stable/{commit}/files/bin/x");
        assert_eq!(told(flatpak(path.as_bytes())), Some(want.clone()));
        let mine = format!("/home/me/.local/share/flatpak/app/a/b/c/{commit}/files/x");
        assert_eq!(flatpak(mine.as_bytes()), None);
        assert_eq!(flatpak(b"/var/lib/flatpak/app/../x86_64/stable/c/files/x"), None);
        let info = format!(
            "[Application]\nname=org.x.App\nruntime=runtime/org.y.Platform/x86_64/24.08\n\n\
             [Instance]\napp-commit={commit}\nruntime-commit={commit}\n[Other]\nname=evil\n"
        );
        assert_eq!(told(described(info.as_bytes(), true)), Some(want));
        let runtime = format!("flatpak org.y.Platform {commit} x86_64");
        assert_eq!(told(described(info.as_bytes(), false)), Some(runtime));
        assert_eq!(described(b"[Application]\nname=a\n", true), None);
    }

    #[test]
    fn a_directory_that_looks_like_a_snap_is_not_vouched_for() {
        assert_eq!(
            told(snap(b"/snap/firefox/4848/usr/lib/x")).as_deref(),
            Some("snap firefox 4848 ")
        );
        assert_eq!(told(snap(b"/var/lib/snapd/snap/a/x1/b")).as_deref(), Some("snap a x1 "));
        assert_eq!((snap(b"/snap/bin/firefox"), snap(b"/snap/a/current/b")), (None, None));
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let file = tempfile::tempfile().unwrap();
        let state = |mode| {
            file.set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            identify(&root, b"/snap/firefox/1/x", &file).unwrap().state
        };
        let protected = rustix::process::getuid().is_root();
        assert_eq!(state(0o555), State::Unknown(Reason::Convention { protected }));
        assert_eq!(state(0o755), State::Unknown(Reason::Convention { protected: false }));
    }

    proptest! {
            #[test]
            fn anything_is_survived(path: Vec<u8>, info: Vec<u8>) {
                for dir in [&b"/nix/store/"[..], b"/snap/", b"/var/lib/flatpak/app/"] {
                    let path = [dir, &path].concat();
                    store(&path);
    flatpak(&path);
    snap(&path);
                }
                described(&info, true);
    described(&info, false);
            }
        }
}
