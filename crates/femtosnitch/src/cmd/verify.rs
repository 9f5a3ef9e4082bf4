//! `femtosnitch verify`: is what is recorded still what was written?

use std::io::{self, Write};
use std::process::ExitCode;

use femtosnitch_model::printable;
use femtosnitch_store::{Cancel, Finding, Reader, Verdict};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::cli::VerifyArgs;
use crate::config::Paths;
use crate::text::{Progress, Style, json};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Told<'a> {
    fine: bool,
    #[serde(flatten)]
    verdict: &'a Verdict,
}

/// Looks at all of the history and says what is wrong; 1 if anything is.
///
/// # Errors
/// If there is no history or it cannot be opened, or if the answer cannot be printed.
pub fn run(paths: &Paths, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&paths.database())?;
    let mut bar = Progress::new();
    let mut tell_bar = |at: femtosnitch_store::Progress| {
        let thousandths = at.done.saturating_mul(1_000) / at.total.max(1);
        let done = f64::from(u32::try_from(thousandths).unwrap_or(1_000)) / 1_000.0;
        bar.tell(done, at.done, "blocks and sums");
    };
    let verdict = reader.verify(!args.quick, &mut tell_bar, &Cancel::default());
    drop(bar);
    let verdict = verdict?;
    let mut out = io::stdout().lock();
    if args.json {
        json::write(&mut out, &Told { fine: verdict.is_fine(), verdict: &verdict })?;
        writeln!(out)?;
    } else {
        tell(&mut out, &verdict, Style::for_stdout(), &TimeZone::system())?;
    }
    out.flush()?;
    Ok(if verdict.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(out: &mut impl Write, verdict: &Verdict, style: Style, zone: &TimeZone) -> io::Result<()> {
    let Verdict { rows, blocks, sums, findings, more } = verdict;
    for finding in findings {
        writeln!(out, "{}", style.bad(&printable(&line(finding, zone))))?;
    }
    if *more > 0 {
        writeln!(out, "and {more} more")?;
    }
    let read = format!("{rows} rows in {blocks} blocks and {sums} sums were read");
    if verdict.is_fine() {
        writeln!(out, "{read}: {}", style.good("all is well"))
    } else {
        writeln!(
            out,
            "{read}: something is wrong; other answers stay true. A file that is damaged is moved \
             aside by the daemon when it meets the damage, and what can be read of it is taken over."
        )
    }
}

/// What is wrong, with the time that it concerns.
fn line(finding: &Finding, zone: &TimeZone) -> String {
    let at = |second: i64| {
        let at = Timestamp::from_second(second).ok()?;
        Some(at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string())
    };
    match (finding.since.and_then(at), finding.until.and_then(at)) {
        (Some(since), Some(until)) => format!("{since} to {until}: {}", finding.what),
        _ => finding.what.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_tell_their_time() {
        let finding =
            |since| Finding { since, until: since.map(|at| at + 3_600), what: "x".into() };
        assert_eq!(line(&finding(None), &TimeZone::UTC), "x");
        assert_eq!(
            line(&finding(Some(3_600)), &TimeZone::UTC),
            "1970-01-01 01:00 to 1970-01-01 02:00: x"
        );
        assert_eq!(line(&finding(Some(i64::MAX - 3_600)), &TimeZone::UTC), "x");
    }
}
