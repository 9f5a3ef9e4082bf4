//! The accuracy lab: femtosnitch against counters that are not its own (`make lab`).

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use clap::Args;

use crate::initramfs::GUEST_BIN;
use crate::process;
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
    /// In QEMU guests with these kernels (6.1, 6.12, all) in place of this one; writes nothing
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
        let line = guest_line(&options.lab);
        let programs = vec![femtosnitch, testkit, lab];
        return vm::run(&vm::Options::line(kernel, line, programs, GUEST_SECONDS));
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

/// The shell line that runs the lab in a guest: emulated, so slow.
fn guest_line(arguments: &[String]) -> String {
    let fixed = format!(
        "exec {GUEST_BIN}/femtosnitch-lab --femtosnitch {GUEST_BIN}/femtosnitch \
         --testkit {GUEST_BIN}/femtosnitch-testkit --patience 200 --no-scale"
    );
    arguments.iter().fold(fixed, |line, argument| line + " " + &vm::quoted(argument))
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
