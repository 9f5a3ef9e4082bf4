//! Rules of the house that no compiler checks: which room may know which, that each room is
//! explained, that each file says what it is for, that no path of a developer's machine got in.

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;

use crate::workspace;

/// Our crates begin with this.
const PREFIX: &str = "femtosnitch-";

/// The arrows that exist, by crate; every missing one is meant. The binary wires all of them.
const ARROWS: [(&str, &[&str]); 12] = [
    ("model", &[]),
    ("sys", &[]),
    ("geo", &[]),
    ("origin", &[]),
    ("packages", &[]),
    ("names", &[]),
    ("engine", &["model", "names"]),
    ("probe", &["model"]),
    ("store", &["model"]),
    ("api", &["model"]),
    ("web", &["store", "api", "model"]),
    ("tui", &["store", "api", "model"]),
];

/// What any room's tests may use.
const FOR_TESTS: &str = "samples";

/// The composition root.
const BINARY: &str = "femtosnitch";

/// Never part of the source.
const SKIPPED: [&str; 4] = ["target", ".git", ".cache", "node_modules"];

/// Directories in which anybody's checkout may lie: naming them gives nobody away.
const COMMON: [&str; 6] = ["/", "/home", "/root", "/tmp", "/srv", "/opt"];

/// Checks all rules and lists every break of them.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root()?;
    let mut breaks = Vec::new();
    rooms(&root, &mut breaks)?;
    let forbidden = machine_paths(&root);
    let mut files = 0_usize;
    for path in sources(&root)? {
        let Ok(text) = String::from_utf8(std::fs::read(&path)?) else { continue };
        let shown = path.strip_prefix(&root).unwrap_or(&path).display();
        files += 1;
        if path.extension().is_some_and(|extension| extension == "rs") && !says_what_it_is(&text) {
            breaks.push(format!("{shown}: begin with a `//!` line that says what the file is for"));
        }
        for (number, line) in text.lines().enumerate() {
            if let Some(place) = forbidden.iter().find(|place| mentions(line, place)) {
                breaks
                    .push(format!("{shown}:{}: names {place}, a path of this machine", number + 1));
            }
        }
    }
    if !breaks.is_empty() {
        let mut list = String::new();
        for line in &breaks {
            write!(list, "\n  {line}")?;
        }
        bail!("{} rules of the house are broken:{list}", breaks.len());
    }
    println!("== tidy: {files} files in order ==");
    Ok(())
}

/// Each room under crates/: its arrows, and its paragraph in ARCHITECTURE.md.
fn rooms(root: &Path, breaks: &mut Vec<String>) -> Result<()> {
    let architecture =
        std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap_or_else(|error| {
            breaks.push(format!("ARCHITECTURE.md: {error}"));
            String::new()
        });
    let mut directories: Vec<PathBuf> =
        std::fs::read_dir(root.join("crates"))?.filter_map(Result::ok).map(|e| e.path()).collect();
    directories.sort();
    for directory in directories {
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let manifest = directory.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest)
            .with_context(|| format!("crates/{name} has no readable Cargo.toml"))?;
        if !architecture.contains(&format!("crates/{name}")) {
            breaks.push(format!("ARCHITECTURE.md: give crates/{name} a paragraph"));
        }
        wrong_arrows(&name, &siblings(&text)?, breaks);
    }
    Ok(())
}

fn wrong_arrows(name: &str, siblings: &[String], breaks: &mut Vec<String>) {
    if name == BINARY {
        return;
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(room, _)| *room == name) else {
        breaks
            .push(format!("crates/{name}: a new room; say in xtask/src/tidy.rs which it may know"));
        return;
    };
    for sibling in siblings.iter().filter(|sibling| !allowed.contains(&sibling.as_str())) {
        breaks.push(format!("crates/{name}: must not depend on {sibling}"));
    }
}

/// The rooms that a manifest depends on, in whatever kind of dependency.
fn siblings(manifest: &str) -> Result<Vec<String>> {
    let table: toml::Table = manifest.parse().context("a manifest is no TOML")?;
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let per_target = table.get("target").and_then(toml::Value::as_table);
    let tables = per_target
        .into_iter()
        .flat_map(|targets| targets.values().filter_map(toml::Value::as_table))
        .chain([&table]);
    let mut found = Vec::new();
    for table in tables {
        for kind in kinds {
            let names = table
                .get(kind)
                .and_then(toml::Value::as_table)
                .into_iter()
                .flat_map(toml::Table::keys);
            let names = names.filter_map(|name| name.strip_prefix(PREFIX));
            let names = names.filter(|name| kind != "dev-dependencies" || *name != FOR_TESTS);
            found.extend(names.map(str::to_owned));
            if table.get(kind).is_some_and(|names| names.get(BINARY).is_some()) {
                found.push(BINARY.into());
            }
        }
    }
    Ok(found)
}

/// Whether the file's first words are its module documentation.
fn says_what_it_is(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with("#!") && !line.starts_with("// SPDX"))
        .is_some_and(|line| line.strip_prefix("//!").is_some_and(|words| !words.trim().is_empty()))
}

/// Where this checkout and its user live.
fn machine_paths(root: &Path) -> Vec<String> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let around = root.parent().map(Path::to_path_buf);
    let mut paths: Vec<String> = [Some(root.to_path_buf()), around, home]
        .into_iter()
        .flatten()
        .filter(|path| path.is_absolute())
        .map(|path| path.to_string_lossy().into_owned())
        .filter(|path| !COMMON.contains(&path.as_str()))
        .collect();
    paths.dedup();
    paths
}

/// Whether `line` names `place` or something in it, as a path of its own.
fn mentions(line: &str, place: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || "._-/}$)".contains(c);
    line.match_indices(place).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + place.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(in_word)
            && !after.is_some_and(|c| c.is_alphanumeric() || "_-".contains(c))
    })
}

/// Every file of the source tree.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        let entries = std::fs::read_dir(&directory)
            .with_context(|| format!("cannot list {}", directory.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            let name = entry.file_name();
            if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
                waiting.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_are_found_in_every_kind_of_dependency() {
        let manifest = "\
[dependencies]
femtosnitch-model.workspace = true
serde = \"1\"
[dev-dependencies]
femtosnitch-samples.workspace = true
femtosnitch = { path = \"../femtosnitch\" }
[target.'cfg(unix)'.dependencies]
femtosnitch-sys = { path = \"../sys\" }
";
        let mut found = siblings(manifest).unwrap();
        found.sort();
        assert_eq!(found, ["femtosnitch", "model", "sys"]);
    }

    #[test]
    fn a_missing_arrow_is_meant() {
        let check = |name: &str, sibling: &str| {
            let mut breaks = Vec::new();
            wrong_arrows(name, &[sibling.to_owned()], &mut breaks);
            breaks.len()
        };
        assert_eq!(check("engine", "model"), 0);
        assert_eq!(check("engine", "probe"), 1);
        assert_eq!(check("sys", "model"), 1);
        assert_eq!(check("femtosnitch", "probe"), 0);
        assert_eq!(check("unheard-of", "model"), 1, "a new room has to be entered in the list");
    }

    #[test]
    fn documentation_has_to_come_first() {
        assert!(says_what_it_is("//! What it is for.\nuse std::io;\n"));
        assert!(says_what_it_is(
            "// SPDX-License-Identifier: MIT\n\n#![forbid(unsafe_code)]\n//! Words.\n"
        ));
        assert!(!says_what_it_is("use std::io;\n//! Late.\n"));
        assert!(!says_what_it_is("//!\n"));
        assert!(!says_what_it_is(""));
    }

    #[test]
    fn only_whole_paths_count() {
        let place = "/srv/build";
        assert!(mentions("see /srv/build/x", place));
        assert!(mentions("\"/srv/build\"", place));
        assert!(!mentions("see /srv/builder", place));
        assert!(!mentions("see data/srv/build", place));
        assert!(!mentions("nothing", place));
    }

    #[test]
    fn common_directories_give_nobody_away() {
        let paths = machine_paths(Path::new("/tmp/checkout"));
        assert!(paths.iter().any(|path| path == "/tmp/checkout"));
        assert!(!paths.iter().any(|path| path == "/tmp"));
    }
}
