//! The command line: what can be asked for, and how the answer ends.

mod every;
mod export;
mod import;
mod tui;
mod verify;
mod web;
mod when;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use femtosnitch_store::{Dimension, EventKind, Filter, UnknownDimension};

use crate::cmd;
use crate::config::Paths;

pub use every::Every;
pub use export::{ExportArgs, ExportFormat};
pub use import::{ImportArgs, ImportFrom, PicosnitchArgs};
pub use tui::TuiArgs;
pub use verify::VerifyArgs;
pub use web::WebArgs;
pub use when::When;

/// Tells which executable sent and received every byte.
#[derive(Debug, Parser)]
#[command(name = "femtosnitch", version, max_term_width = 100, subcommand_required = true)]
#[command(after_help = "Examples:
  sudo femtosnitch run
  femtosnitch query --since 1h --by exe,domain
  femtosnitch export --since 7d --output week.csv")]
pub struct Cli {
    /// Directory below which configuration, history and sockets are looked for
    #[arg(long, global = true, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What femtosnitch can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Capture traffic in the foreground, until stopped by a signal (needs root)
    Daemon(DaemonArgs),
    /// Try it out: capture, serve the dashboard and show live traffic together (needs root)
    Run(RunArgs),
    /// Show history, summed up by what you choose
    Query(QueryArgs),
    /// Write the recorded rows to a file or standard output: CSV, NDJSON, Parquet
    Export(ExportArgs),
    /// Say whether the daemon runs, what it sees and what it lost
    Status(StatusArgs),
    /// Check a configuration file
    Check(CheckArgs),
    /// Have the daemon read its configuration again, and say what came of it (needs root)
    Reload(ReloadArgs),
    /// Show who uses the network right now: programs, their rates, their connections
    Top(TopArgs),
    /// Look through the history on the whole screen: who, whom, when
    Tui(TuiArgs),
    /// Take over the history or configuration of another tool
    Import(ImportArgs),
    /// Check that what is recorded agrees with itself
    Verify(VerifyArgs),
    /// Serve the dashboard to browsers of this machine
    Web(WebArgs),
}

/// How much the daemon logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Only what failed
    Error,
    /// Also what was lost or is not as it should be
    Warn,
    /// Also start, stop and what was chosen
    Info,
    /// Also what explains decisions
    Debug,
    /// Everything
    Trace,
}

impl LogLevel {
    /// The name that `tracing` filters know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// `femtosnitch daemon`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  sudo femtosnitch daemon --log-level debug

SIGTERM and SIGINT write everything and exit; SIGHUP reads the configuration again, as does
`femtosnitch reload`.")]
pub struct DaemonArgs {
    /// How much to log, to standard error
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,
}

/// `femtosnitch run`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  sudo femtosnitch run

Stop it with Ctrl-C. Nothing is left behind but the history.")]
pub struct RunArgs {}

/// `femtosnitch status`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  femtosnitch status --json | jq .counters

Exits with 1 if no daemon is running.")]
pub struct StatusArgs {
    /// Print JSON for programs
    #[arg(long)]
    pub json: bool,
}

/// `femtosnitch check`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  femtosnitch check ./config.toml

Exits with 1 if anything is wrong.")]
pub struct CheckArgs {
    /// The file to check: JSON if its name ends in .json, else TOML; without it, the
    /// configuration that the daemon would read
    pub file: Option<PathBuf>,
}

/// `femtosnitch reload`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  sudo femtosnitch reload

Filters, privacy, [geoip], [log], retention and intervals change at once, without losing a byte; keys that
wait for the next start of the daemon are named. A configuration that is not entirely right is refused with
the reason, and the one before stays in force. Exits with 1 then, and if no daemon is running.")]
pub struct ReloadArgs {}

/// `femtosnitch top`
#[derive(Debug, Args)]
#[command(
    after_help = "On a terminal it takes the whole screen: `?` there tells all keys, `q` ends it.
Rates are bytes a second over the last 1, 10 and 60 seconds. A connection is listed once something
happened on it; the age of one that is older than the view begins with `>`. The mouse works; with
Shift it selects text as usual. Needs membership in the group that owns the live socket, no root.
NO_COLOR is respected; colours and lines go by COLORTERM, TERM and the locale.

Examples:
  femtosnitch top
  femtosnitch top --once --json | jq '.executables[0]'"
)]
pub struct TopArgs {
    /// Print once and exit; the same as --count 1
    #[arg(long, conflicts_with = "count")]
    pub once: bool,
    /// Print JSON for programs, one line per refresh
    #[arg(long)]
    pub json: bool,
    /// Show what moves at the IP layer, headers and retransmissions included (on the whole screen in
    /// place of what programs move, which `w` brings back; else beside it)
    #[arg(long)]
    pub wire: bool,
    /// Exit after this many refreshes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

impl TopArgs {
    /// Refreshes before the end, `None` for no end.
    #[must_use]
    pub fn refreshes(&self) -> Option<u64> {
        if self.once { Some(1) } else { self.count }
    }
}

/// How `query` prints its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueryFormat {
    /// Aligned columns for people
    Table,
    /// An array of objects; null where nothing was measured
    Json,
    /// Comma-separated values under a heading line
    Csv,
}

/// A dimension under the name by which it was asked for (`parent` is also `pexe`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The name as given.
    pub name: String,
    /// What it means.
    pub dimension: Dimension,
}

impl FromStr for By {
    type Err = UnknownDimension;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self { name: name.to_owned(), dimension: name.parse()? })
    }
}

/// `femtosnitch query`
#[derive(Debug, Args)]
#[command(after_help = query_help())]
pub struct QueryArgs {
    /// From when on: 15m, 1h, 7d (ago), all, unix seconds, or RFC 3339 (2026-01-31T18:00:00Z)
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub since: When,
    /// Until when (not included); written like --since
    #[arg(long, value_name = "TIME", default_value = "all")]
    pub until: When,
    /// What to sum up by; separate several by commas
    #[arg(long, value_name = "DIM[,DIM…]", value_delimiter = ',', default_value = "exe")]
    pub by: Vec<By>,
    /// Only traffic for which this holds: DIM=VALUE, DIM~GLOB, or not: DIM!=VALUE, DIM!~GLOB; may be
    /// given several times
    #[arg(long = "where", value_name = "DIM=VALUE")]
    pub filters: Vec<Filter>,
    /// Also show how it went, in steps of 10m, 1h, 1d, 1w, …, or auto; for json and csv the steps
    /// alone, one after the other
    #[arg(long, value_name = "WIDTH|auto", conflicts_with_all = ["gaps", "tree", "events"])]
    pub every: Option<Every>,
    /// Print this many lines at most [default: 50 for a table, else all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// List when nobody looked (daemon stopped or killed, machine asleep) instead of traffic
    #[arg(long, conflicts_with_all = ["by", "filters"])]
    pub gaps: bool,
    /// Show the processes that moved the bytes, each below the one that launched it
    #[arg(long, conflicts_with_all = ["by", "gaps"])]
    pub tree: bool,
    /// List what happened: programs first seen, modified, upgraded; gaps and losses
    #[arg(long, conflicts_with_all = ["by", "filters", "gaps", "tree"])]
    pub events: bool,
    /// Only events of this kind; separate several by commas
    #[arg(long = "kind", value_name = "KIND[,KIND…]", value_delimiter = ',', requires = "events")]
    pub kinds: Vec<EventKind>,
    /// How to print the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = QueryFormat::Table)]
    pub format: QueryFormat,
}

fn query_help() -> String {
    let names: Vec<&str> = Dimension::all().map(Dimension::name).collect();
    format!(
        "DIM is one of {}; or parent for pexe, grandparent for gpexe.
VALUE may be a network (raddr=10.0.0.0/8), numbers from one to another (rport=8000..8999), a domain
with all below it. In GLOB, `*` is any text, `?` any character, `[a-z]` one of these. Of several
--where about one DIM one has to hold; of those with `!`, and of different DIMs, all.
KIND is one of {}.

Examples:
  femtosnitch query --since 7d --by exe,domain
  femtosnitch query --since all --by raddr,rport --where exe=/usr/bin/curl --format json
  femtosnitch query --by exe,outcome --where direction=outgoing
  femtosnitch query --where 'exe~/usr/lib/*' --where rport=80 --where rport=8000..8999
  femtosnitch query --since 7d --by country,asn --where 'country!=(private)'
  femtosnitch query --since 7d --every 1d
  femtosnitch query --since 7d --gaps
  femtosnitch query --tree --where user=alice --limit 20
  femtosnitch query --since 7d --events --kind modified,upgraded
  femtosnitch query --by domain --where 'domain!=example.org' --limit 10",
        names.join(", "),
        EventKind::ALL.map(EventKind::name).join(", "),
    )
}

/// The command line can be understood but makes no sense: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Exit code for wrong usage, the same that clap uses.
const WRONG_USAGE: u8 = 2;

/// The whole program, from arguments to exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => return explain(&message),
    };
    match run(&cli) {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let paths = Paths::new(&cli.root);
    match &cli.command {
        Command::Daemon(args) => cmd::daemon::run(&paths, args),
        Command::Run(args) => cmd::run::run(&paths, args),
        Command::Query(args) => cmd::query::run(&paths, args),
        Command::Export(args) => cmd::export::run(&paths, args),
        Command::Status(args) => cmd::status::run(&paths, args),
        Command::Check(args) => cmd::check::run(&paths, args),
        Command::Reload(args) => cmd::reload::run(&paths, args),
        Command::Top(args) => cmd::top::run(&paths, args),
        Command::Tui(args) => cmd::tui::run(&paths, args),
        Command::Import(args) => cmd::import::run(&paths, args),
        Command::Verify(args) => cmd::verify::run(&paths, args),
        Command::Web(args) => cmd::web::run(&paths, args),
    }
}

/// Help, version, or what is wrong with the arguments.
fn explain(message: &clap::Error) -> ExitCode {
    let wrong = message.use_stderr();
    match message.print() {
        Ok(()) if !wrong => ExitCode::SUCCESS,
        Err(error) if !wrong && error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ if wrong => ExitCode::from(WRONG_USAGE),
        _ => ExitCode::SUCCESS,
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(broken_pipe) {
        // Whoever read our output (`head`, a pager) has seen enough.
        return ExitCode::SUCCESS;
    }
    let line = format!("femtosnitch: {}\n", whole(error));
    // With standard error gone there is nobody left to tell; the exit code still says it.
    drop(io::stderr().write_all(line.as_bytes()));
    if error.is::<Usage>() { ExitCode::from(WRONG_USAGE) } else { ExitCode::FAILURE }
}

/// The error and its causes, but for those that were quoted already.
fn whole(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn each_cause_is_told_once() {
        let io = || io::Error::from_raw_os_error(2);
        let quoted = anyhow::anyhow!(io()).context(format!("cannot read x: {}", io()));
        assert_eq!(whole(&quoted), format!("cannot read x: {}", io()));
        let plain = anyhow::anyhow!(io()).context("cannot read x");
        assert_eq!(whole(&plain), format!("cannot read x: {}", io()));
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_shows_an_example_and_takes_a_root() {
        let mut command = Cli::command();
        command.build();
        for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
            let help = sub.render_long_help().to_string();
            assert!(help.contains("Example"), "{help}");
            assert!(help.contains("--root <DIR>"), "{help}");
        }
    }

    #[test]
    fn once_is_one_refresh() {
        let refreshes = |args: &[&str]| {
            let all = ["femtosnitch", "top"].iter().chain(args);
            match Cli::try_parse_from(all).map(|cli| cli.command) {
                Ok(Command::Top(args)) => Ok(args.refreshes()),
                other => Err(format!("{other:?}")),
            }
        };
        assert_eq!(refreshes(&[]), Ok(None));
        assert_eq!(refreshes(&["--once"]), Ok(Some(1)));
        assert_eq!(refreshes(&["--count", "3"]), Ok(Some(3)));
        assert!(refreshes(&["--count", "0"]).is_err());
    }
}
