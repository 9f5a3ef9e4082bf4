//! What is installed: 300 executables with some 2,000 command lines.

use femtosnitch_model::NameSource;
use femtosnitch_model::Witness;

use super::network::NAMES;
use super::random::Random;
use super::random::Zipf;
use super::random::whole;

/// Executables.
pub const EXECUTABLES: usize = 300;

/// How a program lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of a user's session; the first one is most of the traffic.
    Browser,
    /// Likewise.
    App,
    /// A unit of the system, for weeks.
    Daemon,
    /// In a container, for days.
    Service,
    /// For seconds or minutes.
    Tool,
    /// What launches others, and moves no bytes.
    Launcher,
}

/// An executable.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) kind: Kind,
    pub(crate) path: String,
    pub(crate) name: String,
    /// The most used first.
    pub(crate) cmdlines: Vec<String>,
    /// Days of the month on which a new version was installed.
    pub(crate) upgrades: Vec<i64>,
    /// Places in the network's list of names, the most visited first.
    pub(crate) sites: Vec<usize>,
    /// How it mostly learns names.
    pub(crate) source: NameSource,
    /// What it serves, if it does.
    pub(crate) port: u16,
    /// The script that it runs, if it is an interpreter.
    pub(crate) script: String,
}

const LAUNCHERS: &[(&str, &[&str])] = &[
    ("/usr/lib/systemd/systemd", &["/sbin/init splash", "/usr/lib/systemd/systemd --user"]),
    ("/usr/sbin/gdm3", &["/usr/sbin/gdm3"]),
    ("/usr/bin/gnome-shell", &["/usr/bin/gnome-shell"]),
    ("/usr/libexec/gnome-terminal-server", &["/usr/libexec/gnome-terminal-server"]),
    ("/usr/bin/bash", &["bash", "-bash", "bash -c make"]),
    ("/usr/bin/dash", &["sh -c run-parts /etc/cron.hourly", "sh -c build", "sh ./configure"]),
    ("/usr/sbin/cron", &["/usr/sbin/cron -f"]),
    ("/usr/sbin/sshd", &["sshd: user [priv]", "/usr/sbin/sshd -D"]),
    ("/usr/bin/containerd-shim-runc-v2", &["containerd-shim-runc-v2 -namespace moby"]),
    ("/usr/bin/sudo", &["sudo apt-get update", "sudo -i"]),
];

/// Launchers with one of their command lines, by their places in [`LAUNCHERS`].
pub(crate) const INIT: (usize, usize) = (0, 0);
pub(crate) const USER_MANAGER: (usize, usize) = (0, 1);
pub(crate) const DISPLAY_MANAGER: (usize, usize) = (1, 0);
pub(crate) const DESKTOP: (usize, usize) = (2, 0);
pub(crate) const TERMINAL: (usize, usize) = (3, 0);
pub(crate) const BASH: (usize, usize) = (4, 0);
pub(crate) const LOGIN_BASH: (usize, usize) = (4, 1);
pub(crate) const MAKE: (usize, usize) = (4, 2);
pub(crate) const CRON_SH: (usize, usize) = (5, 0);
pub(crate) const BUILD_SH: (usize, usize) = (5, 1);
pub(crate) const CONFIGURE_SH: (usize, usize) = (5, 2);
pub(crate) const CRON: (usize, usize) = (6, 0);
pub(crate) const SSHD: (usize, usize) = (7, 0);
pub(crate) const SHIM: (usize, usize) = (8, 0);
pub(crate) const SUDO: (usize, usize) = (9, 1);

/// Programs by kind, launchers first.
pub(crate) fn programs(random: &mut Random) -> Vec<Program> {
    let kinds = [(Kind::Browser, 3), (Kind::App, 22), (Kind::Daemon, 45), (Kind::Service, 30)];
    let mut programs: Vec<Program> = LAUNCHERS.iter().map(launcher).collect();
    let popular = Zipf::new(u32::try_from(NAMES).unwrap_or(u32::MAX), 0.8);
    for (kind, count) in kinds {
        programs.extend((0..count).map(|at| program(random, &popular, kind, at)));
    }
    let tools = EXECUTABLES - programs.len();
    programs.extend((0..tools).map(|at| program(random, &popular, Kind::Tool, at)));
    programs
}

fn launcher((path, cmdlines): &(&str, &[&str])) -> Program {
    Program {
        kind: Kind::Launcher,
        path: (*path).to_owned(),
        name: base(path),
        cmdlines: cmdlines.iter().map(|&it| it.to_owned()).collect(),
        upgrades: Vec::new(),
        sites: Vec::new(),
        source: NameSource::NONE,
        port: 0,
        script: String::new(),
    }
}

fn base(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn program(random: &mut Random, popular: &Zipf, kind: Kind, at: usize) -> Program {
    let rank = f64::from(u32::try_from(at).unwrap_or(0) + 1);
    let (path, cmdlines, sites) = match kind {
        Kind::Browser => (format!("/usr/lib/browser{at}/browser{at}"), 4, NAMES >> at),
        Kind::App => (format!("/opt/app{at}/bin/app-{at}"), 1 + random.below(8), 120),
        Kind::Daemon => (format!("/usr/sbin/daemon-{at}"), 1 + random.below(3), 6),
        Kind::Service => (format!("/usr/local/bin/service-{at}"), 1 + random.below(3), 10),
        Kind::Launcher | Kind::Tool => {
            let many = whole(48.0 * rank.powf(-0.28) - 5.0).clamp(1, 40);
            (format!("/usr/bin/tool-{at}"), usize::try_from(many).unwrap_or(1), 40)
        }
    };
    let name = base(&path);
    let interpreted = kind == Kind::Tool && at % 9 == 4;
    let script = if interpreted { format!("/usr/local/bin/job-{at}.py") } else { String::new() };
    Program {
        kind,
        cmdlines: (0..cmdlines).map(|which| cmdline(&path, &name, &script, which)).collect(),
        name,
        path,
        upgrades: if random.chance(0.2) { vec![3 + random.below(24) as i64] } else { Vec::new() },
        sites: own_order(random, popular, sites),
        source: match (kind, random.below(4)) {
            (Kind::Service, _) => NameSource::own(Witness::Dns),
            (Kind::Browser | Kind::App, 0) => NameSource::own(Witness::Tls),
            (_, 1) => NameSource::by_others(Witness::Resolved),
            (_, 2) => NameSource::own(Witness::Dns),
            _ => NameSource::own(Witness::Getaddrinfo),
        },
        port: match kind {
            Kind::Service => 8_000 + u16::try_from(at % 6).unwrap_or(0) * 80,
            Kind::Daemon => [22, 80, 443, 631, 5432, 25].get(at % 6).copied().unwrap_or(80),
            _ => 0,
        },
        script,
    }
}

fn cmdline(path: &str, name: &str, script: &str, which: usize) -> String {
    match which {
        _ if !script.is_empty() => format!("python3 {script} --job {which}"),
        0 => path.to_owned(),
        _ => format!("{name} --profile {which} --config /etc/{name}/{which}.toml --verbose"),
    }
}

/// Its own preferences, drawn from what is popular with everybody.
fn own_order(random: &mut Random, popular: &Zipf, wanted: usize) -> Vec<usize> {
    let mut seen = vec![false; NAMES];
    let mut order = Vec::with_capacity(wanted);
    // Whoever visits nearly all would otherwise search long for the last.
    for _ in 0..wanted * 8 {
        let at = popular.sample(random, NAMES);
        if let Some(seen) = seen.get_mut(at)
            && !*seen
            && order.len() < wanted
        {
            *seen = true;
            order.push(at);
        }
    }
    let rest = seen.iter().enumerate().filter(|(_, seen)| !**seen).map(|(at, _)| at);
    let missing = wanted - order.len();
    order.extend(rest.take(missing));
    order
}
