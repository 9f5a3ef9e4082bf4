//! Which container a cgroup path belongs to, going by the names that container managers give.
//!
//! It is a label, not a proof: whoever may create cgroups may call one like a container.

/// Length of the identifiers that Docker, Podman, containerd and CRI-O give.
const ID: usize = 64;

/// What managers put before an identifier in the name of a scope, conmon's own scopes excluded:
/// those hold the monitor, which is not in the container.
const BEFORE_ID: [&str; 7] =
    ["", "docker-", "libpod-", "cri-containerd-", "crio-", "nerdctl-", "podman-"];

/// Identifier (64 hexadecimal digits) or name of the innermost container in a cgroup v2 path;
/// `None` for a path of the host.
#[must_use]
pub fn container_id(cgroup: &str) -> Option<String> {
    let mut parts = cgroup.rsplit('/').peekable();
    while let Some(part) = parts.next() {
        let above = parts.peek().copied().unwrap_or_default();
        if let Some(id) = hex_id(part).or_else(|| lxc(part, above)).or_else(|| machine(part, above))
        {
            return Some(id);
        }
    }
    None
}

fn hex_id(part: &str) -> Option<String> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let (prefix, id) = part.split_at_checked(part.len().checked_sub(ID)?)?;
    let is_id = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    // containerd's own layout in Kubernetes is `slice:prefix:id`.
    let named = BEFORE_ID.contains(&prefix) || prefix.ends_with(":cri-containerd:");
    (is_id && named).then(|| id.to_owned())
}

fn lxc(part: &str, above: &str) -> Option<String> {
    let under = above == "lxc" || above == "lxc.payload";
    let name = part.strip_prefix("lxc.payload.").or(under.then_some(part))?;
    clean(name.to_owned())
}

/// systemd-machined's scopes and systemd-nspawn's services, virtual machines excluded.
fn machine(part: &str, above: &str) -> Option<String> {
    if above != "machine.slice" {
        return None;
    }
    let name = part
        .strip_prefix("machine-")
        .and_then(|name| name.strip_suffix(".scope"))
        .or_else(|| part.strip_prefix("systemd-nspawn@")?.strip_suffix(".service"))?;
    let name = unescape(name)?;
    if name.starts_with("qemu-") { None } else { clean(name) }
}

/// Undoes systemd's `\x2d`.
fn unescape(name: &str) -> Option<String> {
    let mut pieces = name.split("\\x");
    let mut out = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2)?;
        out.push(u8::from_str_radix(code, 16).ok()?);
        out.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(out).ok()
}

/// Names as managers allow them; anything else was not made by one.
fn clean(name: String) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fine =
        !name.is_empty() && name.len() <= ID && !name.starts_with('.') && name.bytes().all(allowed);
    fine.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "3f4c9d2e1b0a59687786a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

    #[test]
    fn containers_of_every_manager_are_known() {
        let pods = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice";
        for path in [
            format!("/docker/{HEX}"),
            format!("/system.slice/docker-{HEX}.scope"),
            format!("/system.slice/docker-{HEX}.scope/init.scope/x.service"),
            format!("/machine.slice/libpod-{HEX}.scope/container"),
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{HEX}.scope"),
            format!("{pods}/cri-containerd-{HEX}.scope"),
            format!("{pods}/crio-{HEX}.scope"),
            format!("/kubepods/besteffort/pod0b1c/{HEX}"),
            format!("/system.slice/kubepods-pod1.slice:cri-containerd:{HEX}"),
            format!("/ecs/0123/{HEX}"),
            format!("/docker/{}/docker/{HEX}", HEX.replace('3', "4")),
        ] {
            assert_eq!(container_id(&path).as_deref(), Some(HEX), "{path}");
        }
    }

    #[test]
    fn named_containers_are_known() {
        for (path, name) in [
            ("/lxc.payload.web/system.slice/nginx.service", "web"),
            ("/lxc/web", "web"),
            ("/lxc.payload/db-1/init.scope", "db-1"),
            ("/machine.slice/machine-debian\\x2d12.scope/payload", "debian-12"),
            ("/machine.slice/systemd-nspawn@build.service/payload", "build"),
        ] {
            assert_eq!(container_id(path).as_deref(), Some(name), "{path}");
        }
    }

    #[test]
    fn the_host_and_hostile_names_are_no_containers() {
        let long = "a".repeat(65);
        for path in [
            String::new(),
            "/".to_owned(),
            "/user.slice/user-1000.slice/session-3.scope".to_owned(),
            format!("/machine.slice/libpod-conmon-{HEX}.scope"),
            format!("/kubepods.slice/crio-conmon-{HEX}.scope"),
            format!("/x/{}", HEX.to_uppercase()),
            format!("/x/{HEX}0"),
            format!("/x/{}", &HEX[1..]),
            format!("/x/evil{HEX}.scope"),
            format!("/x/é{}", &HEX[1..]),
            format!("/lxc/{long}"),
            "/lxc/\u{1b}[31m".to_owned(),
            "/lxc/..".to_owned(),
            "/lxc.monitor.web".to_owned(),
            "/machine.slice/machine-a\\x0ab.scope".to_owned(),
            "/machine.slice/machine-a\\xzz.scope".to_owned(),
            "/machine.slice/machine-a\\x2.scope".to_owned(),
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope".to_owned(),
            "/elsewhere/machine-debian.scope".to_owned(),
        ] {
            assert_eq!(container_id(&path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_out_is_harmless(path: String) {
            if let Some(id) = container_id(&path) {
                prop_assert!(id.len() <= ID && id.is_ascii() && !id.contains('/'));
            }
        }
    }
}
