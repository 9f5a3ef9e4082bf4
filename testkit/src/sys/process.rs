//! Processes, namespaces, capabilities and clocks.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use super::checked;

/// Runs `child` in a forked process, which exits with the code it returns.
///
/// Only for a process that has no other threads: the child may allocate.
///
/// # Errors
/// What `fork(2)` said.
pub fn fork(child: impl FnOnce() -> i32) -> io::Result<i32> {
    // SAFETY: callers are single-threaded, so no lock can be held by a thread that is gone.
    let pid = checked(unsafe { libc::fork() })?;
    if pid == 0 {
        exit_now(child());
    }
    Ok(pid)
}

/// Ends the process without running destructors or exit handlers.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` may be called anywhere.
    unsafe { libc::_exit(code) }
}

/// Ends the calling thread, which is to be the process' first, and goes on in another; the process
/// exits with the code that `rest` returns.
///
/// # Errors
/// If no thread can be started.
pub fn without_leader(rest: impl FnOnce() -> i32 + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().spawn(|| exit_now(rest()))?;
    // SAFETY: ends this thread alone; what lies on its stack is never looked at again.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    Ok(())
}

/// Waits for a forked process; its exit code, or 128 + the signal that ended it.
///
/// # Errors
/// What `waitpid(2)` said.
pub fn wait(pid: i32) -> io::Result<i32> {
    let mut status = 0;
    // SAFETY: `status` is an int that outlives the call.
    checked(unsafe { libc::waitpid(pid, &raw mut status, 0) })?;
    Ok(if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        128 + libc::WTERMSIG(status)
    })
}

/// Lets a descriptor survive `execve(2)`; its number.
///
/// # Errors
/// What `fcntl(2)` said.
pub fn keep_over_exec(fd: &impl AsFd) -> io::Result<RawFd> {
    let raw = fd.as_fd().as_raw_fd();
    // SAFETY: no pointers are passed.
    checked(unsafe { libc::fcntl(raw, libc::F_SETFD, 0) })?;
    Ok(raw)
}

/// Takes over a descriptor that survived `execve(2)`.
///
/// # Errors
/// If the number is not an open descriptor.
pub fn take_over(raw: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    checked(unsafe { libc::fcntl(raw, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: it is open (just checked) and was left for us alone by the program before.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// A pipe: reading and writing end, close-on-exec.
///
/// # Errors
/// What `pipe2(2)` said.
pub fn pipe() -> io::Result<(File, File)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    checked(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    let reader = unsafe { File::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let writer = unsafe { File::from_raw_fd(ends[1]) };
    Ok((reader, writer))
}

/// The name of each [`memory_file`].
pub const MEMORY_NAME: &CStr = c"testkit";

/// A file in memory, close-on-exec.
///
/// # Errors
/// What `memfd_create(2)` said.
pub fn memory_file() -> io::Result<File> {
    // SAFETY: the name is a C string.
    let fd = checked(unsafe { libc::memfd_create(MEMORY_NAME.as_ptr(), libc::MFD_CLOEXEC) })?;
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Executes an open file without a name of it, with these arguments; returns only an error.
pub fn execute(file: &File, args: &[&CStr]) -> io::Error {
    let raw = |words: &[&CStr]| -> Vec<*const libc::c_char> {
        let words = words.iter().map(|word| word.as_ptr());
        words.chain(std::iter::once(std::ptr::null())).collect()
    };
    let (args, environment) = (raw(args), raw(&[]));
    // SAFETY: both lists end with a null pointer, and their strings outlive the call.
    unsafe { libc::fexecve(file.as_raw_fd(), args.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Gives up being root: user and group become `id`, for good.
///
/// # Errors
/// What `setgroups(2)`, `setresgid(2)` or `setresuid(2)` said.
pub fn become_user(id: u32) -> io::Result<()> {
    // SAFETY: an empty list.
    checked(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: no pointers are passed.
    checked(unsafe { libc::setresgid(id, id, id) })?;
    // SAFETY: no pointers are passed.
    checked(unsafe { libc::setresuid(id, id, id) })?;
    Ok(())
}

/// Moves this process into a network namespace of its own.
///
/// # Errors
/// What `unshare(2)` said.
pub fn own_network() -> io::Result<()> {
    // SAFETY: no pointers are passed.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
    Ok(())
}

/// Makes `command` run inside the network namespace that `namespace` refers to.
pub fn enter_network(command: &mut Command, namespace: File) {
    let enter = move || {
        // SAFETY: no pointers are passed.
        checked(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })?;
        Ok(())
    };
    // SAFETY: the closure makes one system call and neither allocates nor locks.
    unsafe { command.pre_exec(enter) };
}

/// Takes a capability from the bounding set, so that no program run from here has it.
///
/// # Errors
/// What `prctl(2)` said; `EINVAL` for a number this kernel does not know.
pub fn drop_capability(number: u32) -> io::Result<()> {
    let number = libc::c_ulong::from(number);
    // SAFETY: PR_CAPBSET_DROP takes no pointers.
    checked(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) })?;
    Ok(())
}

/// Raises the soft limit of open files to the hard one, and that to `wanted` if allowed; the
/// limit reached.
///
/// # Errors
/// What `setrlimit(2)` said.
pub fn raise_open_files(wanted: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    let most = libc::rlimit { rlim_cur: wanted, rlim_max: wanted.max(limit.rlim_max) };
    // SAFETY: `most` outlives the call.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const most) } == 0 {
        return Ok(wanted);
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` outlives the call.
    checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(limit.rlim_cur)
}

/// Processor time that this process has used, user and system.
///
/// # Errors
/// What `clock_gettime(2)` said.
pub fn cpu_time() -> io::Result<Duration> {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock(id: libc::clockid_t) -> io::Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call.
    checked(unsafe { libc::clock_gettime(id, &raw mut time) })?;
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Ok(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
}

/// Moves the wall clock of the whole machine. Only for virtual machines made for a test.
///
/// # Errors
/// What `clock_settime(2)` said.
pub fn step_wall_clock(seconds: i64) -> io::Result<()> {
    let now = clock(libc::CLOCK_REALTIME)?;
    let target = libc::timespec {
        tv_sec: i64::try_from(now.as_secs()).unwrap_or(0) + seconds,
        tv_nsec: now.subsec_nanos().into(),
    };
    // SAFETY: `target` outlives the call.
    checked(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const target) })?;
    Ok(())
}
