//! From the path of a cgroup to an [`Origin`]: one walk from the root down, which at each step
//! knows who could have made what comes next.

mod app;
mod container;
mod proc;
mod unit;

#[cfg(test)]
mod tests;

pub use proc::parse_proc_cgroup;

use crate::origin::{Claim, Container, Manager, Origin, Session, Unit};

/// Longest path that the kernel gives (`PATH_MAX`).
const LONGEST: usize = 4096;

/// Containers in containers that are told one by one.
const DEEPEST: usize = 8;

/// Directories at the top of the hierarchy that runtimes with root's rights keep for themselves.
const RUNTIMES: [&str; 10] = [
    "docker",
    "kubepods",
    "kubelet",
    "lxc",
    "lxc.payload",
    "libpod_parent",
    "ecs",
    "k8s.io",
    "default",
    "actions_job",
];

/// Made inside of a container's cgroup for all that is in it, by nspawn, crun and LXC.
const PAYLOAD: [&str; 3] = ["payload", "container", "ns"];

impl Origin {
    /// What the path of a cgroup tells, as `/proc/PID/cgroup` has it (after the second colon) or
    /// as the names joined by `/`. Nothing for a path with `..`, which is outside of the reader's
    /// cgroup namespace, and for one of more than 4,096 bytes.
    #[must_use]
    pub fn of_cgroup(path: &[u8]) -> Self {
        let mut parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        if path.len() > LONGEST || parts.clone().any(|part| part == b"..") {
            return Self::default();
        }
        let mut walk = Walk::new();
        // What is no text is nobody's name; it still is a step.
        let text = |part| std::str::from_utf8(part).unwrap_or_default();
        let mut above = "";
        while let Some(part) = parts.next().map(text) {
            let below = parts.clone().next().map_or("", text);
            walk.step(Names { above, part, below });
            above = part;
        }
        walk.origin
    }
}

/// Whose systemd, if any, makes the units here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    System,
    User(u32),
    Container,
}

/// A name in the path and those next to it; empty where there is none.
#[derive(Clone, Copy)]
struct Names<'a> {
    above: &'a str,
    part: &'a str,
    below: &'a str,
}

struct Walk {
    origin: Origin,
    place: Place,
    /// Whose claim the next name is.
    claim: Claim,
    /// Only slices so far, seen from the manager: the next name may be a unit. Units hold no
    /// others; what is deeper was made by the unit itself.
    units: bool,
    top: bool,
    pod: Option<String>,
    /// Application of the slice above.
    slice_app: Option<String>,
}

impl Walk {
    fn new() -> Self {
        Self {
            origin: Origin::default(),
            place: Place::System,
            claim: Claim::ByRoot,
            units: true,
            top: true,
            pod: None,
            slice_app: None,
        }
    }

    fn step(&mut self, names: Names<'_>) {
        let top = std::mem::take(&mut self.top);
        if let Some((runtime, id)) = container::of(names.part, names.above, names.below) {
            let pod = container::pod(names.part).or(self.pod.take());
            self.enter(Container { runtime, id, pod, claim: self.claim });
        } else if self.units {
            self.in_slices(names, top);
        } else if let Some(pod) = container::pod(names.part) {
            self.pod = Some(pod);
        }
    }

    fn enter(&mut self, container: Container) {
        if self.origin.containers.len() == DEEPEST {
            self.origin.containers.pop();
        }
        self.origin.containers.push(container);
        self.origin.inner_unit = None;
        self.place = Place::Container;
        self.claim = Claim::ByContainer;
        self.units = true;
        self.slice_app = None;
    }

    fn in_slices(&mut self, names: Names<'_>, top: bool) {
        let part = names.part;
        if part.ends_with(".slice") {
            self.pod = container::pod(part).or(self.pod.take());
            self.slice_app = app::of_slice(part).or(self.slice_app.take());
        } else if self.place == Place::Container && PAYLOAD.contains(&part) {
            // Units come below.
        } else if let Some(uid) = self.user_manager(names) {
            self.origin.unit = Some(self.unit(Manager::System, part));
            self.place = Place::User(uid);
            self.claim = Claim::of_user(uid);
        } else if self.place == Place::Container && unit::user_manager(part).is_some() {
            self.origin.inner_unit = Some(part.to_owned());
        } else if let Some(name) = unit::name(part) {
            self.units = false;
            self.found_unit(name, names.above);
        } else {
            self.units = false;
            self.pod = container::pod(part);
            if top && self.place == Place::System {
                self.origin.app = app::of_directory(part);
            }
            if self.place == Place::System && !(top && RUNTIMES.contains(&part)) {
                self.claim = Claim::ByDelegate;
            }
        }
    }

    /// `user-UID.slice/user@UID.service` of the system's manager, and nothing that only looks so.
    fn user_manager(&self, names: Names<'_>) -> Option<u32> {
        let uid = unit::user_manager(names.part)?;
        let right = self.place == Place::System && unit::user_slice(names.above) == Some(uid);
        right.then_some(uid)
    }

    fn unit(&self, manager: Manager, name: &str) -> Unit {
        Unit { manager, name: name.to_owned(), claim: self.claim }
    }

    fn found_unit(&mut self, name: &str, above: &str) {
        match self.place {
            Place::Container => self.origin.inner_unit = Some(name.to_owned()),
            // The user's manager itself: the unit is `user@UID.service`, which is there already.
            Place::User(_) if name == "init.scope" => {}
            Place::User(uid) => {
                self.origin.unit = Some(self.unit(Manager::User(uid), name));
                let by_slice = || app::desktop(self.slice_app.take()?, None, self.claim);
                self.origin.app = app::of_user_unit(name, self.claim).or_else(by_slice);
            }
            Place::System => {
                self.origin.unit = Some(self.unit(Manager::System, name));
                self.origin.app = app::of_snap_unit(name, self.claim);
                let owner = unit::user_slice(above);
                let session = unit::session(name).zip(owner);
                self.claim = owner.map_or(Claim::ByDelegate, Claim::of_user);
                self.origin.session = session.map(|(id, uid)| Session { id: id.to_owned(), uid });
            }
        }
    }
}
