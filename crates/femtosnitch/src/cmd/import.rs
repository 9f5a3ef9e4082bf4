//! `femtosnitch import`: the history, or the configuration, of another tool.

mod config;
mod progress;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use femtosnitch_engine::Privacy;
use femtosnitch_model::printable;
use femtosnitch_store::{
    Import, ImportError, Imported, Keep, OpenReport, Options, Picosnitch, StoreError, Survey,
    Writer,
};
use femtosnitch_sys::signal::{Signal, Signals};
use jiff::Timestamp;

use crate::cli::{ImportArgs, ImportFrom, PicosnitchArgs};
use crate::config::{Config, Paths};
use crate::daemon;
use crate::text::{count, duration};
use progress::Progress;

/// Where picosnitch has its history and its configuration, below the root.
const DATABASE: &str = "/var/lib/picosnitch/picosnitch.db";
const CONFIG: &str = "/etc/picosnitch/config.toml";

/// Takes over what was asked for.
///
/// # Errors
/// If what is to be taken over cannot be read, or what becomes of it not be written; if a signal
/// ended it early.
pub fn run(paths: &Paths, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let ImportFrom::Picosnitch(args) = &args.from;
    match &args.config {
        Some(file) => {
            let file = file.clone().unwrap_or_else(|| paths.below(CONFIG.as_ref()));
            config::run(paths, &file, args.write)
        }
        None => history(paths, args),
    }
}

fn history(paths: &Paths, args: &PicosnitchArgs) -> anyhow::Result<ExitCode> {
    let file = args.file.clone().unwrap_or_else(|| paths.below(DATABASE.as_ref()));
    let config = Config::load(paths)?.0;
    let source = Picosnitch::open(&file)?;
    let version = source.version();
    let local = source.is_in_local_time();
    // From here on Ctrl-C ends it between two transactions.
    let signals = Signals::block().context("cannot receive signals")?;
    // No locator: where an address is today says nothing of last month. No boot: nobody knows which
    // it was.
    let group = daemon::reader_group(paths, &config)?;
    let options =
        Options { group, tamper_evidence: config.store.tamper_evidence, ..Options::default() };
    let (mut writer, opened) = Writer::open(&paths.database(), &options).map_err(in_use)?;
    let now = now();
    let mut import = Import::begin(source, &writer, keep(&config), now)?;
    let cutoff = config
        .store
        .retention
        .map(|kept| now.saturating_sub(i64::try_from(kept.as_secs()).unwrap_or(i64::MAX)));
    let survey = import.survey(cutoff)?;
    let mut told = plan(&import, version, &survey, local);
    told.push_str(&happened(&opened));
    if let (Some(kept), 1..) = (config.store.retention, survey.older) {
        told.push_str(&format!(
            "warning: {} of them are older than store.retention ({}): the daemon deletes them once \
             it runs. To keep them, set a longer retention, or \"forever\", in {} before it starts\n",
            count(survey.older),
            duration(kept),
            paths.config_toml().display(),
        ));
    }
    io::stderr().lock().write_all(told.as_bytes())?;

    let mut progress = Progress::new(survey.rows);
    let outcome = take(&mut import, &mut writer, &signals, &mut progress);
    progress.end()?;
    let done = import.done();
    let mut out = io::stdout().lock();
    out.write_all(summary(&done).as_bytes())?;
    out.flush()?;
    if outcome.with_context(|| format!("the import of {} ended early", file.display()))? {
        return Ok(ExitCode::SUCCESS);
    }
    let again = "interrupted; the same command goes on from here\n";
    io::stderr().lock().write_all(again.as_bytes())?;
    Ok(ExitCode::FAILURE)
}

/// True if all was taken over, false if a signal ended it.
fn take(
    import: &mut Import,
    writer: &mut Writer,
    signals: &Signals,
    progress: &mut Progress,
) -> anyhow::Result<bool> {
    loop {
        if let Some(Signal::Terminate | Signal::Interrupt | Signal::Hangup) = signals.next()? {
            return Ok(false);
        }
        if !import.step(writer)? {
            return Ok(true);
        }
        progress.show(import.seen())?;
    }
}

/// What of the rows is kept: as of what the daemon records itself.
fn keep(config: &Config) -> Keep {
    let privacy: Privacy = daemon::privacy(config);
    Keep {
        addresses: privacy.addresses,
        ports: privacy.ports,
        names: privacy.names,
        cmdline: Box::new(move |args, cut| privacy.command_line(args, cut)),
    }
}

/// Says how to have the history for oneself.
fn in_use(error: StoreError) -> anyhow::Error {
    if !matches!(error, StoreError::InUse { .. }) {
        return ImportError::from(error).into();
    }
    anyhow::Error::new(error).context(
        "the daemon is writing the history, and only one may; stop it (`sudo systemctl stop \
         femtosnitch`, or Ctrl-C where it runs), import, and start it again",
    )
}

fn plan(import: &Import, version: i64, survey: &Survey, local: bool) -> String {
    let Survey { rows, oldest, newest, .. } = survey;
    let mut out = format!("{}: picosnitch, version {version}, ", import.path().display());
    if *rows == 0 {
        out.push_str(if import.goes_on() {
            "all of it was taken over before\n"
        } else {
            "nothing in it\n"
        });
        return out;
    }
    let rest = if import.goes_on() { " that were not taken over before" } else { "" };
    out.push_str(&format!("{} rows{rest}", count(*rows)));
    if let (Some(oldest), Some(newest)) = (oldest, newest) {
        out.push_str(&format!("; it reaches from {} to {}", day(*oldest), day(*newest)));
    }
    out.push('\n');
    if local {
        out.push_str(&format!(
            "its times are local and do not say where; read as of time zone {} (TZ=ZONE changes \
             that)\n",
            zone()
        ));
    }
    out
}

/// The zone by which SQLite reads local times, too: the C library's.
fn zone() -> String {
    match std::env::var("TZ") {
        Ok(zone) if !zone.is_empty() => printable(&zone),
        _ => jiff::tz::TimeZone::system().iana_name().unwrap_or("of this machine").to_owned(),
    }
}

fn day(second: i64) -> String {
    match Timestamp::from_second(second) {
        Ok(time) => time.strftime("%Y-%m-%d").to_string(),
        Err(_) => format!("second {second}"),
    }
}

/// What opening the history did, if that is worth a line.
fn happened(opened: &OpenReport) -> String {
    let mut out = String::new();
    if let Some(moved) = &opened.quarantined {
        out.push_str(&format!(
            "warning: femtosnitch's own history was damaged ({}) and is now {}; this begins a new \
             one\n",
            moved.reason,
            moved.path.display()
        ));
    }
    if let (Some(from), Some(backup)) = (opened.migrated_from, &opened.backup) {
        out.push_str(&format!(
            "femtosnitch's own history was converted from version {from}; {} is as it was\n",
            backup.display()
        ));
    }
    out
}

fn summary(done: &Imported) -> String {
    let mut out = format!("{} rows taken over\n", count(done.taken));
    let skipped: u64 = done.skipped.iter().map(|(_, rows)| rows).sum();
    if skipped > 0 {
        out.push_str(&format!("{} rows left out:\n", count(skipped)));
        for (reason, rows) in &done.skipped {
            out.push_str(&format!("  {:>12}  {reason}\n", count(*rows)));
        }
    }
    if !done.blanked.is_empty() {
        out.push_str("left unknown in rows that were taken over:\n");
        for (what, times) in &done.blanked {
            out.push_str(&format!("  {:>12}  {what}\n", count(*times)));
        }
    }
    out
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
