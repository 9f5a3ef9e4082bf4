//! Which script an interpreter runs, and that file's version.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use femtosnitch_model::{FileId, ProcInfo, ProcKey};
use femtosnitch_origin::script::{Running, Script, Source, running, split};
use femtosnitch_sys::file::{FileStat, Target, open_executable};
use femtosnitch_sys::procfs;

use super::held::Held;
use crate::daemon::lookup::file_id;

/// A process that runs a script.
pub(in crate::daemon) struct ScriptRequest {
    key: ProcKey,
    script: Script,
}

/// What a process was found to run.
pub(in crate::daemon) enum Found {
    /// A file, which has to be opened.
    File(ScriptRequest),
    /// Something else that can be named, in brackets.
    Name(Vec<u8>),
}

/// What a program that was executed a moment ago runs; `None` if that is no script, or nothing is
/// known of it. `now`: it was found running, and may have gone to another directory since.
pub(in crate::daemon) fn of(info: &ProcInfo, now: bool) -> Option<Found> {
    let argv = split(&info.args, info.args_cut);
    let executed = info.script.as_deref();
    let found = match running(&info.path, executed, &argv, None) {
        Running::File(script) if !script.absolute => {
            // Looked up only here, since it costs a system call.
            let cwd = (!now).then(|| procfs::cwd(info.key.tgid).ok()).flatten();
            running(&info.path, executed, &argv, cwd.as_deref())
        }
        found => found,
    };
    match found {
        Running::NotInterpreter | Running::CannotTell | Running::Stdin => None,
        Running::File(script) => Some(Found::File(ScriptRequest { key: info.key, script })),
        // Of which some are in brackets already.
        other => Some(Found::Name(bracketed(&other.to_string()).into_bytes())),
    }
}

fn bracketed(name: &str) -> String {
    if name.starts_with('(') { name.to_owned() } else { format!("({name})") }
}

/// A script's path and version, as far as it is there.
pub(super) struct Opened {
    pub(super) key: ProcKey,
    pub(super) path: Vec<u8>,
    pub(super) file: Option<(FileId, File, FileStat)>,
}

/// Opens it as its process sees it, or takes what the kernel handed us when it was executed.
pub(super) fn open(request: ScriptRequest, held: &Held) -> Opened {
    let ScriptRequest { key, script } = request;
    let path = Path::new(OsStr::from_bytes(&script.path));
    let opened =
        script.absolute.then(|| open_executable(Target::In(key.tgid, path)).ok()).flatten();
    let opened = opened.or_else(|| {
        // The process has ended: only the kernel's own word leads to a file without it.
        let by_kernel = script.source == Source::Kernel;
        by_kernel.then(|| held.at_path(&script.path)).flatten()
    });
    let file = opened.map(|(file, stat)| (file_id(&stat), file, stat));
    Opened { key, path: script.path, file }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_in_brackets_once() {
        assert_eq!(bracketed(&Running::Inline.to_string()), "(inline)");
        let module = Running::Module("http.server".to_owned());
        assert_eq!(bracketed(&module.to_string()), "(module http.server)");
    }
}
