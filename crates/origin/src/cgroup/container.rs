//! Names that container runtimes give to cgroups.

use crate::origin::Runtime;
use crate::text::unescape;

/// Length of the identifiers that Docker, Podman, containerd and CRI-O give, and the longest name
/// (`HOST_NAME_MAX`) that LXC and machined take.
const ID: usize = 64;

/// What is before an identifier, with or without `.scope` behind it. conmon's own scopes
/// (`libpod-conmon-`, `crio-conmon-`) are missing: those hold the monitor, which is outside.
const BEFORE_ID: [(&str, Runtime); 7] = [
    ("docker-", Runtime::Docker),
    ("libpod-", Runtime::Podman),
    // In the service's own cgroup, for `--cgroups=split` (Quadlet).
    ("libpod-payload-", Runtime::Podman),
    ("podman-", Runtime::Podman),
    ("cri-containerd-", Runtime::Containerd),
    ("nerdctl-", Runtime::Nerdctl),
    ("crio-", Runtime::CriO),
];

/// What is before a name, in a scope of systemd.
const BEFORE_NAME: [(&str, Runtime); 2] = [("runc-", Runtime::Runc), ("crun-", Runtime::Crun)];

/// The container whose cgroup is called `part`.
pub(super) fn of(part: &str, above: &str, below: &str) -> Option<(Runtime, String)> {
    by_id(part, above)
        .or_else(|| lxc(part, above))
        .or_else(|| machine(part, above, below))
        .or_else(|| by_name(part))
}

fn by_id(part: &str, above: &str) -> Option<(Runtime, String)> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let (prefix, id) = part.split_at_checked(part.len().checked_sub(ID)?)?;
    if !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let runtime = if prefix.is_empty() {
        bare(above)
    } else if let Some((_, runtime)) = BEFORE_ID.iter().find(|(before, _)| *before == prefix) {
        *runtime
    } else if prefix.ends_with(":cri-containerd:") {
        // containerd told to use systemd's layout without systemd: `SLICE:PREFIX:ID`.
        Runtime::Containerd
    } else if prefix.ends_with(":crio:") {
        Runtime::CriO
    } else {
        return None;
    };
    Some((runtime, id.to_owned()))
}

fn bare(above: &str) -> Runtime {
    if above == "docker" {
        Runtime::Docker
    } else if above == "libpod_parent" || above.starts_with("libpod_pod_") {
        Runtime::Podman
    } else {
        Runtime::Unknown
    }
}

fn by_name(part: &str) -> Option<(Runtime, String)> {
    let part = part.strip_suffix(".scope")?;
    BEFORE_NAME.iter().find_map(|(before, runtime)| {
        let name = unescape(part.strip_prefix(before)?)?;
        Some((*runtime, allowed(name)?))
    })
}

fn lxc(part: &str, above: &str) -> Option<(Runtime, String)> {
    let under = above == "lxc" || above == "lxc.payload";
    let name = part.strip_prefix("lxc.payload.").or(under.then_some(part))?;
    Some((Runtime::Lxc, allowed(name.into())?))
}

/// systemd-machined's scopes and systemd-nspawn's services, but neither virtual machines nor
/// nspawn itself, which is beside the container.
fn machine(part: &str, above: &str, below: &str) -> Option<(Runtime, String)> {
    if above != "machine.slice" || below == "supervisor" {
        return None;
    }
    let name = part
        .strip_prefix("machine-")
        .and_then(|name| name.strip_suffix(".scope"))
        .or_else(|| part.strip_prefix("systemd-nspawn@")?.strip_suffix(".service"))?;
    let name = unescape(name)?;
    if name.starts_with(b"qemu-") { None } else { Some((Runtime::Nspawn, allowed(name)?)) }
}

/// Names as managers allow them; anything else was not made by one.
fn allowed(name: Vec<u8>) -> Option<String> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let length = 1..=ID;
    let fine = length.contains(&name.len()) && !name.starts_with(b".") && name.iter().all(allowed);
    if fine { String::from_utf8(name).ok() } else { None }
}

/// Uid of the pod that a directory is for: `kubepods-burstable-pod1234_….slice`, `pod1234-…`.
pub(super) fn pod(part: &str) -> Option<String> {
    // `SLICE:PREFIX:ID`
    let slice = part.split_once(':').map_or(part, |(slice, _)| slice);
    let uid = match slice.strip_suffix(".slice") {
        Some(slice) => {
            let (before, uid) = slice.rsplit_once("-pod")?;
            let kubernetes = before.split('-').any(|word| word == "kubepods");
            kubernetes.then(|| uid.replace('_', "-"))?
        }
        None => slice.strip_prefix("pod")?.to_owned(),
    };
    is_pod_uid(&uid).then_some(uid)
}

/// A UUID, or the 32 digits that the kubelet gives to static pods.
fn is_pod_uid(uid: &str) -> bool {
    let dashes: &[usize] = if uid.len() == 36 { &[8, 13, 18, 23] } else { &[] };
    matches!(uid.len(), 32 | 36)
        && uid.bytes().enumerate().all(|(at, byte)| {
            if dashes.contains(&at) {
                byte == b'-'
            } else {
                matches!(byte, b'0'..=b'9' | b'a'..=b'f')
            }
        })
}
