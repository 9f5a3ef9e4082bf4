//! Names of systemd's units, as far as cgroups show them.

/// Units that can hold processes; slices cannot.
const KINDS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// Longest name of a unit (`UNIT_NAME_MAX` less the terminating NUL).
const LONGEST: usize = 255;

/// The unit that a directory is called for, if it can be one (systemd.unit(5)).
pub(super) fn name(part: &str) -> Option<&str> {
    // systemd puts `_` before what the kernel could take for a file of its own: `_memory.service`.
    let name = part.strip_prefix('_').unwrap_or(part);
    let stem = KINDS.iter().find_map(|kind| name.strip_suffix(kind))?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":_.\\@-".contains(&byte);
    let fine = !stem.is_empty() && name.len() <= LONGEST && name.bytes().all(allowed);
    fine.then_some(name)
}

/// `user@1000.service` → 1000.
pub(super) fn user_manager(part: &str) -> Option<u32> {
    uid(part.strip_prefix("user@")?.strip_suffix(".service")?)
}

/// `user-1000.slice` → 1000.
pub(super) fn user_slice(part: &str) -> Option<u32> {
    uid(part.strip_prefix("user-")?.strip_suffix(".slice")?)
}

/// `session-c2.scope` → `c2`.
pub(super) fn session(name: &str) -> Option<&str> {
    let id = name.strip_prefix("session-")?.strip_suffix(".scope")?;
    let fine = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fine.then_some(id)
}

/// As systemd writes it: no sign, no leading zero.
fn uid(text: &str) -> Option<u32> {
    let uid: u32 = text.parse().ok()?;
    (uid.to_string() == text).then_some(uid)
}
