//! The kernel matrix: the end-to-end tests, or any shell line, in a guest per kernel.

use std::num::NonZero;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use clap::Args;

use crate::initramfs;
use crate::initramfs::GUEST_BIN;
use crate::initramfs::Payload;
use crate::kernels;
use crate::kernels::Kernel;
use crate::kernels::NEWEST;
use crate::layers;
use crate::parallel;
use crate::qemu;
use crate::tally::Tally;
use crate::workspace;
use crate::workspace::Binaries;

/// The whole matrix.
pub(crate) const ALL: &str = "all";

/// What `cargo xtask vm` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// Kernel series, or the newest kernel of Debian's suites
    #[arg(long, value_parser = ["6.1", "6.12", NEWEST, ALL], default_value = ALL)]
    kernel: String,
    /// Fail where Debian's newest kernel cannot be had, in place of leaving it out
    #[arg(long)]
    require: bool,
    /// Run this shell line in the guest in place of the tests
    #[arg(long, value_name = "LINE")]
    command: Option<String>,
    /// With --command: take this program along (may be repeated); it is found on the guest's path
    #[arg(long, value_name = "FILE", requires = "command")]
    program: Vec<PathBuf>,
    /// Keep the guest's file system and print the command that boots it
    #[arg(long)]
    keep: bool,
    /// Look for a newer kernel even if one is in the cache
    #[arg(long)]
    refresh: bool,
    /// Only fetch the kernels
    #[arg(long)]
    fetch: bool,
    /// Repeat here, too, what tells nothing of the kernel
    #[arg(long)]
    everything: bool,
    /// Seconds that each guest may take
    #[arg(long, default_value_t = 1800)]
    timeout: u64,
    /// Where to put what the shell line has recorded: a file for each kernel.
    #[arg(skip)]
    record: Option<PathBuf>,
    /// Handed to the test runner, e.g. the name of one scenario
    #[arg(last = true)]
    runner: Vec<String>,
}

impl Options {
    /// A shell line in the guests of these kernels, with programs of ours. What it prints behind
    /// [`qemu::RECORD_MARK`] becomes a file in `record`, named for the kernel.
    pub(crate) fn line(
        kernel: &str,
        command: String,
        program: Vec<PathBuf>,
        timeout: u64,
        record: &Path,
    ) -> Self {
        Self {
            kernel: kernel.to_owned(),
            require: false,
            command: Some(command),
            program,
            keep: false,
            refresh: false,
            fetch: false,
            everything: false,
            timeout,
            record: Some(record.to_owned()),
            runner: Vec::new(),
        }
    }
}

/// Boots every kernel asked for and fails if any of them did.
pub(crate) fn run(options: &Options) -> Result<()> {
    if layers::skipped("FEMTOSNITCH_SKIP_VM", "vm", "the tests on other kernels") {
        return Ok(());
    }
    let cache = workspace::cache()?;
    // The newest only by name: since 7.0 the kernel skips runs of tracepoint programs under load.
    let asked = |series: &&str| match options.kernel.as_str() {
        ALL => *series != NEWEST,
        one => one == *series,
    };
    let series: Vec<&str> = kernels::SERIES.into_iter().filter(asked).collect();
    let matrix = obtained(kernels::get(&cache, &series, options.refresh)?, options.require)?;
    if matrix.is_empty() {
        return Ok(());
    }
    if options.fetch {
        for kernel in &matrix {
            println!("vm {}: {}", kernel.version, kernel.image.display());
        }
        return Ok(());
    }
    let binaries = if options.command.is_some() { None } else { Some(workspace::build_e2e()?) };
    let work = |kernel: &Kernel| {
        boot(kernel, &payload(options, binaries.as_ref(), &options.runner), options)
    };
    // Side by side: a guest keeps one processor busy.
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let ended = parallel::each(&matrix, processors, work);
    let results = matrix.iter().zip(ended);

    let mut failed = Vec::new();
    for (kernel, result) in results {
        let died = || Err(anyhow::anyhow!("the thread that watched it panicked"));
        match result.unwrap_or_else(died) {
            Ok(line) => println!("== vm {}: {line} ==", kernel.version),
            Err(error) => {
                println!("== vm {}: FAILED: {error:#} ==", kernel.version);
                failed.push(kernel.version.as_str());
            }
        }
    }
    if !failed.is_empty() {
        bail!("the tests failed on kernel {}", failed.join(" and "));
    }
    Ok(())
}

/// The kernels that are there. Only the newest may be missing, and loudly: it changes outside of
/// this repository, and not every mirror has it.
fn obtained(found: Vec<(&str, Result<Kernel>)>, require: bool) -> Result<Vec<Kernel>> {
    let mut kernels = Vec::new();
    for (series, kernel) in found {
        match kernel {
            Ok(kernel) => kernels.push(kernel),
            Err(error) if series == NEWEST && !require => println!(
                "== vm {series}: SKIPPED, the tests did NOT run on it (--require fails here): {error:#} =="
            ),
            Err(error) => return Err(error),
        }
    }
    Ok(kernels)
}

fn payload<'a>(
    options: &'a Options,
    binaries: Option<&'a Binaries>,
    runner: &[String],
) -> Payload<'a> {
    match (&options.command, binaries) {
        (None, Some(binaries)) => Payload {
            programs: vec![&binaries.femtosnitch, &binaries.testkit, &binaries.e2e],
            command: runner_line(runner, options.everything),
        },
        (command, _) => Payload {
            programs: options.program.iter().map(PathBuf::as_path).collect(),
            command: command.clone().unwrap_or_default(),
        },
    }
}

/// The shell line that runs the tests in the guest.
fn runner_line(arguments: &[String], everything: bool) -> String {
    let which = if everything { "" } else { " --kernel-only" };
    let fixed = format!(
        "export FEMTOSNITCH_E2E_VM=1; exec {GUEST_BIN}/femtosnitch-e2e --femtosnitch {GUEST_BIN}/femtosnitch \
         --testkit {GUEST_BIN}/femtosnitch-testkit{which}"
    );
    arguments.iter().fold(fixed, |line, argument| line + " " + &quoted(argument))
}

/// As one word for a shell.
pub(crate) fn quoted(argument: &str) -> String {
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// One guest; the text tells what it did in how much time.
fn boot(kernel: &Kernel, payload: &Payload<'_>, options: &Options) -> Result<String> {
    let start = Instant::now();
    let directory = workspace::target()?.join("vm");
    std::fs::create_dir_all(&directory)?;
    let archive = directory.join(format!("{}-{}.cpio", kernel.release, std::process::id()));
    let label = format!("{:<8}", kernel.version);
    let guest = qemu::Guest {
        label: &label,
        image: &kernel.image,
        initramfs: &archive,
        limit: Duration::from_secs(options.timeout),
    };
    let result = initramfs::build(&archive, &kernel.modules, payload)
        .context("cannot build the guest's file system")
        .and_then(|()| {
            let size = std::fs::metadata(&archive)?.len() / (1 << 20);
            println!("[{label}] booting {} with {size} MiB of programs", kernel.release);
            qemu::run(&guest)
        });
    if options.keep {
        println!("[{label}] kept; boot it with: {:?}", qemu::command(&guest)?);
    } else {
        remove(&archive)?;
    }
    let outcome = result?;
    if let Some(directory) = &options.record
        && !outcome.recorded.is_empty()
    {
        let file = directory.join(format!("{}.json", kernel.version));
        std::fs::write(&file, &outcome.recorded)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    verdict(&outcome, options.command.is_none(), start.elapsed())
}

fn verdict(outcome: &qemu::Outcome, counts_needed: bool, took: Duration) -> Result<String> {
    let seconds = took.as_secs_f64();
    let tally = outcome.tally.unwrap_or_default();
    if outcome.exit != Some(0) {
        let counts = outcome.tally.map(|tally: Tally| format!("{tally}, ")).unwrap_or_default();
        let exit = outcome.exit.unwrap_or(-1);
        let failures: String = outcome.failures.iter().map(|line| format!("\n   {line}")).collect();
        bail!("{counts}exit code {exit} after {seconds:.1} s{failures}");
    }
    if !counts_needed {
        return Ok(format!("done in {seconds:.1} s"));
    }
    if !tally.is_success() {
        bail!("exit code 0, but {tally}: a layer that runs nothing proves nothing");
    }
    Ok(format!("{tally} in {seconds:.1} s"))
}

fn remove(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(exit: i32, tally: Option<(u64, u64)>) -> qemu::Outcome {
        let tally = tally.map(|(passed, failed)| Tally { passed, failed, skipped: 0 });
        let failures = vec!["FAILED b: why".into()];
        qemu::Outcome { exit: Some(exit), tally, failures, ..qemu::Outcome::default() }
    }

    #[test]
    fn success_needs_a_passing_test_and_a_zero() {
        let took = Duration::from_secs(3);
        assert!(verdict(&outcome(0, Some((4, 0))), true, took).unwrap().starts_with("4 passed"));
        assert!(verdict(&outcome(0, None), true, took).is_err(), "no count");
        assert!(verdict(&outcome(0, Some((0, 0))), true, took).is_err(), "nothing ran");
        assert!(verdict(&outcome(0, Some((4, 1))), true, took).is_err(), "a failure with exit 0");
        let message = verdict(&outcome(1, Some((4, 1))), true, took).unwrap_err().to_string();
        for part in ["1 failed", "exit code 1", "FAILED b: why"] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        assert!(verdict(&outcome(0, None), false, took).is_ok(), "a shell line counts nothing");
    }

    #[test]
    fn only_the_newest_may_be_missing() {
        let missing = |series| vec![(series, Err(anyhow::anyhow!("offline")))];
        assert!(obtained(missing(NEWEST), false).unwrap().is_empty());
        assert!(obtained(missing(NEWEST), true).is_err());
        assert!(obtained(missing("6.1"), false).is_err());
    }

    #[test]
    fn arguments_survive_the_guests_shell() {
        let line = runner_line(&["it's".into(), "a b".into()], false);
        assert!(line.contains(" --kernel-only "), "{line}");
        assert!(line.ends_with(r" 'it'\''s' 'a b'"), "{line}");
    }
}
