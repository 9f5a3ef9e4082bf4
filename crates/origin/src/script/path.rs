//! Paths of scripts.

use super::{Running, Script, Source};

/// Longest path that the kernel takes.
const LONGEST: usize = 4096;

/// Where a path means a descriptor of the process that opens it: to us it would be another file.
const DESCRIPTORS: [&[u8]; 4] = [b"/dev/fd/", b"/proc/self/", b"/proc/thread-self/", b"/dev/stdin"];

const STDIN: [&[u8]; 4] =
    [b"/dev/stdin", b"/dev/fd/0", b"/proc/self/fd/0", b"/proc/thread-self/fd/0"];

/// The answer for a script at `path`, as seen from `cwd`.
pub(super) fn file(path: &[u8], cwd: Option<&[u8]>, source: Source) -> Running {
    if path.is_empty() || path.contains(&0) {
        return Running::CannotTell;
    }
    let path = absolute(path, cwd);
    if STDIN.contains(&path.as_slice()) {
        return Running::Stdin;
    }
    let descriptor = DESCRIPTORS.iter().any(|prefix| path.starts_with(prefix));
    if descriptor || path.len() > LONGEST {
        return Running::CannotTell;
    }
    let absolute = path.starts_with(b"/");
    Running::File(Script { path, absolute, source })
}

/// Joined to `cwd`, without `.` and doubled slashes. `..` stays: behind a symbolic link it leads
/// elsewhere than the text says.
fn absolute(path: &[u8], cwd: Option<&[u8]>) -> Vec<u8> {
    let cwd = cwd.filter(|cwd| cwd.starts_with(b"/") && !path.starts_with(b"/"));
    let rooted = cwd.is_some() || path.starts_with(b"/");
    let parts = cwd.unwrap_or_default().split(|byte| *byte == b'/');
    let parts = parts.chain(path.split(|byte| *byte == b'/'));
    let mut out = Vec::with_capacity(path.len());
    for part in parts.filter(|part| !part.is_empty() && *part != b".") {
        if rooted || !out.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(part);
    }
    if out.is_empty() {
        out.push(if rooted { b'/' } else { b'.' });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined() {
        type Case = (&'static [u8], Option<&'static [u8]>, &'static [u8]);
        let cases: [Case; 8] = [
            (b"x.py", Some(b"/srv/app"), b"/srv/app/x.py"),
            (b"./a//b/./x.py", Some(b"/srv/"), b"/srv/a/b/x.py"),
            (b"../x", Some(b"/srv/app"), b"/srv/app/../x"),
            (b"//usr/./x", Some(b"/srv"), b"/usr/x"),
            (b"./x", None, b"x"),
            (b"x", Some(b"(unreachable)/y"), b"x"),
            (b".", Some(b"/"), b"/"),
            (b".", None, b"."),
        ];
        for (path, cwd, want) in cases {
            assert_eq!(absolute(path, cwd), want, "{path:?}");
        }
    }

    #[test]
    fn descriptors_are_nobody_elses() {
        for path in ["/dev/fd/63", "/proc/self/fd/3", "/dev/fd/3/x", "/dev/../dev/fd/3"] {
            let want = path.contains("..");
            let found = file(path.as_bytes(), None, Source::Argv);
            assert_eq!(matches!(found, Running::File(_)), want, "{path}");
        }
        assert_eq!(file(b"stdin", Some(b"/dev"), Source::Argv), Running::Stdin);
    }
}
