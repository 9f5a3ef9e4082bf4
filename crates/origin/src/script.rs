//! Which script an interpreter runs, from what the kernel executed and from its arguments.
//!
//! The kernel's word for a script (`#!`) is certain. Arguments are the process' own word, and
//! reading them needs to know every option that takes an argument: where one is unknown, the
//! answer is that it cannot be told.

mod argv;
mod grammar;
mod path;
mod reader;
mod table;

#[cfg(test)]
mod tests;

use std::fmt;

pub use argv::{Argv, split};

use crate::text::clean;
use grammar::Grammar;

/// How it is known which file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The kernel executed that file, and the interpreter for it.
    Kernel,
    /// The interpreter's arguments name it. They were true when the program started; the process
    /// can rewrite them later.
    Argv,
}

/// A file that an interpreter runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Script {
    /// Raw, never empty. For opening, not for showing: see [`Running`]'s `Display`.
    pub path: Vec<u8>,
    /// Starts at the root of the process' file system; otherwise it is relative to a working
    /// directory that was not known.
    pub absolute: bool,
    /// How that is known.
    pub source: Source,
}

/// What a program runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Running {
    /// It is no interpreter that we know, and the kernel says nothing of a script.
    NotInterpreter,
    /// It is an interpreter, but its arguments are cut, rewritten, or not understood.
    CannotTell,
    /// It runs this file. A directory or archive for Python (`__main__.py` in it) and Node; the
    /// jar for `java -jar`; the first for `awk -f a -f b`. Node adds `.js`, and bash looks into
    /// `PATH`, where there is no such file.
    File(Script),
    /// It runs a module that it finds by this name, cleaned: `python -m`, `java -m`, an address
    /// for Deno.
    Module(String),
    /// Java, running this class from its class path, cleaned.
    MainClass(String),
    /// Its program is an argument: `-c`, `-e`.
    Inline,
    /// Its program comes through standard input, or from a person there.
    Stdin,
}

impl Running {
    /// The script, if it is a file.
    #[must_use]
    pub fn file(&self) -> Option<&Script> {
        match self {
            Self::File(script) => Some(script),
            _ => None,
        }
    }
}

/// For a person, cleaned: the path (`./` before a relative one), `module http.server`, `class org.example.Main`, `(inline)`,
/// `(stdin)`, `(unknown)`; empty for no interpreter.
impl fmt::Display for Running {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInterpreter => Ok(()),
            Self::CannotTell => out.write_str("(unknown)"),
            Self::File(script) => {
                out.write_str(if script.absolute { "" } else { "./" })?;
                out.write_str(&clean(&script.path))
            }
            Self::Module(name) => write!(out, "module {name}"),
            Self::MainClass(name) => write!(out, "class {name}"),
            Self::Inline => out.write_str("(inline)"),
            Self::Stdin => out.write_str("(stdin)"),
        }
    }
}

/// What the program at `executable` (the final binary, as the kernel has it) runs.
///
/// `executed` is the file that was handed to execve(2) where the kernel put an interpreter in its
/// place (`linux_binprm`'s `filename`, if `interp` differs): a script, or a binary of a foreign
/// format (binfmt_misc). `cwd` is the working directory at the time of the exec.
#[must_use]
pub fn running(
    executable: &[u8],
    executed: Option<&[u8]>,
    argv: &Argv<'_>,
    cwd: Option<&[u8]>,
) -> Running {
    if let Some(script) = executed {
        return path::file(script, cwd, Source::Kernel);
    }
    let Some(mut name) = base_name(executable) else { return Running::NotInterpreter };
    let mut words = argv.words();
    let first = words.next();
    let mut title = first;
    if name == "busybox" {
        // Called by the applet's name, or with it as the first argument.
        let called = first.and_then(called);
        let applet = if called.is_some_and(|called| called.starts_with("busybox")) {
            title = words.next();
            title.and_then(base_name)
        } else {
            called
        };
        let Some(applet) = applet else {
            return if argv.cut { Running::CannotTell } else { Running::NotInterpreter };
        };
        name = match applet {
            "sh" | "ash" | "hush" => "ash",
            "awk" => "awk",
            _ => return Running::NotInterpreter,
        };
    }
    let Some(grammar) = find(name) else { return Running::NotInterpreter };
    // Where the process has put a title over its arguments, the absence of further ones says
    // nothing; and a title is seldom the interpreter's own name.
    let named = title.and_then(called).and_then(find);
    let genuine = named.is_some_and(|named| named.family == grammar.family);
    grammar.read(words, argv.cut || !genuine, cwd)
}

/// Name by which a program was called; shells of a login have a dash before it.
fn called(word: &[u8]) -> Option<&str> {
    base_name(word.strip_prefix(b"-").unwrap_or(word))
}

fn base_name(path: &[u8]) -> Option<&str> {
    let base = path.rsplit(|byte| *byte == b'/').next()?;
    std::str::from_utf8(base).ok().filter(|base| !base.is_empty())
}

fn find(name: &str) -> Option<&'static Grammar> {
    table::all().find(|grammar| grammar.names.iter().any(|known| is_version_of(name, known)))
}

/// `python3.11`, `luajit-2.1.0-beta3`, `perl5.36-x86_64-linux-gnu`.
fn is_version_of(name: &str, known: &str) -> bool {
    let Some(rest) = name.strip_prefix(known) else { return false };
    let version = rest.strip_prefix('-').unwrap_or(rest);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    rest.is_empty()
        || version.starts_with(|ch: char| ch.is_ascii_digit()) && version.bytes().all(allowed)
}
