//! The machine: what runs on it at the moment.

use std::sync::Arc;

use femtosnitch_model::ContainerFacts;
use femtosnitch_model::Place;

use super::catalog;
use super::catalog::Kind;
use super::catalog::Program;
use super::random::Random;
use super::random::Zipf;
use super::runs::HOST_NETWORK;
use super::runs::Launcher;
use super::runs::Run;
use super::runs::Setting;
use super::runs::container;
use super::runs::unit;
use super::timeline::DAY;

/// Containers, among which the services are.
const CONTAINERS: usize = 10;
/// Shells in which people work.
const SHELLS: usize = 10;
/// Tools at work at the same time.
const TOOLS: usize = 12;
/// Sessions begin at six.
const MORNING: i64 = 6 * 3600;
/// Mean days that a daemon, and a service, runs.
const DAEMON_DAYS: f64 = 12.0;
const SERVICE_DAYS: f64 = 5.0;
/// Mean hours of a shell.
const SHELL_HOURS: f64 = 6.0;

/// A tool that is at work.
#[derive(Debug)]
struct Job {
    run: Arc<Run>,
    /// Connections that it has not made yet.
    left: u32,
}

/// What runs.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) programs: Vec<Program>,
    launcher: Launcher,
    zipf: Zipf,
    /// Places in `programs` of the tools.
    tools: Vec<usize>,
    pub(crate) init: Arc<Run>,
    pub(crate) daemons: Vec<Arc<Run>>,
    pub(crate) services: Vec<Arc<Run>>,
    pub(crate) browsers: Vec<Arc<Run>>,
    pub(crate) apps: Vec<Arc<Run>>,
    shells: Vec<Arc<Run>>,
    jobs: Vec<Job>,
    /// Mean connections of a tool.
    work: f64,
    hour: i64,
    sessions: u32,
    /// Runs so far.
    pub(crate) count: u64,
}

impl Machine {
    /// As it is at `now`, with tools that make `work` connections each on average.
    pub(crate) fn new(random: &mut Random, programs: Vec<Program>, now: i64, work: f64) -> Self {
        let mut launcher = Launcher::new(now);
        let setting =
            Setting { parent: None, uid: 0, place: unit("init.scope", ""), netns: HOST_NETWORK };
        let init = launch(&mut launcher, &programs, catalog::INIT, now, &setting);
        let tools = of(&programs, Kind::Tool);
        let mut machine = Self {
            launcher,
            zipf: Zipf::new(400, 1.0),
            tools,
            init,
            daemons: Vec::new(),
            services: Vec::new(),
            browsers: Vec::new(),
            apps: Vec::new(),
            shells: Vec::new(),
            jobs: Vec::new(),
            work,
            hour: now / 3600,
            sessions: 0,
            count: 1,
            programs,
        };
        machine.daemons = (0..of(&machine.programs, Kind::Daemon).len())
            .map(|at| machine.daemon(random, at, now))
            .collect();
        machine.services = (0..of(&machine.programs, Kind::Service).len())
            .map(|at| machine.service(random, at, now))
            .collect();
        machine.log_in(random, now);
        machine
    }

    /// What became known of executables since the last call.
    pub(crate) fn news(&mut self) -> Vec<femtosnitch_store::Described> {
        std::mem::take(&mut self.launcher.news)
    }

    /// What containers are called.
    pub(crate) fn containers() -> Vec<ContainerFacts> {
        (0..CONTAINERS)
            .map(|at| ContainerFacts {
                container: container_id(at).into(),
                name: format!("stack-service-{at}"),
                image: format!("registry.example.org/service-{}:1.{at}", at % 6),
                pod: String::new(),
            })
            .collect()
    }

    /// Restarts what ends by `now`.
    pub(crate) fn pass(&mut self, random: &mut Random, now: i64) {
        let hour = now / 3600;
        if hour == self.hour {
            return;
        }
        let morning =
            (now - MORNING).div_euclid(DAY) > (self.hour * 3600 - MORNING).div_euclid(DAY);
        self.hour = hour;
        if morning {
            self.log_in(random, now);
        }
        for at in 0..self.daemons.len() {
            if random.chance(1.0 / (24.0 * DAEMON_DAYS)) {
                let run = self.daemon(random, at, now);
                self.daemons.splice(at..=at, [run]);
            }
        }
        for at in 0..self.services.len() {
            if random.chance(1.0 / (24.0 * SERVICE_DAYS)) {
                let run = self.service(random, at, now);
                self.services.splice(at..=at, [run]);
            }
        }
        for at in 0..self.shells.len() {
            if random.chance(1.0 / SHELL_HOURS) {
                let run = self.shell(random, at, now);
                self.shells.splice(at..=at, [run]);
            }
        }
    }

    /// A tool that makes a connection now: one at work, or a new one.
    pub(crate) fn tool(&mut self, random: &mut Random, now: i64) -> Arc<Run> {
        let at = random.below(TOOLS);
        if let Some(job) = self.jobs.get_mut(at)
            && job.left > 0
        {
            job.left -= 1;
            return Arc::clone(&job.run);
        }
        let left = random.geometric(self.work) - 1;
        let run = self.begin_tool(random, now);
        let job = Job { run: Arc::clone(&run), left };
        if at < self.jobs.len() {
            self.jobs.splice(at..=at, [job]);
        } else {
            self.jobs.push(job);
        }
        run
    }

    /// In a shell, from cron, or by a daemon; sometimes with a shell of its own in between.
    fn begin_tool(&mut self, random: &mut Random, now: i64) -> Arc<Run> {
        let (parent, place) = match random.weighted(&[0.72, 0.16, 0.12]) {
            1 => {
                let place = unit("cron.service", "");
                let cron = self.at(catalog::CRON, now, &under(&Arc::clone(&self.init), 0, &place));
                (self.at(catalog::CRON_SH, now, &under(&cron, 0, &place)), place)
            }
            2 => {
                let parent = random.pick(&self.daemons).unwrap_or(&self.init);
                (Arc::clone(parent), Arc::clone(&parent.process.place))
            }
            _ => {
                let at = self.zipf.sample(random, self.shells.len());
                let parent = self.shells.get(at).unwrap_or(&self.init);
                (Arc::clone(parent), Arc::clone(&parent.process.place))
            }
        };
        let uid = if random.chance(0.05) { 0 } else { parent.process.uid };
        let parent = match random.weighted(&[0.7, 0.1, 0.1, 0.1]) {
            1 => self.at(catalog::BUILD_SH, now, &under(&parent, uid, &place)),
            2 => self.at(catalog::CONFIGURE_SH, now, &under(&parent, uid, &place)),
            3 => self.at(catalog::MAKE, now, &under(&parent, uid, &place)),
            _ => parent,
        };
        let which = self.zipf.sample(random, self.tools.len());
        let program = self.tools.get(which).copied().unwrap_or(0);
        self.run(random, program, now, &under(&parent, uid, &place))
    }

    /// A new session of the first user, and everything in it. What ran before is gone.
    fn log_in(&mut self, random: &mut Random, now: i64) {
        self.sessions += 1;
        let init = Arc::clone(&self.init);
        let manager = self.at(
            catalog::USER_MANAGER,
            now,
            &under(&init, 1000, &unit("user@1000.service", "")),
        );
        let display =
            self.at(catalog::DISPLAY_MANAGER, now, &under(&init, 0, &unit("gdm.service", "")));
        let session = unit(&format!("session-{}.scope", self.sessions), "");
        let desktop = self.at(catalog::DESKTOP, now, &under(&display, 1000, &session));
        let browsers = of(&self.programs, Kind::Browser);
        self.browsers = browsers
            .into_iter()
            .map(|program| {
                let place = app_place(&self.programs, program, 1000);
                self.run(random, program, now, &under(&desktop, 1000, &place))
            })
            .collect();
        let apps = of(&self.programs, Kind::App);
        self.apps = apps
            .into_iter()
            .enumerate()
            .map(|(at, program)| {
                let (parent, uid) = if at % 3 == 0 { (&manager, 1000) } else { (&desktop, 1000) };
                // Somebody else has a session, too.
                let uid = if at % 7 == 6 { 1001 } else { uid };
                let place = app_place(&self.programs, program, uid);
                self.run(random, program, now, &under(parent, uid, &place))
            })
            .collect();
        self.shells = (0..SHELLS).map(|at| self.shell(random, at, now)).collect();
    }

    /// In a terminal, or by ssh.
    fn shell(&mut self, random: &mut Random, at: usize, now: i64) -> Arc<Run> {
        let init = Arc::clone(&self.init);
        let (uid, remote) = (if at % 5 == 4 { 1001 } else { 1000 }, at % 4 == 3);
        if remote {
            self.sessions += 1;
            let place = unit(&format!("session-{}.scope", self.sessions), "");
            let sshd = self.at(catalog::SSHD, now, &under(&init, 0, &place));
            return self.at(catalog::LOGIN_BASH, now, &under(&sshd, uid, &place));
        }
        let service = "app-org.gnome.Terminal.slice/gnome-terminal-server.service";
        let place = unit(service, "desktop org.gnome.Terminal");
        let manager = self.at(catalog::USER_MANAGER, now, &under(&init, uid, &place));
        let terminal = self.at(catalog::TERMINAL, now, &under(&manager, uid, &place));
        let shell = self.at(catalog::BASH, now, &under(&terminal, uid, &place));
        if random.chance(0.1) {
            let sudo = self.at(catalog::SUDO, now, &under(&shell, 0, &place));
            return self.at(catalog::BASH, now, &under(&sudo, 0, &place));
        }
        shell
    }

    fn daemon(&mut self, random: &mut Random, at: usize, now: i64) -> Arc<Run> {
        let program = of(&self.programs, Kind::Daemon).get(at).copied().unwrap_or(0);
        let uid = [0, 0, 101, 102, 33, 110, 0, 991].get(at % 8).copied().unwrap_or(0);
        let place = unit(&format!("daemon-{at}.service"), "");
        let init = Arc::clone(&self.init);
        self.run(random, program, now, &under(&init, uid, &place))
    }

    fn service(&mut self, random: &mut Random, at: usize, now: i64) -> Arc<Run> {
        let program = of(&self.programs, Kind::Service).get(at).copied().unwrap_or(0);
        let which = at % CONTAINERS;
        let init = Arc::clone(&self.init);
        let shim = self.at(catalog::SHIM, now, &under(&init, 0, &unit("containerd.service", "")));
        let place = container(&container_id(which));
        let uid = [0, 999, 1000, 101].get(at % 4).copied().unwrap_or(0);
        let netns = HOST_NETWORK + 1 + u32::try_from(which).unwrap_or(0);
        self.run(random, program, now, &Setting { netns, ..under(&shim, uid, &place) })
    }

    /// A launcher with one of its command lines.
    fn at(&mut self, which: (usize, usize), now: i64, setting: &Setting<'_>) -> Arc<Run> {
        self.count += 1;
        launch(&mut self.launcher, &self.programs, which, now, setting)
    }

    fn run(
        &mut self,
        random: &mut Random,
        program: usize,
        now: i64,
        setting: &Setting<'_>,
    ) -> Arc<Run> {
        self.count += 1;
        let lines = self.programs.get(program).map_or(0, |it| it.cmdlines.len());
        let cmdline = self.zipf.sample(random, lines);
        launch(&mut self.launcher, &self.programs, (program, cmdline), now, setting)
    }
}

fn under<'a>(parent: &'a Arc<Run>, uid: u32, place: &Arc<Place>) -> Setting<'a> {
    Setting { parent: Some(parent), uid, place: Arc::clone(place), netns: HOST_NETWORK }
}

fn launch(
    launcher: &mut Launcher,
    programs: &[Program],
    (program, cmdline): (usize, usize),
    now: i64,
    setting: &Setting<'_>,
) -> Arc<Run> {
    #[expect(clippy::indexing_slicing, reason = "all of these are places in the catalog")]
    launcher.launch((program, &programs[program]), cmdline, now, setting)
}

fn of(programs: &[Program], kind: Kind) -> Vec<usize> {
    let all = programs.iter().enumerate();
    all.filter(|(_, program)| program.kind == kind).map(|(at, _)| at).collect()
}

fn app_place(programs: &[Program], program: usize, uid: u32) -> Arc<Place> {
    let name = programs.get(program).map_or("", |it| it.name.as_str());
    unit(&format!("user {uid}/app-{name}.scope"), &format!("desktop org.example.{name}"))
}

/// As Docker makes them.
fn container_id(at: usize) -> String {
    let mut random = Random::new(at as u64 + 77);
    (0..4).map(|_| format!("{:016x}", random.number())).collect()
}
