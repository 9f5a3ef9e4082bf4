//! Program runs and rows that come from them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;

use femtosnitch_model::Digest;
use femtosnitch_model::Executable;
use femtosnitch_model::Image;
use femtosnitch_model::ImageId;
use femtosnitch_model::Launch;
use femtosnitch_model::Place;
use femtosnitch_model::ProcKey;
use femtosnitch_model::Process;
use femtosnitch_model::Row;
use femtosnitch_store::Event;
use femtosnitch_store::EventKind;
use femtosnitch_store::Reader;

use super::image;
use super::row;

/// Digests as the daemon knows them at the moment; others are pending.
pub type Digests = HashMap<ImageId, Digest>;

pub fn place(container: &str, unit: &str, app: &str) -> Arc<Place> {
    let realm = container.into();
    Arc::new(Place { container: container.into(), unit: unit.into(), app: app.into(), realm })
}

/// Process `pid`, started in the second `launched` after boot and after 1970.
pub fn run(pid: u32, image: &Arc<Image>, launched: i64, parent: Option<&Arc<Process>>) -> Process {
    Process {
        key: ProcKey { tgid: pid, exec_id: 1, start_ns: u64::try_from(launched).unwrap() },
        image: Arc::clone(image),
        parent: parent.cloned(),
        depth: parent.map_or(0, |parent| parent.depth + 1),
        uid: 1000,
        login_uid: None,
        session: None,
        launched,
        executed: launched,
        cgroup: "".into(),
        place: Arc::default(),
        script: OnceLock::new(),
    }
}

pub fn script(id: u64, path: &str) -> Arc<Image> {
    let (path, none) = (path.to_owned(), String::new());
    Arc::new(Image { id: ImageId(id), path, name: none.clone(), cmdline: none, file: None })
}

/// The program of image `id`, launched on its own.
pub fn alone(id: u64, path: &str, launched: i64) -> Arc<Process> {
    let pid = u32::try_from(id).unwrap_or(u32::MAX);
    Arc::new(run(pid, &image(id, path), launched, None))
}

/// A row as the engine makes it.
pub fn row_of(contime: i64, process: &Arc<Process>, digests: &Digests) -> Row {
    let executable = |image: &Arc<Image>| Executable {
        image: Arc::clone(image),
        digest: digests.get(&image.id).copied().unwrap_or(Digest::Pending),
    };
    let launch = |process: &Arc<Process>| Launch {
        process: Arc::clone(process),
        exe: executable(&process.image),
        script: process.script.get().map(executable),
    };
    let lineage = std::iter::once(process).chain(process.ancestors()).map(launch).collect();
    Row {
        lineage,
        parent: process.parent_image().map(executable),
        grandparent: process.grandparent_image().map(executable),
        uid: process.uid,
        pid: process.key.tgid,
        container: Arc::clone(&process.place.container),
        ..row(contime, &executable(&process.image))
    }
}

pub fn events(path: &Path) -> Vec<Event> {
    Reader::open(path).unwrap().events(None, None, &[]).unwrap()
}

/// Second, kind and path of events of programs that changed.
pub fn changes(path: &Path) -> Vec<(i64, &'static str, String)> {
    let kinds = [EventKind::Modified, EventKind::Upgraded];
    let events = Reader::open(path).unwrap().events(None, None, &kinds).unwrap();
    events.into_iter().map(|event| (event.at, event.kind.name(), event.exe)).collect()
}
