//! `femtosnitch verify`: is what is recorded still what was written?

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use femtosnitch_model::printable;
use femtosnitch_store::{Cancel, ChainVerdict, Finding, Reader, Unvouched, Verdict};
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
    /// Tamper evidence; null if there never was any.
    chain: Option<&'a ChainVerdict>,
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
    let verdict = verdict?;
    let noted = noted(&args.head)?;
    let chain = reader.verify_chain(&noted, &mut tell_bar, &Cancel::default());
    drop(bar);
    let chain = chain?;
    if chain.is_none() && !noted.is_empty() {
        bail!(
            "the history has no chain of which a head could be part: it is another one, or was \
             replaced, or `tamper_evidence` in [store] never was true"
        );
    }
    let fine = verdict.is_fine() && chain.as_ref().is_none_or(ChainVerdict::is_fine);
    let mut out = io::stdout().lock();
    if args.json {
        json::write(&mut out, &Told { fine, verdict: &verdict, chain: chain.as_ref() })?;
        writeln!(out)?;
    } else {
        let (style, zone) = (Style::for_stdout(), TimeZone::system());
        tell(&mut out, &verdict, style, &zone)?;
        if let Some(chain) = &chain {
            tell_chain(&mut out, chain, style, &zone)?;
        }
    }
    out.flush()?;
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

/// Hashes as they were given, or in files.
fn noted(heads: &[String]) -> anyhow::Result<Vec<String>> {
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit());
    let mut noted = Vec::new();
    for head in heads {
        if is_hash(head) {
            noted.push(head.clone());
            continue;
        }
        let text = std::fs::read_to_string(head).with_context(|| {
            format!("--head {head}: neither 64 hexadecimal digits nor a file that can be read")
        })?;
        let before = noted.len();
        // As in a line of the log: `head=…`.
        let words = text.split(|ch: char| !ch.is_ascii_alphanumeric());
        noted.extend(words.filter(|word| is_hash(word)).map(str::to_owned));
        if noted.len() == before {
            bail!("--head {head}: there is no hash of 64 hexadecimal digits in it");
        }
    }
    Ok(noted)
}

fn tell_chain(
    out: &mut impl Write,
    chain: &ChainVerdict,
    style: Style,
    zone: &TimeZone,
) -> io::Result<()> {
    let ChainVerdict { links, vouched, head, unvouched, findings, more, .. } = chain;
    for finding in findings {
        writeln!(out, "{}", style.bad(&printable(&line(finding, zone))))?;
    }
    if *more > 0 {
        writeln!(out, "and {more} more")?;
    }
    for Unvouched { since, until } in unvouched {
        let since = moment(*since, zone).unwrap_or_default();
        let until = until.and_then(|until| moment(until, zone));
        let until = until.unwrap_or_else(|| "now".to_owned());
        let off = format!("{since} to {until}: tamper evidence was off, nothing was vouched for");
        writeln!(out, "{}", style.warning(&off))?;
    }
    let read = format!("{links} links vouch for {vouched} rows of the database");
    if chain.is_fine() {
        writeln!(out, "{read}: {}", style.good("nothing was changed"))?;
    } else {
        writeln!(out, "{read}: somebody else has changed it")?;
    }
    match head {
        Some(head) => writeln!(out, "head {head}"),
        None => Ok(()),
    }
}

/// What is wrong, with the time that it concerns.
fn line(finding: &Finding, zone: &TimeZone) -> String {
    let at = |second| moment(second, zone);
    match (finding.since.and_then(at), finding.until.and_then(at)) {
        (Some(since), Some(until)) => format!("{since} to {until}: {}", finding.what),
        _ => finding.what.clone(),
    }
}

fn moment(second: i64, zone: &TimeZone) -> Option<String> {
    let at = Timestamp::from_second(second).ok()?;
    Some(at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string())
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
