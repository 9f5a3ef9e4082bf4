//! What is told of where a program ran, and how far each part can be trusted.

use std::fmt;

/// Who could have given a name. A cgroup is called whatever its maker likes: below a cgroup that
/// was handed to somebody, anything may look like the system's own container or unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claim {
    /// Only root could: a unit of the system's manager, a container directly in a slice of the
    /// system or in a directory that a runtime keeps at the top of the hierarchy. That includes
    /// daemons of root's that do it for somebody they were told to trust (polkit, the group
    /// docker); and an administrator who gave such a directory away gave this away with it.
    ByRoot,
    /// This user could: it is below `user@UID.service` or in a session of theirs.
    ByUser(u32),
    /// Whatever runs in the container above could.
    ByContainer,
    /// The unit above could (systemd may have handed its cgroup to it, `Delegate=`), or whoever
    /// was given the directory above.
    ByDelegate,
}

impl Claim {
    /// A claim of a user; root's own is as good as the system's.
    pub(crate) fn of_user(uid: u32) -> Self {
        if uid == 0 { Self::ByRoot } else { Self::ByUser(uid) }
    }
}

/// As a prefix of what is claimed: `user 1000/`; empty for root.
impl fmt::Display for Claim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByRoot => Ok(()),
            Self::ByUser(uid) => write!(out, "user {uid}/"),
            Self::ByContainer => out.write_str("container/"),
            Self::ByDelegate => out.write_str("delegated/"),
        }
    }
}

/// Which program makes containers with cgroups of such names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// Docker.
    Docker,
    /// Podman, and what is made of it (Toolbox, Distrobox, Quadlet).
    Podman,
    /// containerd for Kubernetes.
    Containerd,
    /// containerd by way of nerdctl.
    Nerdctl,
    /// CRI-O.
    CriO,
    /// LXC, LXD or Incus: their names do not differ.
    Lxc,
    /// systemd-nspawn, or another that registered with systemd-machined. No virtual machine.
    Nspawn,
    /// runc, run by hand.
    Runc,
    /// crun, run by hand.
    Crun,
    /// One of those that name a cgroup by the identifier alone.
    Unknown,
}

impl Runtime {
    /// As shown; lower case, no space.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
            Self::Nerdctl => "nerdctl",
            Self::CriO => "cri-o",
            Self::Lxc => "lxc",
            Self::Nspawn => "nspawn",
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Unknown => "container",
        }
    }
}

/// A container, as the name of its cgroup has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Container {
    /// What made it, going by the name.
    pub runtime: Runtime,
    /// 64 lower-case hexadecimal digits, or a name of at most 64 ASCII letters, digits and `._-`.
    pub id: String,
    /// Uid of the Kubernetes pod it is in, with dashes.
    pub pod: Option<String>,
    /// Who says so.
    pub claim: Claim,
}

/// `docker 3f4c…`, `user 1000/podman 3f4c…`.
impl fmt::Display for Container {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{} {}", self.claim, self.runtime.name(), self.id)
    }
}

/// Whose systemd has a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manager {
    /// The system's.
    System,
    /// `user@UID.service`.
    User(u32),
}

/// A unit of systemd that can hold processes: `.service`, `.scope`, `.socket`, `.mount`, `.swap`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unit {
    /// Whose.
    pub manager: Manager,
    /// Its whole name as `systemctl` takes it, still escaped: at most 255 printable ASCII
    /// characters, no space, no slash.
    pub name: String,
    /// Who says so.
    pub claim: Claim,
}

/// `nginx.service`, `user 1000/app-gnome-firefox-1234.scope`.
impl fmt::Display for Unit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.manager {
            Manager::System => out.write_str(&self.name),
            Manager::User(uid) => write!(out, "user {uid}/{}", self.name),
        }
    }
}

/// A session of systemd-logind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// As `loginctl` has it: letters and digits.
    pub id: String,
    /// Whose.
    pub uid: u32,
}

/// How an application was packaged or started.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AppKind {
    /// Started by a desktop environment, which says as what; `launcher` is what started it
    /// (`gnome`, `KDE`, `dbus`), where that is told.
    Desktop {
        /// What started it.
        launcher: Option<String>,
    },
    /// From Flatpak.
    Flatpak,
    /// A command or service of a snap.
    Snap {
        /// Which of the snap's.
        command: String,
    },
    /// A hook of a snap.
    SnapHook {
        /// Which of the snap's.
        hook: String,
    },
}

/// An application, going by the name of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct App {
    /// Which way.
    pub kind: AppKind,
    /// `org.mozilla.firefox`, or the snap's name with its instance key; cleaned.
    pub id: String,
    /// Who says so.
    pub claim: Claim,
}

/// Everything that the path of a cgroup tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The containers around the process, outermost first; more than one if they are nested.
    /// Of more than eight, the first seven and the innermost.
    pub containers: Vec<Container>,
    /// The unit, outside of all containers; none where it is but the container's own scope.
    pub unit: Option<Unit>,
    /// The unit inside the innermost container, by the word of that container.
    pub inner_unit: Option<String>,
    /// The application.
    pub app: Option<App>,
    /// The login session.
    pub session: Option<Session>,
}

impl Origin {
    /// The innermost container.
    #[must_use]
    pub fn container(&self) -> Option<&Container> {
        self.containers.last()
    }

    /// The container is inside another one.
    #[must_use]
    pub fn nested(&self) -> bool {
        self.containers.len() > 1
    }
}

/// One line that tells every look-alike from what it looks like: containers outermost first, or
/// the unit; empty where nothing is known. `docker 3f4c… > container/docker 91ab…`,
/// `web.service/podman 3f4c…`, `user 1000/podman 3f4c…`, `lxc web > nginx.service`.
impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((outer, nested)) = self.containers.split_first() else {
            return self.unit.as_ref().map_or(Ok(()), |unit| unit.fmt(out));
        };
        match (&self.unit, outer.claim) {
            (Some(unit), Claim::ByDelegate) => {
                write!(out, "{unit}/{} {}", outer.runtime.name(), outer.id)?;
            }
            (Some(unit @ Unit { manager: Manager::User(_), .. }), _) => {
                write!(out, "{unit}/{} {}", outer.runtime.name(), outer.id)?;
            }
            _ => outer.fmt(out)?,
        }
        for container in nested {
            write!(out, " > {container}")?;
        }
        self.inner_unit.as_ref().map_or(Ok(()), |unit| write!(out, " > {unit}"))
    }
}
