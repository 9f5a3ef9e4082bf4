//! The accuracy lab: femtosnitch against counters that are not its own (`make lab`).

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use clap::Args;

use crate::initramfs::GUEST_BIN;
use crate::kernels;
use crate::process;
use crate::qemu::RECORD_MARK;
use crate::vm;
use crate::workspace;

/// What cargo builds for it.
const PACKAGES: [&str; 3] = ["femtosnitch", "femtosnitch-testkit", "femtosnitch-lab"];

/// What a guest may take for all scenarios.
const GUEST_SECONDS: u64 = 900;

/// What `cargo xtask lab` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// Print only; leave docs/accuracy.md as it is
    #[arg(long)]
    no_write: bool,
    /// In QEMU guests with these kernels (6.1, 6.12, newest, all) in place of this one; with `all`
    /// the document's table of other kernels is replaced
    #[arg(long)]
    kernel: Option<String>,
    /// Handed to the lab, e.g. `--filter udp`
    #[arg(last = true)]
    lab: Vec<String>,
}

/// Builds and runs the lab on this kernel. Without root it asks `sudo`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut cargo = workspace::cargo()?;
    cargo.args(["build", "--release"]);
    cargo.args(PACKAGES.iter().flat_map(|name| ["--package", name]));
    process::run(&mut cargo)?;
    let target = workspace::target()?;
    let [femtosnitch, testkit, lab] = PACKAGES.map(|name| target.join("release").join(name));
    if let Some(kernel) = &options.kernel {
        return guests(options, kernel, [femtosnitch, testkit, lab]);
    }
    let mut command = as_root(&lab)?;
    command.arg("--femtosnitch").arg(femtosnitch).arg("--testkit").arg(testkit);
    command.arg("--json").arg(target.join("lab.json"));
    // A part of the table must not replace the whole of it.
    if !options.no_write && options.lab.is_empty() {
        command.arg("--document").arg(workspace::root()?.join("docs/accuracy.md"));
    }
    command.args(&options.lab);
    process::run(&mut command)?;
    println!("measurements: {}", target.join("lab.json").display());
    Ok(())
}

/// Runs the lab in guests, and has one of ours put what they measured side by side.
fn guests(options: &Options, kernel: &str, programs: [PathBuf; 3]) -> Result<()> {
    let record = workspace::target()?.join("lab-guests");
    if record.exists() {
        std::fs::remove_dir_all(&record)?;
    }
    std::fs::create_dir_all(&record)?;
    let line = guest_line(&options.lab);
    let [femtosnitch, testkit, lab] = &programs;
    // In the tests the newest is no part of all.
    let kernels = if kernel == vm::ALL { vec![vm::ALL, kernels::NEWEST] } else { vec![kernel] };
    let ended: Vec<Result<()>> = kernels
        .into_iter()
        .map(|kernel| {
            let programs = programs.to_vec();
            vm::run(&vm::Options::line(kernel, line.clone(), programs, GUEST_SECONDS, &record))
        })
        .collect();
    let mut files =
        std::fs::read_dir(&record)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    // Also what failed is shown.
    if kernel == vm::ALL && !options.no_write && options.lab.is_empty() && !files.is_empty() {
        let mut command = Command::new(lab);
        command.arg("--femtosnitch").arg(femtosnitch).arg("--testkit").arg(testkit);
        command.arg("--document").arg(workspace::root()?.join("docs/accuracy.md"));
        command.arg("--guests").args(&files);
        process::run(&mut command)?;
    }
    println!("measurements: {}", record.display());
    ended.into_iter().collect()
}

/// The shell line that runs the lab in a guest, emulated and so slow, and prints what it measured.
fn guest_line(arguments: &[String]) -> String {
    let fixed = format!(
        "{GUEST_BIN}/femtosnitch-lab --femtosnitch {GUEST_BIN}/femtosnitch \
         --testkit {GUEST_BIN}/femtosnitch-testkit --patience 200 --no-scale --json /tmp/lab.json"
    );
    let line = arguments.iter().fold(fixed, |line, argument| line + " " + &vm::quoted(argument));
    format!("{line}; code=$?; sed 's/^ */{RECORD_MARK}/' /tmp/lab.json; exit $code")
}

fn as_root(program: &Path) -> Result<Command> {
    if process::is_root() {
        return Ok(Command::new(program));
    }
    let sudo = process::find("sudo").context(
        "the lab loads eBPF programs and makes network namespaces: run it as root, or install sudo",
    )?;
    println!("lab: root is needed to load eBPF programs; using sudo");
    let mut command = Command::new(sudo);
    command.arg(program);
    Ok(command)
}
