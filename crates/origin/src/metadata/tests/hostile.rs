//! What a user could put in the place of a runtime's files.

use super::*;

const LIST: &str = ".local/share/containers/storage/overlay-containers/containers.json";

fn not_plain(answer: &Result<Arc<Metadata>, Unknown>) -> bool {
    matches!(answer, Err(Unknown::NotPlain { .. }))
}

#[test]
fn a_user_leads_nobody_out_of_their_home() {
    let link = |from: &str, to: &Path| {
        let host = Host::new();
        // What the links lead to would tell, if it was followed.
        host.put("secret/containers.json", &storage_list("secret"));
        host.put("secret/overlay-containers/containers.json", &storage_list("secret"));
        host.put_home("mine/containers.json", &storage_list("mine"));
        std::os::unix::fs::symlink(to, host.at(&format!("home/ann/{from}"))).unwrap();
        host.give();
        host.of_user(Runtime::Podman, ID)
    };
    let directory = ".local/share/containers/storage/overlay-containers";
    let storage = ".local/share/containers/storage";
    for (from, to) in [
        (LIST, "/etc/shadow"),
        (LIST, "/secret/containers.json"),
        (LIST, "../../../../../../../secret/containers.json"),
        (LIST, "../../../../../mine/containers.json"),
        (LIST, "/proc/self/environ"),
        (directory, "../../../../../../secret"),
        (storage, "/secret"),
        (storage, "/"),
    ] {
        let answer = link(from, Path::new(to));
        assert!(not_plain(&answer), "{from} -> {to}: {answer:?}");
    }
}

#[test]
fn only_a_users_own_plain_files_are_read() {
    let host = Host::new();
    nix::unistd::mkfifo(&host.at(&format!("home/ann/{LIST}")), nix::sys::stat::Mode::S_IRWXU)
        .unwrap();
    host.give();
    assert!(not_plain(&host.of_user(Runtime::Podman, ID)), "a FIFO");

    let host = Host::new();
    fs::create_dir(host.at(&format!("home/ann/{LIST}"))).unwrap();
    host.give();
    assert!(not_plain(&host.of_user(Runtime::Podman, ID)), "a directory");

    let host = Host::new();
    let socket = std::os::unix::net::UnixListener::bind(host.at(&format!("home/ann/{LIST}")));
    // The path may be too long for a socket's address; then there is nothing to try.
    if socket.is_ok() {
        host.give();
        assert!(not_plain(&host.of_user(Runtime::Podman, ID)), "a socket");
    }

    // A hard link to a file of root's; only root can play this.
    if nix::unistd::geteuid().is_root() {
        let host = Host::new();
        host.give();
        host.put(&format!("home/ann/{LIST}"), &storage_list("roots"));
        let answer = host.of_user(Runtime::Podman, ID);
        assert!(matches!(answer, Err(Unknown::NotTheirs { uid: 1000, .. })), "{answer:?}");
        // A home that belongs to another.
        std::os::unix::fs::chown(host.root.path().join("home/ann"), Some(7), None).unwrap();
        assert_eq!(host.of_user(Runtime::Podman, ID), Err(Unknown::NoHome(1000)));
    }

    let host = Host::new();
    host.put("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    assert_eq!(host.of_user(Runtime::Podman, ID), Err(Unknown::NoHome(host.uid)));
    assert_eq!(
        Store::new("/nowhere/at/all")
            .lookup(&container(Runtime::Docker, ID, Claim::ByRoot), Instant::now())
            .map_err(|error| error.to_string()),
        Err("/nowhere/at/all cannot be read: No such file or directory".to_owned())
    );
}

#[test]
fn files_without_end_are_not_read_to_it() {
    let host = Host::new();
    host.put_home(LIST, "");
    let file = fs::OpenOptions::new().write(true).open(host.at(&format!("home/ann/{LIST}")));
    // Sparse: a terabyte that takes no room.
    file.unwrap().set_len(1 << 40).unwrap();
    let answer = host.of_user(Runtime::Podman, ID);
    assert!(matches!(answer, Err(Unknown::TooLarge { limit: 4_194_304, .. })), "{answer:?}");
}

#[test]
fn bombs_and_stumps_are_malformed() {
    let valid = storage_list("x");
    let deep = "[".repeat(1 << 20);
    let nested = format!("[{{\"id\":\"x\",\"more\":{}", "[".repeat(1 << 20));
    let many = format!("[{}{{}}]", "{},".repeat(1 << 20));
    let wrong = [
        "",
        "{",
        "null",
        "[1]",
        "\"x\"",
        "\0",
        "[{\"id\":5}]",
        "[]x",
        &deep,
        &nested,
        &many,
        &valid[..valid.len() - 1],
    ];
    for text in wrong {
        let host = Host::new();
        host.put_home(LIST, text);
        let answer = host.of_user(Runtime::Podman, ID);
        let head = text.get(..20).unwrap_or(text);
        assert!(matches!(answer, Err(Unknown::Malformed { .. })), "{head}: {answer:?}");
    }
    // What nobody asked for is skipped without recursion, however deep.
    let host = Host::new();
    let (open, close) = ("[".repeat(1 << 20), "]".repeat(1 << 20));
    host.put_home(LIST, &format!("[{{\"id\":\"x\",\"more\":{open}{close}}}]"));
    assert_eq!(host.of_user(Runtime::Podman, ID), Err(Unknown::NotFound));
    // Nearly half a million small entries are gone through, and none is kept.
    let host = Host::new();
    host.put_home(LIST, &format!("[{}{{\"id\":\"y\"}}]", "{\"id\":\"\"},".repeat(400_000)));
    assert_eq!(host.of_user(Runtime::Podman, ID), Err(Unknown::NotFound));
}

#[test]
fn an_identifier_leads_nowhere_else() {
    let host = Host::new();
    host.put("secret/config.v2.json", &docker_config("/secret"));
    host.at("var/lib/docker/containers/x/y");
    for id in ["../../../../secret", "x/../../../../../secret", "..", "", "/secret", "a\0b"] {
        assert_eq!(host.of_root(Runtime::Docker, id), Err(Unknown::NotFound), "{id}");
        assert_eq!(host.of_root(Runtime::Lxc, id), Err(Unknown::NotFound), "{id}");
    }
}
