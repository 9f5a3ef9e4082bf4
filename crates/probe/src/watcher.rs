//! Attaching the programs at C libraries, from whichever thread has time for it: the kernel reads the
//! library's file meanwhile, and who serves that may take long.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libbpf_rs::libbpf_sys as raw;

use crate::library::{Function, Library};
use crate::support::UPROBES;

/// The programs at a function's entry and end, and how to attach them.
#[derive(Debug)]
pub struct Watcher {
    pub(crate) asked: OwnedFd,
    pub(crate) told: OwnedFd,
    pub(crate) way: Way,
}

/// How functions are hooked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// All of a file at once (Linux 6.6).
    Many,
    /// One by one, through perf events of this type.
    Each(u32),
}

/// A watch over a library, which ends when this is dropped: the kernel then waits for its programs,
/// a tenth of a second and more, before 6.6 up to two seconds.
#[derive(Debug)]
#[must_use]
pub struct Watch {
    #[expect(dead_code, reason = "closing them is their use")]
    links: Vec<OwnedFd>,
}

/// `PERF_FLAG_FD_CLOEXEC`.
const CLOSE_ON_EXEC: libc::c_ulong = 8;

/// Where the programs are attached.
#[derive(Clone, Copy)]
enum Where {
    Entry,
    End,
}

impl Way {
    /// The best way that this kernel has.
    pub(crate) fn new(hooks_many: bool) -> io::Result<Self> {
        if hooks_many {
            return Ok(Self::Many);
        }
        let kind = std::fs::read_to_string(UPROBES)?;
        Ok(Self::Each(kind.trim().parse().map_err(io::Error::other)?))
    }
}

impl Watcher {
    /// From here on what this library tells is a [`femtosnitch_model::NameEvent::Looked`]; no more
    /// once for a library that is watched twice. Takes the kernel some ten milliseconds.
    ///
    /// # Errors
    /// If the kernel refuses, or the file is gone.
    pub fn watch(&self, library: &Library) -> io::Result<Watch> {
        let path = CString::new(library.path())?;
        let mut links = Vec::new();
        // The entries last: an end without its beginning is nothing, a beginning without its end
        // takes room.
        for (program, at) in [(&self.told, Where::End), (&self.asked, Where::Entry)] {
            match self.way {
                Way::Many => links.push(all(program.as_fd(), at, &path, library.places())?),
                Way::Each(kind) => {
                    for place in library.places() {
                        let event = event(kind, at, &path, place.offset)?;
                        links.push(at_event(program.as_fd(), &event, place.cookie)?);
                        links.push(event);
                    }
                }
            }
        }
        Ok(Watch { links })
    }
}

/// One link for all functions.
fn all(
    program: BorrowedFd<'_>,
    at: Where,
    path: &CStr,
    places: &[Function],
) -> io::Result<OwnedFd> {
    let offsets: Vec<std::ffi::c_ulong> = places.iter().map(|place| place.offset as _).collect();
    let cookies: Vec<u64> = places.iter().map(|place| place.cookie).collect();
    let mut options = options();
    options.__bindgen_anon_1.uprobe_multi = raw::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_3 {
        flags: if matches!(at, Where::End) { raw::BPF_F_UPROBE_MULTI_RETURN } else { 0 },
        cnt: u32::try_from(places.len()).unwrap_or(0),
        path: path.as_ptr(),
        offsets: offsets.as_ptr(),
        cookies: cookies.as_ptr(),
        ..Default::default()
    };
    // SAFETY: path, offsets and cookies live until the call returns; there are `cnt` of each.
    let fd = unsafe {
        raw::bpf_link_create(
            program.as_raw_fd(),
            0,
            raw::BPF_TRACE_UPROBE_MULTI,
            &raw const options,
        )
    };
    owned(fd)
}

fn at_event(program: BorrowedFd<'_>, event: &OwnedFd, cookie: u64) -> io::Result<OwnedFd> {
    let mut options = options();
    options.__bindgen_anon_1.perf_event.bpf_cookie = cookie;
    let (program, event) = (program.as_raw_fd(), event.as_raw_fd());
    // SAFETY: `options` lives until the call returns and points nowhere.
    owned(unsafe { raw::bpf_link_create(program, event, raw::BPF_PERF_EVENT, &raw const options) })
}

fn options() -> raw::bpf_link_create_opts {
    raw::bpf_link_create_opts {
        sz: size_of::<raw::bpf_link_create_opts>() as _,
        ..Default::default()
    }
}

/// A perf event that happens whenever any process comes by.
fn event(kind: u32, at: Where, path: &CStr, offset: usize) -> io::Result<OwnedFd> {
    let (every_process, cpu, no_group) = (-1, 0, -1);
    let mut wanted = raw::perf_event_attr { type_: kind, ..Default::default() };
    wanted.size = u32::try_from(size_of_val(&wanted)).unwrap_or(0);
    wanted.config = u64::from(matches!(at, Where::End));
    wanted.__bindgen_anon_3.uprobe_path = path.as_ptr() as u64;
    wanted.__bindgen_anon_4.probe_offset = offset as u64;
    // SAFETY: `wanted` says its own size; it and the path live until the call returns.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const wanted,
            every_process,
            cpu,
            no_group,
            CLOSE_ON_EXEC,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    owned(i32::try_from(fd).map_err(io::Error::other)?)
}

/// What libbpf gives: a descriptor, or a negative error number.
fn owned(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // SAFETY: the call before has just made it, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
