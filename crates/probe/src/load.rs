//! Turns a plan into loaded, then attached, programs.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use libbpf_rs::{
    Iter, IterOpts, Link, MapCore, MapHandle, MapIterOpts, Object, ObjectBuilder, OpenObject,
    ProgramAttachType, ProgramType,
};

use crate::ProbeError;
use crate::abi::{self, Rodata};
use crate::error::to_io;
use crate::plan::{Attach, Choice, Hook, HookState, Need, Plan, Role};
use crate::watcher::{Watcher, Way};

/// The compiled `bpf/probe.bpf.c`.
static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probe.bpf.o"));

/// One in so many sockets may lack room for what belongs to it.
const ORPHANS: u32 = 4;

/// The first of the programs that give calls a second chance; all are loaded, or none.
const AGAIN: &str = "fs_send_again";

/// Sizes of everything in the kernel that grows with use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) flows: u32,
    pub(crate) buckets: u32,
    pub(crate) new_peers: u32,
    pub(crate) ring_bytes: u32,
    /// 0: nothing is copied for the sake of names.
    pub(crate) names_bytes: u32,
}

impl Sizes {
    /// Slots of the ledger: the catch-all, the buckets, the flows.
    pub(crate) fn slots(self) -> u32 {
        self.flows.saturating_add(self.buckets).saturating_add(1)
    }
}

/// Programs in the kernel, not yet attached.
pub(crate) struct Loaded {
    pub(crate) object: Object,
    plan: Plan,
    refused: Vec<(&'static str, String)>,
}

/// In what ways programs are used.
#[derive(Debug, Clone, Copy)]
struct Ways {
    /// Calls have a second chance.
    twice: bool,
    /// Functions of one library are hooked all at once.
    hooks_many: bool,
}

fn open(
    sizes: Sizes,
    ways: Ways,
    wanted: &dyn Fn(&OsStr) -> bool,
) -> Result<OpenObject, libbpf_rs::Error> {
    let mut object = ObjectBuilder::default().name("femtosnitch")?.open_memory(OBJECT)?;
    #[expect(clippy::cast_possible_truncation, reason = "64")]
    let groups = sizes.slots().div_ceil(abi::MARKS as u32);
    for mut map in object.maps_mut() {
        match map.name().to_str() {
            Some("flows" | "tcp_totals") => map.set_max_entries(sizes.slots())?,
            Some("dirty" | "alive") => map.set_max_entries(groups)?,
            Some("free_flows" | "extras") => map.set_max_entries(sizes.flows)?,
            Some("free_buckets" | "buckets" | "exe_buckets") => {
                map.set_max_entries(sizes.buckets)?;
            }
            Some("orphans") => map.set_max_entries((sizes.flows / ORPHANS).max(1))?,
            Some("events") => map.set_max_entries(sizes.ring_bytes)?,
            // There is no buffer of no size.
            Some("payloads") => map.set_max_entries(sizes.names_bytes.max(4096))?,
            Some("askings") if sizes.names_bytes == 0 => map.set_max_entries(1)?,
            Some(name) if name.ends_with(".rodata") => {
                if let Some(bytes) = map.initial_value_mut() {
                    put_u32(bytes, std::mem::offset_of!(Rodata, fs_max_flows), sizes.flows);
                    put_u32(bytes, std::mem::offset_of!(Rodata, fs_max_buckets), sizes.buckets);
                    put_u32(bytes, std::mem::offset_of!(Rodata, fs_max_new_peers), sizes.new_peers);
                    put_u32(bytes, std::mem::offset_of!(Rodata, fs_ring_bytes), sizes.ring_bytes);
                    put_u32(bytes, std::mem::offset_of!(Rodata, fs_names_bytes), sizes.names_bytes);
                    if let Some(place) = bytes.get_mut(std::mem::offset_of!(Rodata, fs_twice)) {
                        *place = u8::from(ways.twice);
                    }
                }
            }
            _ => {}
        }
    }
    for mut program in object.progs_mut() {
        let load = wanted(program.name());
        program.set_autoload(load);
        if ways.hooks_many && program.prog_type() == ProgramType::Kprobe {
            program.set_attach_type(ProgramAttachType::TraceUprobeMulti);
        }
    }
    Ok(object)
}

fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_ne_bytes());
    }
}

/// Loads what the plan says. A program that the kernel refuses and that can be done without is
/// left out and reported; any other makes this fail.
pub(crate) fn load(mut plan: Plan, sizes: Sizes) -> Result<Loaded, ProbeError> {
    let mut refused = Vec::new();
    try_function_tracing(&mut plan, &mut refused);
    loop {
        let wanted = |name: &OsStr| plan.choices.iter().any(|c| c.load && c.program.name == name);
        let ways = Ways { twice: plan.loads(AGAIN), hooks_many: plan.hooks_many };
        let object =
            open(sizes, ways, &wanted).map_err(ProbeError::setup("opening the BPF object"))?;
        let error = match object.load() {
            Ok(object) => return Ok(Loaded { object, plan, refused }),
            Err(error) => error,
        };
        // libbpf does not say which program it was. Loading each alone does, with tiny maps; those
        // that can be done without come first, and where the kernel has no function tracing the
        // first of its kind speaks for all.
        let before = refused.len();
        for optional in [true, false] {
            let named: Vec<usize> = (0..plan.choices.len())
                .filter(|n| plan.choices.get(*n).is_some_and(|c| can_do_without(c) == optional))
                .collect();
            for n in named {
                let Some(choice) = plan.choices.get(n).filter(|choice| choice.load) else {
                    continue;
                };
                let Err(error) = load_alone(choice.program.name, plan.hooks_many) else { continue };
                let source = to_io(&error);
                if !optional {
                    return Err(ProbeError::Refused {
                        program: choice.program.name,
                        target: choice.program.target,
                        source,
                    });
                }
                let alike = speaks_for_all(choice, &source);
                leave_out(&mut plan, n, alike, &source.to_string(), &mut refused);
            }
            if refused.len() > before {
                break;
            }
        }
        if refused.len() == before {
            return Err(ProbeError::Setup { what: "creating the BPF maps", source: to_io(&error) });
        }
    }
}

/// Some kernels have every function's type and yet refuse all programs that are attached to one.
/// Where these are but a help, one of them is tried by itself first: finding out which program it was
/// that a whole object was refused for takes twenty times as long.
fn try_function_tracing(plan: &mut Plan, refused: &mut Vec<(&'static str, String)>) {
    let is_function = |choice: &&Choice| choice.load && choice.program.attach == Attach::Function;
    if plan.choices.iter().filter(is_function).any(|choice| !can_do_without(choice)) {
        return;
    }
    let Some(nth) = plan.choices.iter().position(|choice| is_function(&choice)) else { return };
    let Some(choice) = plan.choices.get(nth) else { return };
    if let Err(error) = load_alone(choice.program.name, plan.hooks_many) {
        let source = to_io(&error);
        let alike = speaks_for_all(choice, &source);
        leave_out(plan, nth, alike, &source.to_string(), refused);
    }
}

/// EPERM is the kernel's answer to all of a kind, EACCES the verifier's to this one.
fn speaks_for_all(choice: &Choice, error: &std::io::Error) -> bool {
    choice.program.attach == Attach::Function && error.raw_os_error() == Some(libc::EPERM)
}

/// Takes a program out of the plan, with `alike` all others of its kind that can be spared.
fn leave_out(
    plan: &mut Plan,
    nth: usize,
    alike: bool,
    error: &str,
    refused: &mut Vec<(&'static str, String)>,
) {
    for (n, choice) in plan.choices.iter_mut().enumerate().filter(|(_, choice)| choice.load) {
        let same_kind =
            alike && choice.program.attach == Attach::Function && can_do_without(choice);
        if n == nth || same_kind {
            choice.load = false;
            refused.push((choice.program.name, error.to_owned()));
        }
    }
}

fn load_alone(name: &str, hooks_many: bool) -> Result<(), libbpf_rs::Error> {
    let sizes = Sizes { flows: 64, buckets: 64, new_peers: 1, ring_bytes: 4096, names_bytes: 4096 };
    open(sizes, Ways { twice: true, hooks_many }, &|program| program == name)?.load().map(drop)
}

fn can_do_without(choice: &Choice) -> bool {
    matches!(choice.program.need, Need::Optional(_))
}

impl Loaded {
    /// Attaches everything but the iterators. Gives the links and the report.
    pub(crate) fn attach(
        &self,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Result<(Vec<Link>, Vec<Hook>), ProbeError> {
        let mut links = Vec::new();
        let mut hooks = Vec::new();
        for choice in &self.plan.choices {
            let Choice { program, load, why } = choice;
            let mut hook = Hook {
                program: program.name,
                target: program.target,
                state: HookState::NotNeeded,
                why: why.clone(),
            };
            if let Some((_, error)) = self.refused.iter().find(|(name, _)| *name == program.name) {
                refuse(&mut hook, program.need, error);
            } else if *load && matches!(program.role, Role::OnDemand | Role::Lookups) {
                // See attach_later() and watcher().
            } else if *load && program.role == Role::Walk {
                hook.state = HookState::Attached;
            } else if *load {
                match self.attach_one(choice, cgroup) {
                    Ok(link) => {
                        links.push(link);
                        hook.state = HookState::Attached;
                    }
                    Err(source) if can_do_without(choice) => {
                        refuse(&mut hook, program.need, &source.to_string());
                    }
                    Err(source) => {
                        return Err(ProbeError::Refused {
                            program: program.name,
                            target: program.target,
                            source,
                        });
                    }
                }
            }
            hooks.push(hook);
        }
        Ok((links, hooks))
    }

    /// Attaches a program that was loaded for later; `None` if it was not.
    pub(crate) fn attach_later(&self, name: &str) -> Option<io::Result<Link>> {
        let choice = self.plan.choices.iter().find(|c| c.load && c.program.name == name)?;
        Some(self.attach_one(choice, None))
    }

    fn attach_one(&self, choice: &Choice, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Link> {
        let program = self
            .object
            .progs_mut()
            .find(|program| program.name() == choice.program.name)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let link = match (choice.program.attach, cgroup) {
            (Attach::Cgroup, Some(cgroup)) => program.attach_cgroup(cgroup.as_raw_fd()),
            (Attach::Library, _) | (Attach::Cgroup, None) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            (Attach::Tracepoint | Attach::Function | Attach::Iterator, _) => program.attach(),
        };
        link.map_err(|error| to_io(&error))
    }

    /// What attaches to C libraries; `None` if those programs are not in the kernel.
    pub(crate) fn watcher(&self) -> Option<io::Result<Watcher>> {
        let fd = |name: &str| {
            let program = self.object.progs_mut().find(|program| program.name() == name)?;
            let is_loaded = self.plan.loads(name);
            is_loaded.then(|| program.as_fd().try_clone_to_owned())
        };
        let (asked, told) = (fd("fs_asked")?, fd("fs_told")?);
        let build =
            || Ok(Watcher { asked: asked?, told: told?, way: Way::new(self.plan.hooks_many)? });
        Some(build())
    }

    /// Runs an iterator to its end; gives what it wrote.
    pub(crate) fn walk(&self, name: &str, map: Option<&MapHandle>) -> io::Result<Vec<u8>> {
        let program = self
            .object
            .progs_mut()
            .find(|program| program.name() == name)
            .ok_or(io::ErrorKind::NotFound)?;
        let link = match map {
            Some(map) => {
                let of = MapIterOpts { fd: map.as_fd(), _non_exhaustive: () };
                program.attach_iter_with_opts(IterOpts::Map(of))
            }
            None => program.attach(),
        }
        .map_err(|error| to_io(&error))?;
        let mut bytes = Vec::new();
        Iter::new(&link).map_err(|error| to_io(&error))?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The front that was chosen.
    pub(crate) fn front(&self) -> crate::Front {
        self.plan.front
    }

    /// A handle of its own on one of the object's maps.
    pub(crate) fn map(&self, name: &str) -> Result<MapHandle, ProbeError> {
        let found = self.object.maps().find(|map| {
            map.name()
                .to_str()
                .is_some_and(|n| n == name || (name.starts_with('.') && n.ends_with(name)))
        });
        match found {
            Some(map) => {
                MapHandle::try_from(&map).map_err(ProbeError::setup("taking hold of a BPF map"))
            }
            None => Err(ProbeError::Setup {
                what: "finding a map in the BPF object",
                source: io::Error::new(io::ErrorKind::NotFound, name.to_owned()),
            }),
        }
    }
}

/// True if the first choice of [`Role::Release`] is attached.
fn refuse(hook: &mut Hook, need: Need, error: &str) {
    hook.state = HookState::Refused;
    hook.why = match need {
        Need::Optional(effect) => format!("{error}: {effect}"),
        Need::Required | Need::IfPresent => error.to_owned(),
    };
}
