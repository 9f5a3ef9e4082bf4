//! Applications by the names of units, as desktops, Flatpak and snapd give them.
//!
//! Desktops: <https://systemd.io/DESKTOP_ENVIRONMENTS/>. Dashes within a part are escaped, so a
//! name with more parts than the specification has is not by it, and tells nothing.

use crate::origin::{App, AppKind, Claim};
use crate::text::{clean, unescape};

const UUID: usize = 36;

/// Of a unit of a user's manager.
pub(super) fn of_user_unit(name: &str, claim: Claim) -> Option<App> {
    of_snap_unit(name, claim).or_else(|| of_dbus(name, claim)).or_else(|| {
        let (launcher, id) = parts(name.strip_prefix("app-")?)?;
        if launcher == Some("flatpak") {
            let id = flatpak(unescape(id)?)?;
            return Some(App { kind: AppKind::Flatpak, id, claim });
        }
        desktop(id.to_owned(), launcher, claim)
    })
}

/// An application by its escaped identifier.
pub(super) fn desktop(id: String, launcher: Option<&str>, claim: Claim) -> Option<App> {
    let launcher = match launcher {
        Some(launcher) => Some(clean(&unescape(launcher)?)),
        None => None,
    };
    let id = unescape(&id)?;
    (!id.is_empty()).then(|| App { kind: AppKind::Desktop { launcher }, id: clean(&id), claim })
}

/// The escaped identifier in `app-org.gnome.Terminal.slice`, in which a terminal has a scope for
/// each tab.
pub(super) fn of_slice(part: &str) -> Option<String> {
    let rest = part.strip_prefix("app-")?.strip_suffix(".slice")?;
    let id = rest.rsplit('-').next()?;
    let plain = id.contains('.') && !id.contains(':') && rest.split('-').count() <= 2;
    plain.then(|| id.to_owned())
}

/// `[LAUNCHER-]ID-RANDOM.scope`, `[LAUNCHER-]ID[@RANDOM].service` → launcher and identifier.
fn parts(rest: &str) -> Option<(Option<&str>, &str)> {
    let named = if let Some(stem) = rest.strip_suffix(".scope") {
        let (named, random) = stem.rsplit_once('-')?;
        let fine = !random.is_empty() && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fine.then_some(named)?
    } else {
        let stem = rest.strip_suffix(".service")?;
        stem.split_once('@').map_or(stem, |(named, _)| named)
    };
    let (launcher, id) = match named.split_once('-') {
        Some((launcher, id)) => (Some(launcher), id),
        None => (None, named),
    };
    let fine = !id.is_empty() && !id.contains('-') && launcher != Some("");
    fine.then_some((launcher, id))
}

/// dbus-broker's `dbus-:1.2-org.gnome.Nautilus@0.service`.
fn of_dbus(name: &str, claim: Claim) -> Option<App> {
    let rest = name.strip_prefix("dbus-:")?.strip_suffix(".service")?;
    let (bus, rest) = rest.split_once('-')?;
    let (id, _) = rest.split_once('@')?;
    let numbers = bus.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if numbers { desktop(id.to_owned(), Some("dbus"), claim) } else { None }
}

/// Flatpak takes names as D-Bus has them: two parts or more, of ASCII letters, digits and `_-`.
fn flatpak(id: Vec<u8>) -> Option<String> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let fine = id.len() <= 255
        && id.iter().all(allowed)
        && id.split(|byte| *byte == b'.').count() > 1
        && id.split(|byte| *byte == b'.').all(|part| !part.is_empty());
    if fine { String::from_utf8(id).ok() } else { None }
}

/// `snap.NAME.COMMAND-UUID.scope`, with `.UUID` before snapd 2.60, `snap.NAME.SERVICE.service`.
pub(super) fn of_snap_unit(name: &str, claim: Claim) -> Option<App> {
    let (stem, kind) = name.rsplit_once('.')?;
    let stem = match kind {
        "scope" => without_uuid(stem),
        "service" | "socket" => stem,
        _ => return None,
    };
    snap(stem, claim)
}

/// snap-confine's `/snap.NAME.COMMAND` in the pids hierarchy of cgroup v1; it is setuid root.
pub(super) fn of_directory(part: &str) -> Option<App> {
    snap(part, Claim::ByRoot)
}

fn snap(tag: &str, claim: Claim) -> Option<App> {
    let tag = String::from_utf8(unescape(tag)?).ok()?;
    let (id, rest) = tag.strip_prefix("snap.")?.split_once('.')?;
    let word = |text: &str, more: &[u8]| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
        !text.is_empty() && text.len() <= 128 && text.bytes().all(allowed)
    };
    // `_` is before the key of a parallel instance, `+` before a component.
    if !word(id, b"-_+") {
        return None;
    }
    let kind = match rest.strip_prefix("hook.") {
        Some(hook) if word(hook, b"-") => AppKind::SnapHook { hook: hook.to_owned() },
        None if word(rest, b"-") => AppKind::Snap { command: rest.to_owned() },
        _ => return None,
    };
    Some(App { kind, id: id.to_owned(), claim })
}

fn without_uuid(stem: &str) -> &str {
    let Some((before, uuid)) =
        stem.len().checked_sub(UUID).and_then(|at| stem.split_at_checked(at))
    else {
        return stem;
    };
    let fine = uuid.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && uuid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let before = before.strip_suffix(['-', '.']);
    before.filter(|_| fine).unwrap_or(stem)
}
