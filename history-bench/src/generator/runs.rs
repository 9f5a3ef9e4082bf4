//! Program runs: who launched whom, where and as whom.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::OnceLock;

use femtosnitch_model::Digest;
use femtosnitch_model::Executable;
use femtosnitch_model::Facts;
use femtosnitch_model::Image;
use femtosnitch_model::ImageId;
use femtosnitch_model::Launch;
use femtosnitch_model::Lineage;
use femtosnitch_model::Place;
use femtosnitch_model::ProcKey;
use femtosnitch_model::Process;
use femtosnitch_model::Sha256;
use femtosnitch_store::Described;

use super::catalog::Kind;
use super::catalog::Program;
use super::timeline::DAY;

/// The machine's own network namespace.
pub(crate) const HOST_NETWORK: u32 = 4_026_531_840;

/// A program run, and what its rows say of it.
#[derive(Debug)]
pub(crate) struct Run {
    /// Place in the catalog.
    pub(crate) program: usize,
    pub(crate) process: Arc<Process>,
    pub(crate) lineage: Lineage,
    pub(crate) exe: Executable,
    pub(crate) parent: Option<Executable>,
    pub(crate) grandparent: Option<Executable>,
    pub(crate) netns: u32,
}

/// Who launches a program, and as what.
#[derive(Debug, Clone)]
pub(crate) struct Setting<'a> {
    pub(crate) parent: Option<&'a Arc<Run>>,
    pub(crate) uid: u32,
    pub(crate) place: Arc<Place>,
    pub(crate) netns: u32,
}

/// The kernel's numbers, and images as the daemon shares them.
#[derive(Debug)]
pub(crate) struct Launcher {
    booted: i64,
    pid: u32,
    launched: u64,
    /// By program, version and command line.
    images: HashMap<(usize, usize, usize), Arc<Image>>,
    described: HashSet<(usize, usize)>,
    /// What became known since the last batch.
    pub(crate) news: Vec<Described>,
}

impl Launcher {
    pub(crate) fn new(booted: i64) -> Self {
        Self {
            booted,
            pid: 0,
            launched: 0,
            images: HashMap::new(),
            described: HashSet::new(),
            news: Vec::new(),
        }
    }

    /// Launches `program` with one of its command lines.
    pub(crate) fn launch(
        &mut self,
        (at, program): (usize, &Program),
        cmdline: usize,
        now: i64,
        setting: &Setting<'_>,
    ) -> Arc<Run> {
        let day = (now - self.booted) / DAY;
        let version = program.upgrades.iter().filter(|upgrade| **upgrade <= day).count();
        let digest = digest(at, version);
        let image = self.image((at, version, cmdline), program);
        let exe = Executable { image: Arc::clone(&image), digest };
        self.describe((at, version), program, &exe, &setting.place);
        let script = (!program.script.is_empty()).then(|| self.script(at, program));
        let process = Arc::new(self.process(image, now, setting, script.as_ref()));
        let above = setting.parent.map(|parent| parent.lineage.clone()).unwrap_or_default();
        let launch = Launch { process: Arc::clone(&process), exe: exe.clone(), script };
        Arc::new(Run {
            program: at,
            process,
            lineage: Lineage::below(launch, above),
            exe,
            parent: setting.parent.map(|parent| parent.exe.clone()),
            grandparent: setting.parent.and_then(|parent| parent.parent.clone()),
            netns: setting.netns,
        })
    }

    fn process(
        &mut self,
        image: Arc<Image>,
        now: i64,
        setting: &Setting<'_>,
        script: Option<&Executable>,
    ) -> Process {
        self.launched += 1;
        // As the kernel counts on where nobody changed `kernel.pid_max`, with others in between.
        self.pid = if self.pid > 4_190_000 { 300 } else { self.pid + 1 + (self.pid % 7) * 3 };
        let seconds = u64::try_from(now - self.booted).unwrap_or(0) + 1;
        let login =
            (setting.uid >= 1000 && setting.place.container.is_empty()).then_some(setting.uid);
        let parent = setting.parent.map(|parent| Arc::clone(&parent.process));
        Process {
            key: ProcKey {
                tgid: self.pid,
                exec_id: 1,
                start_ns: seconds * 1_000_000_000 + self.launched % 1_000_000_000,
            },
            image,
            depth: parent.as_ref().map_or(0, |parent| parent.depth + 1),
            parent,
            uid: setting.uid,
            login_uid: login,
            session: login.map(|_| u32::try_from((now - self.booted) / DAY).unwrap_or(0) + 1),
            launched: now,
            executed: now,
            cgroup: "".into(),
            place: Arc::clone(&setting.place),
            script: script.map_or_else(OnceLock::new, |it| OnceLock::from(Arc::clone(&it.image))),
        }
    }

    fn image(&mut self, key: (usize, usize, usize), program: &Program) -> Arc<Image> {
        let id = ImageId(self.images.len() as u64 + 1);
        let image = self.images.entry(key).or_insert_with(|| {
            Arc::new(Image {
                id,
                path: program.path.clone(),
                name: program.name.clone(),
                cmdline: program.cmdlines.get(key.2).cloned().unwrap_or_default(),
                file: None,
            })
        });
        Arc::clone(image)
    }

    /// As another image of the program, in the place of a command line that it does not have.
    fn script(&mut self, at: usize, program: &Program) -> Executable {
        let id = ImageId(self.images.len() as u64 + 1);
        let image = self.images.entry((at, 0, usize::MAX)).or_insert_with(|| {
            let (path, [name, cmdline]) = (program.script.clone(), [const { String::new() }; 2]);
            Arc::new(Image { id, path, name, cmdline, file: None })
        });
        Executable { image: Arc::clone(image), digest: digest(at, usize::MAX) }
    }

    fn describe(
        &mut self,
        key: (usize, usize),
        program: &Program,
        exe: &Executable,
        place: &Arc<Place>,
    ) {
        if !self.described.insert(key) {
            return;
        }
        let packaged = program.path.starts_with("/usr/") && program.kind != Kind::Service;
        let facts = Facts {
            package: if packaged { format!("dpkg {}", program.name) } else { String::new() },
            version: if packaged { format!("1.{}.0-1", key.1) } else { String::new() },
            state: if packaged { "intact" } else { "not packaged" }.to_owned(),
            ..Facts::default()
        };
        let realm = Arc::clone(&place.realm);
        self.news.push(Described { exe: exe.clone(), realm, facts });
    }
}

/// Like a digest, of a version of a program.
fn digest(program: usize, version: usize) -> Digest {
    let mut random = super::random::Random::new((program as u64) << 32 ^ version as u64);
    let mut bytes = [0; 32];
    for (to, from) in bytes.chunks_mut(8).zip(std::iter::repeat_with(|| random.number())) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    Digest::Known(Sha256(bytes))
}

/// The place of a unit.
pub(crate) fn unit(unit: &str, app: &str) -> Arc<Place> {
    let none: Arc<str> = "".into();
    let (unit, app) = (unit.into(), app.into());
    Arc::new(Place { container: Arc::clone(&none), unit, app, realm: none })
}

/// The place of a container.
pub(crate) fn container(id: &str) -> Arc<Place> {
    let id: Arc<str> = id.into();
    let (none, realm) = ("".into(), Arc::clone(&id));
    Arc::new(Place { container: id, unit: Arc::clone(&none), app: none, realm })
}
