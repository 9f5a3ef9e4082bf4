//! Who runs, and by whom it was launched.

use std::sync::{Arc, OnceLock};

use femtosnitch_model::{
    FileId, FileSystem, Image, ImageId, Place, ProcInfo, ProcKey, Process, escape_bytes,
};

use crate::digests::Digests;
use crate::images::Images;
use crate::lineage::below;
use crate::places::{PlaceNames, Places};
use crate::privacy::Privacy;
use crate::table::Table;
use crate::{Effect, FileRequest, Moment};

/// The path shown for kernel threads.
pub(crate) const KERNEL: &str = "(kernel)";
/// The path shown where nobody knows.
const UNKNOWN: &str = "(unknown)";

/// Every program run that is alive or ended a moment ago.
#[derive(Debug)]
pub(crate) struct Processes {
    table: Table,
    images: Images,
    places: Places,
    privacy: Privacy,
    kernel: Arc<Process>,
    /// Processes that could not be told because the table was full or the event was lost.
    pub(crate) unknown: u64,
}

impl Processes {
    pub(crate) fn new(max: usize, names: PlaceNames) -> Self {
        let mut images = Images::default();
        let image = images.intern(None, KERNEL.into(), "kernel".into(), String::new());
        let kernel = Arc::new(alone(ProcKey::KERNEL, image, 0, 0));
        let (table, places, privacy) = (Table::new(max), Places::new(names), Privacy::default());
        Self { table, images, places, privacy, kernel, unknown: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Program runs that found no room.
    pub(crate) fn refused(&self) -> u64 {
        self.table.refused
    }

    pub(crate) fn images(&self) -> usize {
        self.images.len()
    }

    pub(crate) fn get(&self, key: ProcKey) -> Option<Arc<Process>> {
        if key == ProcKey::KERNEL {
            return Some(Arc::clone(&self.kernel));
        }
        self.table.get(key).map(Arc::clone)
    }

    /// Asks for the digests of a process and of those that launched it, where they are not known.
    pub(crate) fn want_digests(
        &self,
        process: &Process,
        digests: &mut Digests,
        effects: &mut Vec<Effect>,
    ) {
        let ancestors = process.ancestors().map(|ancestor| ancestor.as_ref());
        let lineage = std::iter::once(process).chain(ancestors);
        for image in lineage.flat_map(|run| [Some(&run.image), run.script.get()]).flatten() {
            let in_use = || self.images.files_in_use();
            // A launcher's own pid is not known any more: its path as its child sees it has to do.
            effects.extend(digests.want(image, process.key.tgid, &in_use));
        }
    }

    /// True if /proc, asked now, would tell of another program than the one that this run was.
    pub(crate) fn has_moved_on(&self, key: ProcKey) -> bool {
        self.table.has_moved_on(key)
    }

    /// A stand-in for an owner that nothing is known of; most likely it is gone.
    pub(crate) fn stand_in(&mut self, key: ProcKey, uid: u32, now: Moment) -> Arc<Process> {
        self.unknown += 1;
        let image = self.images.intern(None, UNKNOWN.into(), String::new(), String::new());
        let process = Arc::new(alone(key, image, uid, launched(key, now)));
        self.table.insert(Arc::clone(&process), false);
        self.exited(key, now.tick);
        process
    }

    /// Stands for all processes of a user that run one executable.
    pub(crate) fn all_that_run(&mut self, dev: u64, ino: u64, uid: u32) -> Arc<Process> {
        let runs_it =
            |image: &&Arc<Image>| image.file.is_some_and(|file| (file.dev, file.ino) == (dev, ino));
        let one = self.table.processes().map(|process| &process.image).find(runs_it);
        let image = match one.cloned() {
            // Arguments are of one process.
            Some(one) => {
                self.images.intern(one.file, one.path.clone(), one.name.clone(), String::new())
            }
            None => {
                self.unknown += 1;
                self.images.intern(None, UNKNOWN.into(), String::new(), String::new())
            }
        };
        Arc::new(alone(ProcKey::default(), image, uid, 0))
    }

    pub(crate) fn forked(&mut self, child: ProcKey, parent: ProcKey, uid: u32, now: Moment) {
        let Some(parent) = self.get(parent) else {
            // The child's own exec, or a look into /proc, will tell.
            return;
        };
        let (parent, depth) = below(&parent);
        let process = Process {
            key: child,
            image: Arc::clone(&parent.image),
            uid,
            login_uid: parent.login_uid,
            session: parent.session,
            launched: launched(child, now),
            executed: parent.executed,
            cgroup: Arc::clone(&parent.cgroup),
            place: Arc::clone(&parent.place),
            script: parent.script.clone(),
            parent: Some(parent),
            depth,
        };
        self.table.insert(Arc::new(process), true);
    }

    /// The number of the next new image.
    pub(crate) fn next_image(&self) -> ImageId {
        self.images.next_id()
    }

    /// How command lines are kept from here on.
    pub(crate) fn set_privacy(&mut self, privacy: Privacy) {
        self.privacy = privacy;
    }

    /// A process executed a program. Its lineage is that of the fork that made it: what the kernel
    /// calls its parent by now may be whoever adopted it.
    pub(crate) fn executed(
        &mut self,
        info: &ProcInfo,
        digests: &mut Digests,
        now: Moment,
    ) -> Option<Effect> {
        let before = ProcKey { exec_id: info.key.exec_id.wrapping_sub(1), ..info.key };
        let parent = match self.table.get(before) {
            Some(process) => process.parent.clone(),
            None => self.parent_now(info),
        };
        self.table.end(before, now.tick);
        self.admit(info, parent, digests, now.wall).1
    }

    /// A process that was looked up because it moves bytes: told whether or not there is room.
    pub(crate) fn looked_up(
        &mut self,
        info: &ProcInfo,
        digests: &mut Digests,
        now: Moment,
    ) -> (Arc<Process>, Option<Effect>) {
        let parent = self.parent_now(info);
        self.admit(info, parent, digests, launched(info.key, now))
    }

    /// A process that was there already. Known ones keep the lineage they were launched with.
    pub(crate) fn found(
        &mut self,
        infos: &[ProcInfo],
        digests: &mut Digests,
        now: Moment,
    ) -> Vec<Effect> {
        let mut new: Vec<_> = infos.iter().filter(|info| !self.table.contains(info.key)).collect();
        // Parents first: whoever adopted a process is older as well.
        new.sort_by_key(|info| (info.key.start_ns, info.key.tgid));
        let mut effects = Vec::new();
        for info in new {
            let parent = self.parent_now(info);
            effects.extend(self.admit(info, parent, digests, launched(info.key, now)).1);
        }
        effects
    }

    /// The parent as the kernel has it at this moment, for processes whose launch was not seen.
    fn parent_now(&self, info: &ProcInfo) -> Option<Arc<Process>> {
        self.get(info.parent)
    }

    fn admit(
        &mut self,
        info: &ProcInfo,
        parent: Option<Arc<Process>>,
        digests: &mut Digests,
        launched: i64,
    ) -> (Arc<Process>, Option<Effect>) {
        let file = info.file.map(|file| digests.version(file));
        let path = if info.file.is_none() && info.path.is_empty() {
            UNKNOWN.to_owned()
        } else if info.path_cut {
            format!("…{}", escape_bytes(&info.path))
        } else {
            escape_bytes(&info.path)
        };
        let image = self.images.intern(
            file,
            path,
            escape_bytes(&info.comm),
            self.privacy.command_line(&info.args, info.args_cut),
        );
        let (cgroup, place) = self.places.of(&info.cgroup);
        let launcher = parent.as_ref().map(|parent| parent.image.path.as_bytes());
        let place = self.places.refine(place, &info.path, launcher);
        // A process that was forked, and has executed nothing since, is found with its parent's
        // count of execs.
        let forked = parent
            .as_ref()
            .filter(|parent| parent.image == image && parent.key.exec_id == info.key.exec_id);
        let executed = forked.map_or(launched, |parent| parent.executed);
        let (parent, depth) = parent.as_ref().map(below).unzip();
        let process = Arc::new(Process {
            key: info.key,
            image,
            parent,
            depth: depth.unwrap_or(0),
            uid: info.uid,
            login_uid: info.login_uid,
            session: info.session,
            launched,
            executed,
            cgroup,
            place,
            script: OnceLock::new(),
        });
        self.table.insert(Arc::clone(&process), false);
        let effect = file.and_then(|file| {
            let path = info.path.clone();
            let request = FileRequest {
                file,
                path,
                tgid: info.key.tgid,
                mnt_id: info.mnt_id,
                mntns: info.mntns,
                links: info.links,
                system: info.system,
            };
            digests.executed(request, &|| self.images.files_in_use())
        });
        (process, effect)
    }

    /// The path of what the newest process with this pid runs.
    pub(crate) fn path_of_pid(&self, pid: u32) -> Option<&str> {
        let those = self.table.processes().filter(|process| process.key.tgid == pid);
        let newest = those.max_by_key(|process| (process.key.start_ns, process.key.exec_id))?;
        Some(&newest.image.path)
    }

    /// A process runs a script. Its digest is wanted when the process moves bytes.
    pub(crate) fn script_found(
        &mut self,
        key: ProcKey,
        path: &[u8],
        file: Option<FileId>,
        digests: &mut Digests,
    ) -> Option<Effect> {
        let process = self.get(key)?;
        let file = file.map(|file| digests.version(file));
        let image = self.images.intern(file, escape_bytes(path), String::new(), String::new());
        // Set once: a process has one script.
        drop(process.script.set(image));
        let request = FileRequest {
            file: file?,
            path: path.to_vec(),
            tgid: key.tgid,
            mnt_id: 0,
            mntns: 0,
            links: 0,
            system: FileSystem::Other,
        };
        digests.executed(request, &|| self.images.files_in_use())
    }

    /// A run ended. False if it is not known.
    pub(crate) fn exited(&mut self, key: ProcKey, now: u64) -> bool {
        self.table.end(key, now)
    }

    /// Forgets processes that ended long enough ago; tells which.
    pub(crate) fn forget_ended(&mut self, now: u64) -> Vec<ProcKey> {
        self.table.forget_ended(now)
    }

    /// After lost events: ends every process that a walk over all tasks no longer found.
    pub(crate) fn end_all_but(&mut self, alive: &[ProcInfo], now: u64) {
        self.table.end_all_but(&alive.iter().map(|info| info.key).collect(), now);
    }
}

/// A process of which nothing else is known.
pub(crate) fn alone(key: ProcKey, image: Arc<Image>, uid: u32, launched: i64) -> Process {
    Process {
        key,
        image,
        parent: None,
        depth: 0,
        uid,
        login_uid: None,
        session: None,
        launched,
        executed: launched,
        cgroup: "".into(),
        place: Arc::new(Place::default()),
        script: OnceLock::new(),
    }
}

/// When a process began, by the kernel's clock; what it executed since came later.
fn launched(key: ProcKey, now: Moment) -> i64 {
    let since_boot = i64::try_from(key.start_ns / 1_000_000_000).unwrap_or(0);
    now.boot.saturating_add(since_boot).min(now.wall)
}

/// Names the bucket that belongs to nobody.
pub(crate) fn nobody(id: ImageId) -> Arc<Image> {
    Arc::new(Image {
        id,
        path: "(overflow)".to_owned(),
        name: String::new(),
        cmdline: String::new(),
        file: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::LINGER;
    use crate::testing::{NAMELESS, NOW, info, key};

    struct World {
        processes: Processes,
        digests: Digests,
    }

    impl World {
        fn new() -> Self {
            Self { processes: Processes::new(100, NAMELESS), digests: Digests::new(100) }
        }

        fn exec(&mut self, info: &ProcInfo) {
            self.processes.executed(info, &mut self.digests, NOW);
        }

        fn lineage(&self, key: ProcKey) -> [String; 3] {
            let process = self.processes.get(key).unwrap();
            let path = |image: Option<&Arc<Image>>| image.map_or(String::new(), |i| i.path.clone());
            [
                process.image.path.clone(),
                path(process.parent_image()),
                path(process.grandparent_image()),
            ]
        }
    }

    #[test]
    fn lineage_is_that_of_the_launch() {
        let mut world = World::new();
        world.exec(&info(key(1, 1), "/sbin/init", key(0, 0), key(0, 0)));
        world.processes.forked(key(10, 1), key(1, 1), 0, NOW);
        world.exec(&info(key(10, 2), "/bin/sh", key(1, 1), key(0, 0)));
        world.processes.forked(key(20, 2), key(10, 2), 0, NOW);
        // By the time of its exec the child was adopted by init.
        world.exec(&info(key(20, 3), "/usr/bin/curl", key(1, 1), key(0, 0)));
        assert_eq!(world.lineage(key(20, 3)), ["/usr/bin/curl", "/bin/sh", "/sbin/init"]);
    }

    #[test]
    fn what_is_forked_was_executed_when_its_parent_was() {
        let mut world = World::new();
        let at = |wall| Moment { wall, ..NOW };
        let nginx = |key| info(key, "/usr/sbin/nginx", key, key);
        world.processes.executed(&nginx(key(10, 2)), &mut world.digests, at(100));
        world.processes.forked(key(11, 2), key(10, 2), 0, at(500));
        let of = |world: &World, pid, exec| world.processes.get(key(pid, exec)).unwrap().executed;
        assert_eq!(of(&world, 11, 2), 100);
        // Found with a parent that is known: a worker, and one that has executed it itself.
        let found = [(12, 2), (13, 3)]
            .map(|(pid, exec)| info(key(pid, exec), "/usr/sbin/nginx", key(10, 2), key(0, 0)));
        world.processes.found(&found, &mut world.digests, at(900));
        assert_eq!(of(&world, 12, 2), 100);
        assert!(of(&world, 13, 3) > 100);
    }

    #[test]
    fn a_fork_without_exec_runs_its_parents_program() {
        let mut world = World::new();
        world.exec(&info(key(10, 2), "/usr/sbin/nginx", key(1, 1), key(0, 0)));
        world.processes.forked(key(11, 2), key(10, 2), 33, NOW);
        assert_eq!(world.lineage(key(11, 2))[..2], ["/usr/sbin/nginx", "/usr/sbin/nginx"]);
        assert_eq!(world.processes.get(key(11, 2)).unwrap().uid, 33);
    }

    #[test]
    fn a_shell_that_execs_its_last_command_keeps_its_launcher() {
        let mut world = World::new();
        world.exec(&info(key(10, 2), "/bin/sh", key(1, 1), key(0, 0)));
        world.exec(&info(key(10, 3), "/usr/bin/curl", key(1, 1), key(0, 0)));
        assert_eq!(world.lineage(key(10, 3))[0], "/usr/bin/curl");
        assert!(world.processes.get(key(10, 2)).is_some(), "its bytes may still be read");
        world.processes.forget_ended(NOW.tick + LINGER);
        assert!(world.processes.get(key(10, 2)).is_none());
    }

    #[test]
    fn the_snapshot_finds_parents_in_any_order() {
        let mut world = World::new();
        let child = info(key(9, 1), "/bin/child", key(5, 1), key(1, 1));
        let parent = info(key(5, 1), "/bin/parent", key(1, 1), key(0, 0));
        let init = info(key(1, 1), "/sbin/init", key(0, 0), key(0, 0));
        world.processes.found(&[child, parent, init], &mut world.digests, NOW);
        assert_eq!(world.lineage(key(9, 1)), ["/bin/child", "/bin/parent", "/sbin/init"]);
    }

    #[test]
    fn the_table_is_bounded_and_says_so() {
        let mut world = World::new();
        for pid in 0..1000 {
            world.exec(&info(key(pid + 1, 1), "/bin/x", key(0, 0), key(0, 0)));
        }
        assert!(world.processes.len() <= 100);
        assert_eq!(world.processes.refused(), 900);
    }

    #[test]
    fn a_storm_of_forks_leaves_a_short_lived_client_known() {
        let mut world = World::new();
        world.exec(&info(key(1, 1), "/bin/sh", key(0, 0), key(0, 0)));
        world.processes.forked(key(2, 1), key(1, 1), 0, NOW);
        world.exec(&info(key(2, 2), "/usr/bin/curl", key(1, 1), key(0, 0)));
        world.processes.exited(key(2, 2), 0);
        for pid in 3..10_000 {
            world.processes.forked(key(pid, 1), key(1, 1), 0, NOW);
            world.processes.exited(key(pid, 1), 0);
        }
        assert_eq!(world.lineage(key(2, 2)), ["/usr/bin/curl", "/bin/sh", "(kernel)"]);
        assert!(world.processes.get(key(9_999, 1)).is_some(), "the youngest stay");
        assert_eq!(world.processes.refused(), 0);
    }
}
