//! Says of each file whose it is, and what the questions cost: `whose ROOT PATH...`, paths within
//! the root.

#![expect(clippy::print_stdout, reason = "it is its purpose")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use femtosnitch_packages::{Packages, elf, privilege};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let root = arguments.next().unwrap_or_else(|| "/".into());
    let mut packages = Packages::open(&root)?;
    for path in arguments {
        let file = File::open(root.join(path.strip_prefix("/").unwrap_or(&path)))?;
        println!("{}: {}", path.display(), one(&mut packages, &path, &file)?);
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("most memory at a time: {}", peak.unwrap_or_default().trim());
    Ok(())
}

fn one(packages: &mut Packages, path: &Path, file: &File) -> std::io::Result<String> {
    let started = Instant::now();
    let answer = packages.identify(path, file, None);
    let took = started.elapsed();
    let manager = answer.owner.as_ref().map(|owner| format!("{}: ", owner.manager));
    Ok(format!(
        "{}{answer}; build-id {}; privilege {}; {} µs, {} KiB of indexes",
        manager.unwrap_or_default(),
        elf::build_id(file).map_or_else(|| "-".into(), |id| id.to_string()),
        privilege::Privilege::of(file)?,
        took.as_micros(),
        packages.memory() / 1024,
    ))
}
