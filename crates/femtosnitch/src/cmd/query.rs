//! `femtosnitch query`: history, summed up.

mod events;
mod gaps;
mod print;
mod series;
mod span;
mod tree;

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use femtosnitch_model::printable;
use femtosnitch_store::{
    Answer, Cancel, Dimension, Key, Query, Reader, StoreError, Unwatched, Users,
};
use jiff::tz::TimeZone;
use nix::unistd::{Uid, User};

use crate::cli::{QueryArgs, QueryFormat, Usage};
use crate::config::Paths;
use crate::text::{Sparks, Style, count, terminal_width};

/// Lines of a table unless `--limit` says otherwise.
const TABLE_LINES: usize = 50;

/// Answers the query on standard output.
///
/// # Errors
/// If there is no history or it cannot be read, if the question makes no sense ([`Usage`]), or if
/// the answer cannot be printed.
pub fn run(paths: &Paths, args: &QueryArgs) -> anyhow::Result<ExitCode> {
    let limit = args.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let now = now();
    let mut query = ask(args, now)?;
    query.limit = limit;
    let reader = Reader::open(&paths.database())?;
    if args.gaps {
        let gaps = gaps::find(&reader, paths, &query, now)?;
        list(args.format, &gaps, limit, now)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.events {
        let events = reader.events(query.since, query.until, &args.kinds)?;
        events::list(args.format, &events, limit)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.tree {
        if args.format == QueryFormat::Csv {
            let message = "a tree has no lines for --format csv; use table or json";
            return Err(Usage(message.to_owned()).into());
        }
        // For people it is cut where it is shown, which counts what that leaves out.
        query.limit = limit.filter(|_| args.format != QueryFormat::Table);
        let nodes = reader.tree(&query, &SystemUsers, &Cancel::default()).map_err(explained)?;
        tree::show(args.format, nodes, limit)?;
        if args.format == QueryFormat::Table {
            let mut out = io::stdout().lock();
            let notes = span::notes_of_tree(&query, &reader.levels()?, &TimeZone::system());
            write_notes(&mut out, &notes)?;
            write_gaps(&mut out, &gaps::find(&reader, paths, &query, now)?, now)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.format == QueryFormat::Table {
        query.limit = Some(limit.unwrap_or(TABLE_LINES));
    }
    let never = Cancel::default();
    let zone = TimeZone::system();
    let levels = reader.levels()?;
    let end = query.until.unwrap_or(now.saturating_add(1));
    if args.every.is_some() {
        // Steps of the rest of this day would be empty, and many.
        query.until = Some(end);
    }
    let begin = query.since.or(levels.days.since).unwrap_or(end);
    let bucket = args.every.map(|every| every.bucket(&zone, begin, end));
    let mut report = reader.report(&query, bucket, &SystemUsers, &never).map_err(explained)?;
    if let Some(series) = &mut report.series {
        series::crop(series, query.since, end);
    }
    let step = report.series.as_ref().map(|series| series.width);
    let notes = span::notes(&query, report.span, step, &levels, &zone);
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        QueryFormat::Table => {
            name_systems(&reader, &query.by, report.answers.iter_mut())?;
            let width = terminal_width();
            let series = report.series.as_ref();
            let column = series.map(|series| series::Column::of(series, Sparks::for_locale()));
            let (table, left_out) =
                print::table(&args.by, &report.answers, &report.total, column.as_ref(), width);
            out.write_all(table.render(Style::for_stdout()).as_bytes())?;
            if report.others.groups > 0 {
                let more = count(report.others.groups);
                writeln!(out, "and {more} more, in the total; --limit shows more lines")?;
            }
            if let Some(series) = series {
                writeln!(out, "{}", Style::for_stdout().dim(&series::legend(series, &zone)))?;
            }
            if !left_out.is_empty() {
                let what = left_out.join(", ");
                let line = format!("no room for {what}: widen the terminal, or use --format csv");
                writeln!(out, "{}", Style::for_stdout().dim(&line))?;
            }
            write_notes(&mut out, &notes)?;
            write_gaps(&mut out, &gaps::find(&reader, paths, &query, now)?, now)?;
        }
        QueryFormat::Json => match &report.series {
            Some(series) => series::json(&mut out, &args.by, &report.answers, series)?,
            None => print::json(&mut out, &args.by, &report.answers)?,
        },
        QueryFormat::Csv => match &report.series {
            Some(series) => series::csv(&mut out, &args.by, &report.answers, series)?,
            None => print::csv(&mut out, &args.by, &report.answers)?,
        },
    }
    out.flush()?;
    drop(out);
    if args.format != QueryFormat::Table {
        // Programs read the answer, people what is to be said of it.
        let mut err = io::stderr().lock();
        for note in &notes {
            writeln!(err, "femtosnitch: {}", printable(note))?;
        }
        if limit.is_none() && report.others.groups > 0 {
            let more = count(report.others.groups);
            writeln!(
                err,
                "femtosnitch: {more} smaller answers were left out: there are too many; filter more"
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts behind the numbers of autonomous systems who runs them; with `org` that is told anyway.
fn name_systems<'a>(
    reader: &Reader,
    by: &[Dimension],
    answers: impl Iterator<Item = &'a mut Answer>,
) -> Result<(), StoreError> {
    let Some(at) = by.iter().position(|by| *by == Dimension::Asn) else { return Ok(()) };
    if by.contains(&Dimension::Org) {
        return Ok(());
    }
    for answer in answers {
        let Some(Key::Text(text)) = answer.keys.get_mut(at) else { continue };
        let Some(number) = text.strip_prefix("AS").and_then(|it| it.parse().ok()) else { continue };
        let operator = reader.operator(number)?;
        if !operator.is_empty() {
            *text = format!("{text} {operator}");
        }
    }
    Ok(())
}

/// A question without sense is wrong usage.
pub(super) fn explained(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::BadQuery(message) => anyhow::Error::new(Usage(message)),
        other => other.into(),
    }
}

/// Below a table: what is not as one would think.
fn write_notes(out: &mut impl Write, notes: &[String]) -> io::Result<()> {
    let style = Style::for_stdout();
    notes.iter().try_for_each(|note| writeln!(out, "{}", style.warning(&printable(note))))
}

/// Below a table: when nobody looked.
fn write_gaps(out: &mut impl Write, gaps: &[Unwatched], now: i64) -> io::Result<()> {
    if let Some(line) = gaps::line(gaps, now, &TimeZone::system()) {
        writeln!(out, "{}", Style::for_stdout().warning(&printable(&line)))?;
    }
    Ok(())
}

/// Prints the gaps themselves, the latest `limit` of them.
fn list(format: QueryFormat, all: &[Unwatched], limit: Option<usize>, now: i64) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let gaps = print::last(all, limit.unwrap_or(usize::MAX));
    match format {
        QueryFormat::Json => print::array(&mut out, gaps)?,
        QueryFormat::Csv => gaps::csv(&mut out, gaps)?,
        QueryFormat::Table if all.is_empty() => writeln!(out, "no gaps are known of that time")?,
        QueryFormat::Table => {
            let lines = limit.unwrap_or(TABLE_LINES);
            let mut table = gaps::table(all, lines, now, &TimeZone::system());
            table.fit(terminal_width());
            out.write_all(table.render(Style::for_stdout()).as_bytes())?;
            if let Some(more) = all.len().checked_sub(lines).filter(|&more| more > 0) {
                writeln!(out, "and {more} before; --limit shows more lines")?;
            }
        }
    }
    out.flush()
}

/// What the store is to be asked, if that makes sense.
fn ask(args: &QueryArgs, now: i64) -> Result<Query, Usage> {
    let mut names = BTreeSet::new();
    if let Some(twice) = args.by.iter().find(|by| !names.insert(&by.name)) {
        return Err(Usage(format!("--by names `{}` twice; name it once", twice.name)));
    }
    let (since, until) = (args.since.seconds(now), args.until.seconds(now));
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(Usage("--since is not before --until, so nothing lies between".to_owned()));
    }
    let by = args.by.iter().map(|by| by.dimension).collect();
    Ok(Query { since, until, by, filters: args.filters.clone(), limit: None })
}

/// Seconds since 1970-01-01 UTC; the epoch itself for a clock set before it.
pub(super) fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

/// Of what is no single user's: `(uid_t) -1` to system calls.
const NO_USER: u32 = u32::MAX;

/// Names as this system has them, from wherever it gets them.
#[derive(Debug)]
pub(super) struct SystemUsers;

impl Users for SystemUsers {
    fn name(&self, uid: u32) -> Option<String> {
        if uid == NO_USER {
            return Some("(none)".to_owned());
        }
        // A directory service that does not answer costs names, not the query.
        User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
    }

    fn uid(&self, name: &str) -> Option<u32> {
        if name == "(none)" {
            return Some(NO_USER);
        }
        User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn args(extra: &[&str]) -> QueryArgs {
        let all = ["femtosnitch", "query"].iter().chain(extra);
        match Cli::try_parse_from(all).unwrap().command {
            Command::Query(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_options_it_is_the_last_day_by_executable() {
        let query = ask(&args(&[]), 100_000).unwrap();
        assert_eq!((query.since, query.until), (Some(13_600), None));
        assert_eq!(query.by, ["exe".parse().unwrap()]);
        assert!(query.filters.is_empty());
    }

    #[test]
    fn everything_asked_for_reaches_the_store() {
        let args = args(&[
            "--since",
            "all",
            "--until",
            "1h",
            "--by",
            "parent,uid",
            "--by",
            "sha256",
            "--where",
            "exe=/bin/a,b",
            "--where",
            "rport!=53",
        ]);
        let query = ask(&args, 10_000).unwrap();
        assert_eq!((query.since, query.until), (None, Some(6_400)));
        assert_eq!(query.by, ["pexe", "uid", "sha256"].map(|name| name.parse().unwrap()));
        let filters: Vec<String> = query.filters.iter().map(ToString::to_string).collect();
        assert_eq!(filters, ["exe=/bin/a,b", "rport!=53"]);
    }

    #[test]
    fn questions_without_sense_are_refused() {
        assert!(ask(&args(&["--by", "exe,uid,exe"]), 0).is_err());
        assert!(ask(&args(&["--since", "1h", "--until", "2h"]), 10_000).is_err());
        assert!(ask(&args(&["--since", "100", "--until", "100"]), 10_000).is_err());
    }

    #[test]
    fn root_has_its_name() {
        assert_eq!(SystemUsers.name(0).as_deref(), Some("root"));
        assert_eq!(SystemUsers.uid("root"), Some(0));
        assert_eq!(SystemUsers.uid("nobody by this name"), None);
    }
}
