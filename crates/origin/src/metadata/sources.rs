//! Which runtime keeps what where.

use std::path::{Path, PathBuf};

use super::Unknown;
use super::home;
use super::json::{self, Found};
use super::open::Place;
use crate::origin::{Container, Runtime};
use crate::text::clean;

/// For the file of a single container; real ones have a few kilobytes.
const FILE_LIMIT: u64 = 1 << 20;

/// For all lists of containers together; real ones have about a kilobyte a container.
const LIST_LIMIT: u64 = 4 << 20;

/// containerd's namespaces that are looked into.
const NAMESPACES: usize = 64;

/// Drivers of containers/storage; each has a list of its own.
const DRIVERS: [&str; 4] = ["overlay", "vfs", "btrfs", "zfs"];

/// With `--rm`, Podman keeps a container in the second.
const LISTS: [&str; 2] = ["containers.json", "volatile-containers.json"];

const CONTAINERD: &str = "run/containerd/io.containerd.runtime.v2.task";

type Answer = Result<Found, Unknown>;

/// A container of the system, below its root.
pub(super) fn system(place: &Place, container: &Container) -> Answer {
    let id = container.id.as_str();
    let docker = || docker(place, "var/lib/docker", id);
    let storage = || storage(place, &["var/lib/containers/storage", "run/containers/storage"], id);
    let crio = || crio(place, id);
    let containerd = || containerd(place, id);
    match container.runtime {
        Runtime::Docker => docker(),
        Runtime::Podman => storage(),
        Runtime::Containerd | Runtime::Nerdctl => containerd(),
        Runtime::CriO => first([&crio, &storage]),
        Runtime::Runc => file(place, format!("run/runc/{id}/state.json"), json::runc),
        Runtime::Crun => file(place, format!("run/crun/{id}/status"), json::crun),
        Runtime::Lxc => file(place, format!("var/lib/lxc/{id}/config"), lxc),
        Runtime::Nspawn => Err(Unknown::NotFound),
        Runtime::Unknown => first([&docker, &containerd, &crio, &storage]),
    }
}

/// A container of a user, below their home.
pub(super) fn user(root: &Path, uid: u32, container: &Container) -> Answer {
    let system = Place::system(root)?;
    let id = container.id.as_str();
    let state = |name: &str, read: fn(&[u8]) -> Option<Found>| {
        let directory = PathBuf::from(format!("run/user/{uid}"));
        let place = system.of_user(&directory, uid)?.ok_or(Unknown::NotFound)?;
        file(&place, name.to_owned(), read)
    };
    match container.runtime {
        Runtime::Runc => return state(&format!("runc/{id}/state.json"), json::runc),
        Runtime::Crun => return state(&format!("crun/{id}/status"), json::crun),
        _ => {}
    }
    let passwd = system.read(Path::new("etc/passwd"), home::PASSWD_LIMIT)?;
    let home = passwd.and_then(|text| home::home(&text, uid)).ok_or(Unknown::NoHome(uid))?;
    let home = system.of_user(&home, uid)?.ok_or(Unknown::NoHome(uid))?;
    let docker = || docker(&home, ".local/share/docker", id);
    let storage = || storage(&home, &[".local/share/containers/storage"], id);
    match container.runtime {
        Runtime::Docker => docker(),
        Runtime::Podman => storage(),
        Runtime::Lxc => file(&home, format!(".local/share/lxc/{id}/config"), lxc),
        Runtime::Unknown => first([&docker, &storage]),
        // Rootless containerd keeps its state inside a mount namespace of its own.
        _ => Err(Unknown::NotFound),
    }
}

/// The first that tells, else the first that says more than that there is nothing.
fn first<const N: usize>(sources: [&dyn Fn() -> Answer; N]) -> Answer {
    let mut why = Unknown::NotFound;
    for source in sources {
        match source() {
            Ok(found) => return Ok(found),
            Err(error) if why == Unknown::NotFound => why = error,
            Err(_) => {}
        }
    }
    Err(why)
}

fn file(place: &Place, path: String, read: impl Fn(&[u8]) -> Option<Found>) -> Answer {
    let text = place.read(Path::new(&path), FILE_LIMIT)?.ok_or(Unknown::NotFound)?;
    let found = read(&text).ok_or_else(|| Unknown::Malformed { path: clean(path.as_bytes()) })?;
    if found.tells() { Ok(found) } else { Err(Unknown::NotFound) }
}

fn docker(place: &Place, data: &str, id: &str) -> Answer {
    file(place, format!("{data}/containers/{id}/config.v2.json"), json::docker)
}

fn crio(place: &Place, id: &str) -> Answer {
    let at = |base: &str| {
        let path =
            format!("{base}/containers/storage/overlay-containers/{id}/userdata/config.json");
        file(place, path, json::oci)
    };
    first([&|| at("var/lib"), &|| at("run")])
}

fn containerd(place: &Place, id: &str) -> Answer {
    let mut why = Unknown::NotFound;
    for namespace in place.list(Path::new(CONTAINERD), NAMESPACES)? {
        match file(place, format!("{CONTAINERD}/{namespace}/{id}/config.json"), json::oci) {
            Err(Unknown::NotFound) => {}
            Err(error) => why = error,
            found => return found,
        }
    }
    Err(why)
}

fn storage(place: &Place, bases: &[&str], id: &str) -> Answer {
    let mut why = Unknown::NotFound;
    let mut left = LIST_LIMIT;
    let paths = bases.iter().flat_map(|base| {
        let of_driver =
            move |driver| LISTS.map(|list| format!("{base}/{driver}-containers/{list}"));
        DRIVERS.into_iter().flat_map(of_driver)
    });
    for path in paths {
        let found = match place.read(Path::new(&path), left) {
            Ok(Some(text)) => {
                left = left.saturating_sub(text.len() as u64);
                json::storage(&text, id).ok_or(Unknown::Malformed { path })
            }
            Ok(None) => continue,
            Err(error) => Err(error),
        };
        match found {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) if why == Unknown::NotFound => why = error,
            Err(_) => {}
        }
    }
    Err(why)
}

/// `lxc.rootfs.path` in the configuration of an LXC container (lxc.container.conf(5)).
#[expect(clippy::unnecessary_wraps, reason = "reads as the others do")]
fn lxc(text: &[u8]) -> Option<Found> {
    let text = String::from_utf8_lossy(text);
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "lxc.rootfs.path" | "lxc.rootfs").then(|| value.trim().to_owned())
    });
    Some(Found { location: value, ..Found::default() })
}
