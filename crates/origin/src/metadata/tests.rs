//! Files as runtimes write them.

mod hostile;

use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

const ID: &str = "3f4c9d2e1b0a59687786a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn container(runtime: Runtime, id: &str, claim: Claim) -> Container {
    Container { runtime, id: id.to_owned(), pod: None, claim }
}

/// A file system of our own making.
struct Host {
    root: tempfile::TempDir,
    uid: u32,
}

impl Host {
    fn new() -> Self {
        let me = nix::unistd::geteuid().as_raw();
        let host = Self {
            root: tempfile::tempdir().unwrap(),
            // Root can give files away, everybody else plays the user.
            uid: if me == 0 { 1000 } else { me },
        };
        let uid = host.uid;
        host.put("etc/passwd", &format!("ann:x:{uid}:{uid}:Ann:/home/ann:/bin/sh\n"));
        host.at("home/ann/.local/share");
        host.give();
        host
    }

    /// A path below the root, its directory made.
    fn at(&self, path: &str) -> std::path::PathBuf {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn put(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).unwrap();
    }

    /// Puts a file in the user's home and gives them everything there.
    fn put_home(&self, path: &str, text: &str) {
        self.put(&format!("home/ann/{path}"), text);
        self.give();
    }

    fn give(&self) {
        self.give_below(&self.root.path().join("home/ann"));
    }

    fn give_below(&self, path: &Path) {
        std::os::unix::fs::lchown(path, Some(self.uid), None).unwrap();
        if fs::symlink_metadata(path).unwrap().is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                self.give_below(&entry.unwrap().path());
            }
        }
    }

    fn store(&self) -> Store {
        Store::new(self.root.path())
    }

    fn of_root(&self, runtime: Runtime, id: &str) -> Result<Arc<Metadata>, Unknown> {
        self.store().lookup(&container(runtime, id, Claim::ByRoot), Instant::now())
    }

    fn of_user(&self, runtime: Runtime, id: &str) -> Result<Arc<Metadata>, Unknown> {
        let claim = Claim::ByUser(self.uid);
        self.store().lookup(&container(runtime, id, claim), Instant::now())
    }
}

fn told(metadata: &Metadata) -> (&str, &str) {
    let text = |text: &Option<String>| text.as_ref().map_or("", |text| text.as_str()).to_owned();
    let (name, image) = (text(&metadata.name), text(&metadata.image));
    (name.leak(), image.leak())
}

fn docker_config(name: &str) -> String {
    format!(
        r#"{{"StreamConfig":{{}},"State":{{"Running":true,"Pid":4242}},"ID":"{ID}","Managed":false,
        "Path":"/docker-entrypoint.sh","Args":["nginx"],"Config":{{"Hostname":"x","Env":["A=secret"],
        "Image":"nginx:1.27","Labels":{{"maintainer":"x"}}}},"Name":"{name}","Driver":"overlay2"}}"#
    )
}

fn storage_list(name: &str) -> String {
    format!(
        r#"[{{"id":"0000","names":["other"],"image":"5f","layer":"7a"}},
        {{"id":"{ID}","names":["{name}","second"],"image":"5f","layer":"7a",
        "metadata":"{{\"image-name\":\"docker.io/library/alpine:latest\",\"image-id\":\"5f\",\"name\":\"{name}\",\"created-at\":1700000000}}",
        "created":"2024-01-02T03:04:05Z","flags":{{"MountLabel":""}}}}]"#
    )
}

#[test]
fn docker_tells() {
    let host = Host::new();
    host.put(&format!("var/lib/docker/containers/{ID}/config.v2.json"), &docker_config("/web"));
    let found = host.of_root(Runtime::Docker, ID).unwrap();
    assert_eq!(told(&found), ("web", "nginx:1.27"));
    assert_eq!((found.claim, found.pod.clone()), (Claim::ByRoot, None));
    assert_eq!(told(&host.of_root(Runtime::Unknown, ID).unwrap()).0, "web");
    // Root may have its data elsewhere.
    let (old, new) = (host.at("var/lib/docker"), host.at("data/docker"));
    fs::rename(&old, &new).unwrap();
    std::os::unix::fs::symlink("/data/docker", &old).unwrap();
    assert_eq!(told(&host.of_root(Runtime::Docker, ID).unwrap()).0, "web");

    host.put_home(
        &format!(".local/share/docker/containers/{ID}/config.v2.json"),
        &docker_config("/mine"),
    );
    let found = host.of_user(Runtime::Docker, ID).unwrap();
    assert_eq!((told(&found).0, found.claim), ("mine", Claim::ByUser(host.uid)));
}

#[test]
fn docker_under_kubernetes_tells_the_pod() {
    let host = Host::new();
    let text = r#"{"Name":"/k8s_app_web-0_prod_x_0","Config":{"Image":"sha256:5f","Labels":{
        "io.kubernetes.container.name":"app","io.kubernetes.pod.name":"web-0",
        "io.kubernetes.pod.namespace":"prod"}}}"#;
    host.put(&format!("var/lib/docker/containers/{ID}/config.v2.json"), text);
    let found = host.of_root(Runtime::Docker, ID).unwrap();
    let pod = Pod { namespace: "prod".to_owned(), name: "web-0".to_owned() };
    assert_eq!((told(&found).0, found.pod.clone()), ("app", Some(pod)));
}

#[test]
fn podman_tells() {
    let alpine = "docker.io/library/alpine:latest";
    for list in [
        "var/lib/containers/storage/overlay-containers/containers.json",
        "var/lib/containers/storage/overlay-containers/volatile-containers.json",
        "var/lib/containers/storage/vfs-containers/containers.json",
        "run/containers/storage/overlay-containers/volatile-containers.json",
    ] {
        let host = Host::new();
        host.put(list, &storage_list("job"));
        assert_eq!(told(&host.of_root(Runtime::Podman, ID).unwrap()), ("job", alpine), "{list}");
        let other = ID.replace('3', "4");
        assert_eq!(host.of_root(Runtime::Podman, &other), Err(Unknown::NotFound), "{list}");
        assert_eq!(host.of_user(Runtime::Podman, ID), Err(Unknown::NotFound), "{list}");
    }
    let host = Host::new();
    let list = ".local/share/containers/storage/overlay-containers/containers.json";
    host.put_home(list, &storage_list("mine"));
    let found = host.of_user(Runtime::Podman, ID).unwrap();
    assert_eq!((told(&found), found.claim), (("mine", alpine), Claim::ByUser(host.uid)));
    assert_eq!(host.of_root(Runtime::Podman, ID), Err(Unknown::NotFound));
}

#[test]
fn kubernetes_runtimes_tell() {
    let host = Host::new();
    let containerd = r#"{"ociVersion":"1.1.0","process":{"args":["nginx"]},"annotations":{
        "io.kubernetes.cri.container-name":"nginx","io.kubernetes.cri.container-type":"container",
        "io.kubernetes.cri.image-name":"docker.io/library/nginx:1.27",
        "io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"prod"}}"#;
    let base = "run/containerd/io.containerd.runtime.v2.task";
    host.put(&format!("{base}/moby/0000/config.json"), "{}");
    host.put(&format!("{base}/k8s.io/{ID}/config.json"), containerd);
    let pod = Some(Pod { namespace: "prod".to_owned(), name: "web-0".to_owned() });
    for runtime in [Runtime::Containerd, Runtime::Unknown] {
        let found = host.of_root(runtime, ID).unwrap();
        assert_eq!(told(&found), ("nginx", "docker.io/library/nginx:1.27"));
        assert_eq!(found.pod, pod);
    }
    let host = Host::new();
    let nerdctl = r#"{"annotations":{"nerdctl/name":"box","nerdctl/namespace":"default"}}"#;
    host.put(&format!("{base}/default/{ID}/config.json"), nerdctl);
    assert_eq!(told(&host.of_root(Runtime::Nerdctl, ID).unwrap()), ("box", ""));
    let host = Host::new();
    let crio = r#"{"annotations":{"io.kubernetes.container.name":"nginx",
        "io.kubernetes.cri-o.ImageName":"quay.io/nginx:1","io.kubernetes.cri-o.Name":"k8s_nginx",
        "io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"prod"}}"#;
    let path = format!("containers/storage/overlay-containers/{ID}/userdata/config.json");
    for base in ["var/lib", "run"] {
        let host = Host::new();
        host.put(&format!("{base}/{path}"), crio);
        let found = host.of_root(Runtime::CriO, ID).unwrap();
        assert_eq!((told(&found), found.pod.clone()), (("nginx", "quay.io/nginx:1"), pod.clone()));
    }
    assert_eq!(host.of_root(Runtime::CriO, ID), Err(Unknown::NotFound));
}

#[test]
fn runtimes_that_go_by_name_tell_it() {
    let host = Host::new();
    host.put("run/crun/job/status", r#"{"pid":1,"bundle":"/srv/job","rootfs":"/srv/job/rootfs"}"#);
    host.put(
        "run/runc/job/state.json",
        r#"{"id":"job","config":{"labels":["x","bundle=/srv/b"]}}"#,
    );
    host.put("var/lib/lxc/web/config", "# x\nlxc.rootfs.path = dir:/var/lib/lxc/web/rootfs\n");
    host.put(&format!("run/user/{}/crun/job/status", host.uid), r#"{"bundle":"/home/ann/b"}"#);
    host.give_below(&host.root.path().join(format!("run/user/{}", host.uid)));
    for (runtime, id, location) in [
        (Runtime::Crun, "job", Some("/srv/job")),
        (Runtime::Runc, "job", Some("/srv/b")),
        (Runtime::Runc, "gone", None),
        (Runtime::Lxc, "web", Some("dir:/var/lib/lxc/web/rootfs")),
        (Runtime::Lxc, "gone", None),
        (Runtime::Nspawn, "debian", None),
    ] {
        let found = host.of_root(runtime, id).unwrap();
        assert_eq!((found.name.as_deref(), found.location.as_deref()), (Some(id), location));
    }
    let found = host.of_user(Runtime::Crun, "job").unwrap();
    assert_eq!(found.location.as_deref(), Some("/home/ann/b"));
}

#[test]
fn text_is_cleaned() {
    let host = Host::new();
    let hostile = r"/a\u001b]0;x\u0007\n\u202e\\";
    host.put(&format!("var/lib/docker/containers/{ID}/config.v2.json"), &docker_config(hostile));
    let found = host.of_root(Runtime::Docker, ID).unwrap();
    assert_eq!(told(&found).0, "a\\u{1b}]0;x\\u{7}\\u{a}\\u{202e}\\\\");
    let long = format!("/{}", "n".repeat(5000));
    host.put(&format!("var/lib/docker/containers/{ID}/config.v2.json"), &docker_config(&long));
    assert_eq!(told(&host.of_root(Runtime::Docker, ID).unwrap()).0.len(), 256);
}

#[test]
fn what_is_inside_a_container_is_not_asked_for() {
    let host = Host::new();
    host.put(&format!("var/lib/docker/containers/{ID}/config.v2.json"), &docker_config("/web"));
    let mut store = host.store();
    let inside = container(Runtime::Docker, ID, Claim::ByContainer);
    assert_eq!(store.lookup(&inside, Instant::now()), Err(Unknown::Inside));
    // Nor does a user's of the same identifier get the system's name.
    let theirs = container(Runtime::Docker, ID, Claim::ByUser(host.uid));
    let systems = container(Runtime::Docker, ID, Claim::ByRoot);
    let now = Instant::now();
    assert_eq!(told(&store.lookup(&systems, now).unwrap()).0, "web");
    assert_eq!(store.lookup(&theirs, now), Err(Unknown::NotFound));
    // A unit's claim stays one.
    let delegated = container(Runtime::Docker, ID, Claim::ByDelegate);
    assert_eq!(store.lookup(&delegated, now).unwrap().claim, Claim::ByDelegate);
}

#[test]
fn answers_are_remembered_and_expire() {
    let host = Host::new();
    let mut store = host.store();
    let asked = container(Runtime::Docker, ID, Claim::ByRoot);
    let path = format!("var/lib/docker/containers/{ID}/config.v2.json");
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    let mut name =
        |seconds| store.lookup(&asked, at(seconds)).map(|found| told(&found).0.to_owned());
    assert_eq!(name(0), Err(Unknown::NotFound));
    host.put(&path, &docker_config("/web"));
    assert_eq!(name(29), Err(Unknown::NotFound));
    assert_eq!(name(30).as_deref(), Ok("web"));
    host.put(&path, &docker_config("/renamed"));
    assert_eq!(name(629).as_deref(), Ok("web"));
    assert_eq!(name(630).as_deref(), Ok("renamed"));
}

#[test]
fn memory_and_users_are_bounded() {
    let host = Host::new();
    let mut store = host.store();
    let now = Instant::now();
    for number in 0..10_000_u64 {
        let asked = container(Runtime::Nspawn, &format!("m{number}"), Claim::ByRoot);
        let later = now + Duration::from_micros(number);
        assert!(store.lookup(&asked, later).is_ok());
        assert!(store.cache.len() <= 4096);
    }
    assert!(store.cache.len() > 1024);
    let ask = |store: &mut Store, number: u64, seconds: u64| {
        let asked = container(Runtime::Podman, &format!("{number}"), Claim::ByUser(host.uid));
        store.lookup(&asked, now + Duration::from_secs(seconds))
    };
    for number in 0..30 {
        assert_eq!(ask(&mut store, number, 1), Err(Unknown::NotFound));
    }
    assert_eq!(ask(&mut store, 30, 2), Err(Unknown::TooMany(host.uid)));
    assert_eq!(ask(&mut store, 31, 61), Err(Unknown::NotFound));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes: Vec<u8>, cut in 0_usize..400) {
        let whole = storage_list("x").into_bytes();
        let stump = whole.get(..cut.min(whole.len())).unwrap();
        for text in [bytes.as_slice(), stump] {
            for found in [
                json::docker(text), json::oci(text), json::crun(text), json::runc(text),
                json::storage(text, ID).flatten(),
            ].into_iter().flatten() {
                let shown = format!("{:?}", found.into_metadata(Claim::ByRoot));
                prop_assert!(!shown.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn any_name_is_cleaned(name: String, image: String) {
        let text = serde_json::json!({"Name": name, "Config": {"Image": image}}).to_string();
        let found = json::docker(text.as_bytes()).unwrap().into_metadata(Claim::ByRoot);
        for text in [found.name, found.image].into_iter().flatten() {
            prop_assert!(text.len() <= 256 && !text.chars().any(char::is_control));
        }
    }
}
