//! Real-life paths of cgroups, look-alikes of them, and anything at all.

mod units;

use super::*;
use crate::origin::Runtime;
use proptest::prelude::*;

const HEX: &str = "3f4c9d2e1b0a59687786a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const OTHER: &str = "00000d2e1b0a59687786a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const UID: &str = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0";
const USER: &str = "/user.slice/user-1000.slice/user@1000.service";

fn of(path: &str) -> Origin {
    Origin::of_cgroup(path.as_bytes())
}

/// `{H}` the identifier, `{U}` the user's manager, `{P}` a pod's uid, `{p}` the same in a slice.
fn fill(path: &str) -> String {
    let slice_uid = UID.replace('-', "_");
    let texts = [("{H}", HEX), ("{O}", OTHER), ("{U}", USER), ("{P}", UID), ("{p}", &slice_uid)];
    texts.iter().fold(path.to_owned(), |path, (mark, text)| path.replace(mark, text))
}

#[test]
fn containers_of_every_runtime_are_known() {
    use Claim::{ByContainer, ByDelegate, ByRoot, ByUser};
    use Runtime::{Containerd, CriO, Docker, Nerdctl, Podman, Unknown};
    for (path, runtime, claim) in [
        ("/docker/{H}", Docker, ByRoot),
        ("/system.slice/docker-{H}.scope", Docker, ByRoot),
        ("/system.slice/docker-{H}.scope/init.scope/x.service", Docker, ByRoot),
        ("/build.slice/build-ci.slice/docker-{H}.scope", Docker, ByRoot),
        ("/actions_job/{H}", Unknown, ByRoot),
        ("/machine.slice/libpod-{H}.scope", Podman, ByRoot),
        ("/machine.slice/libpod-{H}.scope/container", Podman, ByRoot),
        ("/machine.slice/machine-libpod_pod_{O}.slice/libpod-{H}.scope/container", Podman, ByRoot),
        ("/libpod_parent/libpod-{H}", Podman, ByRoot),
        ("/libpod_parent/libpod_pod_{O}/{H}", Podman, ByRoot),
        ("/system.slice/web.service/libpod-payload-{H}", Podman, ByDelegate),
        ("/QM.slice/qm.service/libpod-payload-{H}/system.slice/x.service", Podman, ByDelegate),
        ("{U}/user.slice/libpod-{H}.scope", Podman, ByUser(1000)),
        (
            "{U}/user.slice/user-libpod_pod_{O}.slice/libpod-{H}.scope/container",
            Podman,
            ByUser(1000),
        ),
        ("{U}/app.slice/web.service/libpod-payload-{H}", Podman, ByUser(1000)),
        ("{U}/user.slice/docker-{H}.scope", Docker, ByUser(1000)),
        ("/user.slice/user-1000.slice/session-3.scope/docker/{H}", Docker, ByUser(1000)),
        ("/user.slice/user-0.slice/user@0.service/user.slice/libpod-{H}.scope", Podman, ByRoot),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/podman-1.scope/{H}",
            Unknown,
            ByUser(1000),
        ),
        ("/system.slice/nerdctl-{H}.scope", Nerdctl, ByRoot),
        ("/default/{H}", Unknown, ByRoot),
        ("/k8s.io/{H}", Unknown, ByRoot),
        ("/ecs/0123/{H}", Unknown, ByRoot),
        ("/ecs.slice/ecs-0123.slice/docker-{H}.scope", Docker, ByRoot),
        ("/kubepods/besteffort/pod{P}/{H}", Unknown, ByRoot),
        ("/kubepods/pod{P}/crio-{H}", CriO, ByRoot),
        ("/kubepods.slice/kubepods-pod{p}.slice/cri-containerd-{H}.scope", Containerd, ByRoot),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{p}.slice/crio-{H}.scope",
            CriO,
            ByRoot,
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{p}.slice/crio-{H}.scope/container",
            CriO,
            ByRoot,
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{p}.slice/docker-{H}.scope",
            Docker,
            ByRoot,
        ),
        ("/system.slice/kubepods-pod{p}.slice:cri-containerd:{H}", Containerd, ByRoot),
        (
            "/system.slice/containerd.service/kubepods-burstable-pod{p}.slice:cri-containerd:{H}",
            Containerd,
            ByDelegate,
        ),
        ("/docker/{O}/kubelet/kubepods/besteffort/pod{P}/{H}", Unknown, ByContainer),
        (
            "/system.slice/docker-{O}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{p}.slice/cri-containerd-{H}.scope",
            Containerd,
            ByContainer,
        ),
        ("/docker/{O}/docker/{H}", Docker, ByContainer),
        ("{U}/user.slice/libpod-{O}.scope/docker/{H}", Docker, ByContainer),
        ("/{H}", Unknown, ByRoot),
        ("/x/{H}", Unknown, ByDelegate),
        ("/x/docker/{H}", Docker, ByDelegate),
        ("/user/ann/0/docker/{H}", Docker, ByDelegate),
    ] {
        let filled = fill(path);
        let origin = of(&filled);
        let container = origin.container().unwrap_or_else(|| panic!("{filled}"));
        assert_eq!((container.runtime, container.claim), (runtime, claim), "{path}");
        assert_eq!(container.id, HEX, "{path}");
        let in_pod = path.contains("{P}") || path.contains("{p}");
        assert_eq!(container.pod.as_deref(), in_pod.then_some(UID), "{path}");
    }
}

#[test]
fn named_containers_are_known() {
    use Runtime::{Crun, Lxc, Nspawn, Runc};
    for (path, runtime, name, inner) in [
        ("/lxc.payload.web/system.slice/nginx.service", Lxc, "web", Some("nginx.service")),
        ("/lxc/web", Lxc, "web", None),
        ("/lxc/101/ns/system.slice/ssh.service", Lxc, "101", Some("ssh.service")),
        ("/lxc/101/ns/init.scope", Lxc, "101", Some("init.scope")),
        ("/lxc.payload/db-1/init.scope", Lxc, "db-1", Some("init.scope")),
        ("/lxc.payload.user-1000_web", Lxc, "user-1000_web", None),
        (
            "/lxc.payload.d/user.slice/user-1000.slice/user@1000.service/app.slice/x.service",
            Lxc,
            "d",
            Some("x.service"),
        ),
        ("/machine.slice/machine-debian\\x2d12.scope/payload", Nspawn, "debian-12", None),
        ("/machine.slice/systemd-nspawn@build.service/payload", Nspawn, "build", None),
        (
            "/machine.slice/systemd-nspawn@a\\x2db.service/payload/system.slice/x.socket",
            Nspawn,
            "a-b",
            Some("x.socket"),
        ),
        ("/system.slice/runc-busybox.scope", Runc, "busybox", None),
        ("/user.slice/user-0.slice/crun-job.1.scope/container", Crun, "job.1", None),
    ] {
        let origin = of(path);
        let container = origin.container().unwrap_or_else(|| panic!("{path}"));
        assert_eq!((container.runtime, container.id.as_str()), (runtime, name), "{path}");
        assert_eq!(container.claim, Claim::ByRoot, "{path}");
        assert_eq!(origin.inner_unit.as_deref(), inner, "{path}");
        assert_eq!((origin.unit, origin.app, origin.session), (None, None, None), "{path}");
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
        "/libpod_parent/conmon".to_owned(),
        "/system.slice/web.service/supervisor".to_owned(),
        format!("/x/{}", HEX.to_uppercase()),
        format!("/x/{HEX}0"),
        format!("/x/{}", &HEX[1..]),
        format!("/x/evil{HEX}.scope"),
        format!("/x/é{}", &HEX[1..]),
        format!("/lxc/{long}"),
        "/lxc/\u{1b}[31m".to_owned(),
        "/lxc/..".to_owned(),
        format!("/../../system.slice/docker-{HEX}.scope"),
        format!("/docker/{HEX}{}", "/x".repeat(2048)),
        "/lxc.monitor.web".to_owned(),
        "/machine.slice/machine-a\\x0ab.scope".to_owned(),
        "/machine.slice/machine-a\\xzz.scope".to_owned(),
        "/machine.slice/machine-a\\x2.scope".to_owned(),
        "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator".to_owned(),
        "/machine.slice/systemd-nspawn@build.service/supervisor".to_owned(),
        "/elsewhere/machine-debian.scope".to_owned(),
        "/system.slice/runc-a\\x20b.scope".to_owned(),
        "/system.slice/runc-.scope".to_owned(),
    ] {
        assert_eq!(of(&path).containers, [], "{path}");
    }
}

#[test]
fn every_look_alike_reads_differently() {
    let paths = [
        "/system.slice/docker-{H}.scope",
        "{U}/docker-{H}.scope",
        "{U}/app.slice/x.service/docker-{H}.scope",
        "{U}/system.slice/docker-{H}.scope",
        "/user.slice/user-1001.slice/user@1001.service/docker-{H}.scope",
        "/user.slice/user-1002.slice/session-1.scope/docker-{H}.scope",
        "/system.slice/x.service/docker-{H}.scope",
        "/system.slice/y.service/system.slice/docker-{H}.scope",
        "/docker/{O}/system.slice/docker-{H}.scope",
        "{U}/docker-{O}.scope/docker-{H}.scope",
        "/x/docker-{H}.scope",
    ];
    let lines: Vec<String> = paths.iter().map(|path| of(&fill(path)).to_string()).collect();
    let system = format!("docker {HEX}");
    assert_eq!(lines[0], system);
    assert_eq!(lines[1], format!("user 1000/docker {HEX}"));
    assert_eq!(lines[2], format!("user 1000/x.service/docker {HEX}"));
    assert_eq!(lines[6], format!("x.service/docker {HEX}"));
    assert_eq!(lines[8], format!("docker {OTHER} > container/docker {HEX}"));
    for line in &lines[1..] {
        assert_ne!(*line, system);
    }
    // The third is the user's, wherever in their own tree it is.
    assert_eq!(lines[3], lines[1]);
    let inner = of("/lxc.payload.web/system.slice/nginx.service").to_string();
    assert_eq!(inner, "lxc web > nginx.service");
}

#[test]
fn nesting_is_told_and_bounded() {
    let deep = |depth: usize| of(&format!("/docker/{OTHER}").repeat(depth));
    assert!(!deep(1).nested() && deep(2).nested());
    assert_eq!(deep(8).containers.len(), 8);
    let path = format!("{}/docker/{HEX}", format!("/docker/{OTHER}").repeat(40));
    let deepest = of(&path);
    assert_eq!((deepest.containers.len(), deepest.container().unwrap().id.as_str()), (8, HEX));
    assert_eq!(deepest.containers[0].claim, Claim::ByRoot);
}

#[test]
fn pods_have_their_uid() {
    let of_static = "/kubepods/burstable/pod0123456789abcdef0123456789abcdef/{H}";
    let pod = |path: &str| of(&fill(path)).container().unwrap().pod.clone();
    assert_eq!(pod(of_static).as_deref(), Some("0123456789abcdef0123456789abcdef"));
    for path in [
        "/kubepods/burstable/pod0b1c/{H}",
        "/kubepods/burstable/podX123456789abcdef0123456789abcdef/{H}",
        "/other.slice/other-pod{p}.slice/docker-{H}.scope",
        "/kubepods/pod{P}/{O}/docker/{H}",
    ] {
        assert_eq!(pod(path), None, "{path}");
    }
}

#[test]
fn the_hierarchy_that_tells_most_is_taken() {
    let docker = format!("/docker/{HEX}");
    let v1 = format!("12:pids:{docker}\n11:memory:{docker}\n1:name=systemd:{docker}\n0::/\n");
    let cases = [
        ("0::/system.slice/ssh.service\n".to_owned(), "/system.slice/ssh.service"),
        ("0::/system.slice/ssh.service (deleted)\n".to_owned(), "/system.slice/ssh.service"),
        (v1, docker.as_str()),
        ("9:name=systemd:/\n8:pids:/\n4:memory:/process_api/x\n0::/\n".to_owned(), "/"),
        (
            "5:cpu,cpuacct:/\n4:pids:/user.slice/user-1000.slice/user@1000.service\n\
             1:name=systemd:/user.slice/user-1000.slice/user@1000.service/dbus.service\n\
             0::/user.slice/user-1000.slice/user@1000.service/dbus.service\n"
                .to_owned(),
            "/user.slice/user-1000.slice/user@1000.service/dbus.service",
        ),
        (format!("4:pids:{docker}\n1:name=systemd:/system.slice/docker.service\n"), &docker),
        // What root says outweighs what a user could.
        (
            format!(
                "4:memory:{docker}\n1:name=systemd:/user.slice/user-1000.slice/user@1000.service/\
                 docker-{OTHER}.scope\n"
            ),
            &docker,
        ),
        ("3:pids:/snap.a.b\n1:name=systemd:/\n".to_owned(), "/snap.a.b"),
        ("0::/a:b\n".to_owned(), "/a:b"),
    ];
    for (text, want) in cases {
        let (path, origin) = parse_proc_cgroup(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8_lossy(path), want, "{text}");
        assert_eq!(origin, of(want));
    }
    for text in ["", "\n", "0::", "0::x", "x::/", "1::/x", "nonsense"] {
        assert_eq!(parse_proc_cgroup(text.as_bytes()), None, "{text}");
    }
    let own = std::fs::read("/proc/self/cgroup").unwrap();
    assert!(own.is_empty() || parse_proc_cgroup(&own).is_some());
}

fn check_harmless(origin: &Origin) -> Result<(), TestCaseError> {
    let line = format!("{origin}");
    prop_assert!(line.len() < 9 * 400 && !line.chars().any(char::is_control), "{line:?}");
    prop_assert!(origin.containers.len() <= DEEPEST);
    for container in &origin.containers {
        let id = &container.id;
        prop_assert!(id.len() <= 64 && id.is_ascii() && !id.contains('/') && !id.contains(' '));
    }
    if let Some(app) = &origin.app {
        let text = format!("{app:?}");
        prop_assert!(app.id.len() <= 256 && !text.chars().any(char::is_control));
    }
    Ok(())
}

/// Pieces of which look-alikes are made.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("docker-{HEX}.scope")),
        Just("user.slice".to_owned()),
        Just("user-1000.slice".to_owned()),
        Just("user@1000.service".to_owned()),
        Just("system.slice".to_owned()),
        Just("machine.slice".to_owned()),
        Just("docker".to_owned()),
        Just(HEX.to_owned()),
        "machine-[a-z\\\\0-9x]{0,12}\\.scope",
        "app-[a-z]{1,3}-[a-z\\\\x0-9.-]{0,9}-1\\.scope",
        "snap\\.[a-z.]{0,9}\\.scope",
        "[\\PC\\x00-\\x1f]{0,20}",
        "[a-z@\\\\]{0,4}\\.service",
    ]
}

proptest! {
    #[test]
    fn whatever_comes_out_is_harmless(path: Vec<u8>) {
        check_harmless(&Origin::of_cgroup(&path))?;
        if let Some((_, origin)) = parse_proc_cgroup(&path) {
            check_harmless(&origin)?;
        }
    }

    #[test]
    fn whatever_is_made_of_pieces_is_harmless(parts in prop::collection::vec(piece(), 0..12)) {
        check_harmless(&of(&format!("/{}", parts.join("/"))))?;
    }

    #[test]
    fn nobody_below_a_user_speaks_for_root(parts in prop::collection::vec(piece(), 0..12)) {
        let origin = of(&format!("{USER}/{}", parts.join("/")));
        for container in &origin.containers {
            prop_assert!(container.claim != Claim::ByRoot && container.claim != Claim::ByDelegate);
        }
        let unit = origin.unit.clone().unwrap();
        prop_assert!(unit.name == "user@1000.service" || unit.claim == Claim::ByUser(1000));
        prop_assert!(origin.app.as_ref().is_none_or(|app| app.claim == Claim::ByUser(1000)));
        let line = origin.to_string();
        prop_assert!(line == "user@1000.service" || line.starts_with("user 1000/"), "{}", line);
    }

    #[test]
    fn nobody_in_a_container_speaks_for_its_host(parts in prop::collection::vec(piece(), 0..12)) {
        let origin = of(&format!("/docker/{OTHER}/{}", parts.join("/")));
        prop_assume!(!origin.containers.is_empty());
        let (outer, nested) = origin.containers.split_first().unwrap();
        prop_assert_eq!(&outer.id, OTHER);
        prop_assert!(nested.iter().all(|inner| inner.claim == Claim::ByContainer));
        prop_assert!(origin.unit.is_none() && origin.app.is_none() && origin.session.is_none());
    }
}
