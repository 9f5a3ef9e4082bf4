//! Random launches, late digests and restarts: the same events as by a few lines of plain Rust.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use common::runs::*;
use common::*;
use femtosnitch_model::ImageId;
use femtosnitch_model::Process;
use femtosnitch_store::Batch;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const PATHS: [&str; 3] = ["/bin/a", "/snap/b/%/bin/b", "(kernel)"];
const REALMS: [&str; 2] = ["", "c1"];
/// Contents that each path may have.
const CONTENTS: u64 = 3;

#[derive(Debug, Clone)]
enum Step {
    /// A new run of an image, launched so many seconds ago, by an earlier run or by nobody known.
    Launch {
        image: u64,
        realm: usize,
        ago: i64,
        parent: prop::sample::Index,
        orphan: bool,
    },
    Send(prop::sample::Index),
    Resolve(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let image = 0..CONTENTS * PATHS.len() as u64;
    let launch =
        (image.clone(), 0..REALMS.len(), 0_i64..20, any::<prop::sample::Index>(), any::<bool>());
    prop_oneof![
        3 => launch.prop_map(|(image, realm, ago, parent, orphan)| {
            Step::Launch { image, realm, ago, parent, orphan }
        }),
        6 => any::<prop::sample::Index>().prop_map(Step::Send),
        3 => image.prop_map(Step::Resolve),
        1 => Just(Step::Restart),
    ]
}

/// What the history knows of a run's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    Waits,
    Lost,
    Done,
}

/// Second, kind, realm, path, digest before, digest.
type Told = (i64, &'static str, String, String, String, String);
/// Realm and lasting path.
type Program = (String, String);

#[derive(Debug, Default)]
struct Model {
    current: HashMap<Program, (u64, i64)>,
    networked: HashMap<Program, ()>,
    compared: HashMap<u32, Compared>,
    /// By image: the latest run in each realm, with the second that told of it.
    waiting: HashMap<u64, Vec<(Program, i64, i64)>>,
    told: Vec<Told>,
}

fn program(process: &Process) -> Program {
    // As the documentation has it: without a snap's revision.
    let path = &process.image.path;
    let lasting = if path.starts_with("/snap/") { "/snap/b/current/bin/b" } else { path };
    (process.place.realm.to_string(), lasting.to_owned())
}

impl Model {
    fn decide(&mut self, program: &Program, image: u64, launched: i64, at: i64) {
        let Some((before, newest)) = self.current.get(program).copied() else {
            self.current.insert(program.clone(), (image, launched));
            return;
        };
        if launched < newest {
            return;
        }
        self.current.insert(program.clone(), (image, launched));
        if before != image {
            let (realm, path) = program.clone();
            let digests = [before, image].map(|image| digest(image).to_string());
            let [before, now] = digests;
            self.told.push((at, "modified", realm, path, before, now));
        }
    }

    fn row(&mut self, at: i64, process: &Arc<Process>, known: &Digests) {
        let mut lineage: Vec<_> = std::iter::once(process).chain(process.ancestors()).collect();
        lineage.reverse();
        for run in lineage {
            let (program, image) = (program(run), run.image.id.0);
            if program.1.starts_with('(') {
                continue;
            }
            if run.key == process.key && self.networked.insert(program.clone(), ()).is_none() {
                let (realm, path) = program.clone();
                let told =
                    (at, "first-seen", realm, path, String::new(), digest(image).to_string());
                self.told.push(told);
            }
            let compared = self.compared.get(&run.key.tgid).copied();
            if !matches!(compared, None | Some(Compared::Lost)) {
                continue;
            }
            if known.contains_key(&run.image.id) {
                self.compared.insert(run.key.tgid, Compared::Done);
                self.decide(&program, image, run.launched, at);
                continue;
            }
            self.compared.insert(run.key.tgid, Compared::Waits);
            let waiting = self.waiting.entry(image).or_default();
            match waiting.iter_mut().find(|(other, ..)| *other == program) {
                Some(earlier) if earlier.1 > run.launched => {}
                Some(earlier) => *earlier = (program, run.launched, at),
                None => waiting.push((program, run.launched, at)),
            }
        }
    }

    fn resolve(&mut self, image: u64, processes: &[Arc<Process>]) {
        for (program, launched, at) in self.waiting.remove(&image).unwrap_or_default() {
            self.decide(&program, image, launched, at);
        }
        for process in processes.iter().filter(|process| process.image.id.0 == image) {
            if let Some(compared) = self.compared.get_mut(&process.key.tgid)
                && *compared == Compared::Waits
            {
                *compared = Compared::Done;
            }
        }
    }

    fn restart(&mut self) {
        self.waiting.clear();
        for compared in self.compared.values_mut() {
            if *compared == Compared::Waits {
                *compared = Compared::Lost;
            }
        }
    }
}

fn digest(image: u64) -> femtosnitch_model::Digest {
    sha(u8::try_from(image).unwrap() + 1)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]
    #[test]
    fn events_are_those_of_plain_rust(steps in prop::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let mut writer = open(&path);
        let mut model = Model::default();
        let mut processes: Vec<Arc<Process>> = Vec::new();
        let (mut now, mut known) = (100, Digests::new());
        for step in steps {
            // Each step has a second of its own, so that events have an order.
            now += 1;
            match step {
                Step::Launch { image: id, realm, ago, parent, orphan } => {
                    let path = PATHS[usize::try_from(id / CONTENTS).unwrap()];
                    // Each content of a snap is another revision.
                    let image = image(id, &path.replace('%', &id.to_string()));
                    let parent = (!orphan && !processes.is_empty()).then(|| parent.get(&processes));
                    let pid = u32::try_from(processes.len()).unwrap() + 1;
                    let mut process = run(pid, &image, now - ago, parent);
                    process.place = place(REALMS[realm], "", "");
                    processes.push(Arc::new(process));
                }
                Step::Send(which) if !processes.is_empty() => {
                    let process = which.get(&processes);
                    writer.write(&rows(vec![row_of(now, process, &known)])).unwrap();
                    model.row(now, process, &known);
                }
                Step::Send(_) => {}
                Step::Resolve(id) => {
                    known.insert(ImageId(id), digest(id));
                    let resolved = vec![(ImageId(id), digest(id))];
                    writer.write(&Batch { resolved, ..Batch::default() }).unwrap();
                    model.resolve(id, &processes);
                }
                Step::Restart => {
                    drop(writer);
                    writer = open(&path);
                    model.restart();
                }
            }
        }
        // Whatever is known in the end is known of first-seen programs as well.
        let all: Vec<_> = (0..CONTENTS * PATHS.len() as u64).map(|id| (ImageId(id), digest(id))).collect();
        writer.write(&Batch { resolved: all, ..Batch::default() }).unwrap();
        for id in 0..CONTENTS * PATHS.len() as u64 {
            model.resolve(id, &processes);
        }
        let mut told: Vec<Told> = events(&path)
            .into_iter()
            .map(|it| {
                let exe = if it.exe.starts_with("/snap/") { "/snap/b/current/bin/b".into() } else { it.exe };
                (it.at, it.kind.name(), it.realm, exe, it.old_sha256, it.sha256)
            })
            .collect();
        let mut expected = model.told;
        told.sort();
        expected.sort();
        // What an earlier run of the daemon did not come to hash has no digest.
        for (told, expected) in told.iter_mut().zip(&expected) {
            if told.5 == "(interrupted)" && told.1 == "first-seen" {
                told.5.clone_from(&expected.5);
            }
        }
        prop_assert_eq!(told, expected);
        assert_sound(&path);
    }
}
