//! Results as text: docs/history.md between its markers.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;

use crate::bench::Compared;
use crate::bench::Line;
use crate::bench::Part;
use crate::bench::Results;
use crate::load::Size;
use crate::questions::SPANS;
use crate::statistics::Spread;
use crate::statistics::spread;

const BEGIN: &str = "<!-- measured by `make bench ARGS=--history`: begin -->";
const END: &str = "<!-- measured by `make bench ARGS=--history`: end -->";

/// Bytes a row to stay below.
const BYTES_A_ROW: f64 = 45.0;
/// Mebibytes of a question.
const MEMORY: f64 = 64.0;
const ROWS_A_SECOND: f64 = 50_000.0;
/// Milliseconds of a batch of 5,000 rows, and of a stall while most is forgotten.
const BATCH: f64 = 150.0;
const STALL: f64 = 100.0;
/// Size of the file against what is left in it.
const RATIO: f64 = 1.3;
/// Tables that are told apart.
const TABLES: usize = 8;

/// Puts `measured` between the markers of the document at `path`.
///
/// # Errors
/// If it cannot be read or written, or has lost its markers.
pub fn replace(path: &Path, measured: &str) -> Result<()> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = between(&text, measured)
        .with_context(|| format!("{} has lost its markers: {BEGIN} {END}", path.display()))?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn between(text: &str, measured: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_old, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{measured}\n{END}{after}"))
}

/// All results, in Markdown.
#[must_use]
pub fn text(results: &Results) -> String {
    let mut text = machine();
    text.push_str(&summary(results));
    text.push_str(&sizes(results));
    for part in &results.parts {
        text.push_str(&questions(part, results.idle_kib));
    }
    text.push_str(&compared(&results.compared, results.idle_kib));
    text.push_str(&writing(results));
    text
}

fn machine() -> String {
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        output.map_or_else(
            |_| "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    format!(
        "{} · Linux {} · {} · {cores} cores\n\n",
        said("date", "-uI"),
        said("uname", "-r"),
        model.trim_start_matches([' ', '\t', ':']),
    )
}

/// Adds a line; writing to a String cannot fail.
macro_rules! line {
    ($text:expr, $($format:tt)*) => { writeln!($text, $($format)*).ok() };
}

fn summary(results: &Results) -> String {
    let mut text = format!(
        "{} rows in {} batches, {} program runs; {:.2} TB of traffic.\n\n\
         | what | target | measured | |\n|---|---|---:|---|\n",
        results.totals.0,
        results.loaded.batches,
        results.loaded.runs,
        (results.totals.1 + results.totals.2) as f64 / 1e12,
    );
    let met = |met: bool| if met { "met" } else { "**missed**" };
    let row = results.size.bytes as f64 / results.totals.0.max(1) as f64;
    line!(text, "| bytes a row | ≤ {BYTES_A_ROW} | {row:.1} | {} |", met(row <= BYTES_A_ROW));
    for part in &results.parts {
        let slowest = part.lines.iter().map(median).fold(0.0, f64::max);
        let over = part.lines.iter().filter(|it| median(it) > part.target_ms).count();
        line!(
            text,
            "| {}: slowest median | ≤ {} ms | {} ms, {over} of {} over | {} |",
            part.title.to_lowercase(),
            part.target_ms,
            shown(slowest),
            part.lines.len(),
            met(over == 0),
        );
    }
    let most = results.parts.iter().flat_map(|part| &part.lines);
    let most = most.map(|it| mib(it, results.idle_kib)).fold(0.0, f64::max);
    line!(
        text,
        "| memory of a question | ≤ {MEMORY} MiB | {most:.1} MiB | {} |",
        met(most <= MEMORY)
    );
    let writing = &results.writing;
    line!(
        text,
        "| rows a second into it | ≥ {ROWS_A_SECOND} | {:.0} | {} |",
        writing.rows_per_second,
        met(writing.rows_per_second >= ROWS_A_SECOND),
    );
    let longest = writing.alone.max.max(writing.with_reader.max);
    line!(
        text,
        "| longest batch of {} rows | ≤ {BATCH} ms | {} ms | {} |",
        writing.rows,
        shown(longest),
        met(longest <= BATCH),
    );
    let purging = &results.purging;
    line!(
        text,
        "| longest stall of the writer while 28 of 30 days go | ≤ {STALL} ms | {} ms | {} |",
        shown(purging.longest_stall_ms),
        met(purging.longest_stall_ms <= STALL),
    );
    line!(
        text,
        "| file afterwards, against what is left | ≤ {RATIO} | {:.2} | {} |\n",
        purging.ratio(),
        met(purging.ratio() <= RATIO),
    );
    text
}

fn sizes(results: &Results) -> String {
    let mut text =
        String::from("### Size\n\n| database | table with its indexes | MB | B a row |\n");
    text.push_str("|---|---|---:|---:|\n");
    let rows = results.totals.0.max(1) as f64;
    let mut add = |name: &str, size: &Size| {
        let mut tell = |what: &str, bytes: u64| {
            let bytes = bytes as f64;
            line!(text, "| {name} | {what} | {:.1} | {:.2} |", bytes / 1e6, bytes / rows);
        };
        tell("**file**", size.bytes);
        for (table, bytes) in size.tables.iter().take(TABLES) {
            tell(table, *bytes);
        }
        let rest: u64 = size.tables.iter().skip(TABLES).map(|(_, bytes)| bytes).sum();
        if rest > 0 {
            tell("the others", rest);
        }
    };
    add("femtosnitch", &results.size);
    if let Some(size) = &results.reference_size {
        add("reference", size);
    }
    text.push('\n');
    text
}

fn median(line: &Line) -> f64 {
    spread(&line.measured.times_ms).median
}

fn mib(line: &Line, idle_kib: u64) -> f64 {
    line.measured.peak_kib.saturating_sub(idle_kib) as f64 / 1024.0
}

/// Three digits or so.
fn shown(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
}

/// Spans side by side; further columns are of the longest, memory of all.
fn questions(part: &Part, idle_kib: u64) -> String {
    let mut text = format!(
        "### {}\n\nMedian milliseconds; **bold** is above {} ms.\n\n| by |",
        part.title, part.target_ms
    );
    for (span, _) in SPANS {
        text.push_str(&format!(" {span} |"));
    }
    text.push_str(
        " processor | first | answers | memory, MiB | rounds |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let alike = |one: &Line, other: &Line| one.question.title() == other.question.title();
    for lines in part.lines.chunk_by(alike) {
        let Some(first) = lines.first() else { continue };
        text.push_str(&format!("| {} |", first.question.title()));
        for (span, _) in SPANS {
            let Some(line) = lines.iter().find(|line| line.question.span == span) else {
                text.push_str(" – |");
                continue;
            };
            let ms = median(line);
            let mark = if ms > part.target_ms { "**" } else { "" };
            text.push_str(&format!(" {mark}{}{mark} |", shown(ms)));
        }
        let worked = lines.last().map_or(0.0, |line| spread(&line.measured.processor_ms).median);
        let cold = lines.last().map_or(0.0, |line| line.measured.first_ms);
        let answers = lines.last().map_or(0, |line| line.measured.answers);
        let most = lines.iter().map(|line| mib(line, idle_kib)).fold(0.0, f64::max);
        let fewest = lines.iter().map(|line| line.measured.times_ms.len()).min().unwrap_or(0);
        let (worked, cold) = (shown(worked), shown(cold));
        line!(text, " {worked} | {cold} | {answers} | {most:.1} | {fewest} |");
    }
    text.push('\n');
    text
}

fn compared(all: &[Compared], idle_kib: u64) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "### Beside the reference\n\nThe same rows in picosnitch's schema, asked by its kind of \
         SQL, without the Python around it. *Chart* is in up to 300 buckets of time; it is compared \
         with the table.\n\n\
         | question | span | reference, ms | rounds | MiB | femtosnitch, ms | times faster |\n\
         |---|---|---:|---:|---:|---:|---:|\n",
    );
    for Compared { theirs, ours } in all {
        let kind = match theirs.question.kind {
            crate::questions::Kind::ReferenceSeries => " (chart)",
            crate::questions::Kind::ReferencePicker => " (list of values)",
            _ => "",
        };
        let (slow, fast) = (median(theirs), median(ours));
        line!(
            text,
            "| {}{kind} | {} | {} | {} | {:.1} | {} | {} |",
            theirs.question.title(),
            theirs.question.span,
            shown(slow),
            theirs.measured.times_ms.len(),
            mib(theirs, idle_kib),
            shown(fast),
            shown(slow / fast.max(0.001)),
        );
    }
    text.push('\n');
    text
}

fn writing(results: &Results) -> String {
    let mut text = String::from(
        "### Writing and forgetting\n\n| what | count | median, ms | p95 | max |\n\
         |---|---:|---:|---:|---:|\n",
    );
    let mut add = |what: &str, it: &Spread| {
        line!(
            text,
            "| {what} | {} | {} | {} | {} |",
            it.count,
            shown(it.median),
            shown(it.p95),
            shown(it.max)
        )
    };
    let (writing, purging) = (&results.writing, &results.purging);
    add(&format!("batch of {} rows", writing.rows), &writing.alone);
    add("… of that on a processor", &writing.alone_processor);
    add("the same while somebody reads", &writing.with_reader);
    add("question (by exe, 1 d) while nobody writes", &writing.reader_alone);
    add("question while somebody writes", &writing.reader_with);
    add(&format!("step of retention, {} rows", purging.step_rows), &purging.steps);
    add("batch of 500 rows between steps", &purging.batches);
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let reference = results.reference_loaded.as_ref().map_or_else(String::new, |it| {
        format!(" (the reference: {:.1} s, in large transactions and without a sync)", it.seconds)
    });
    line!(
        text,
        "\nAll {} rows were written in {:.1} s{}. {} rows were forgotten in {:.1} s; the file went \
         from {:.0} to {:.0} MB, and a copy of what was left ({} rows) has {:.0} MB.",
        results.loaded.rows,
        results.loaded.seconds,
        reference,
        purging.rows,
        purging.seconds,
        mb(purging.bytes_before),
        mb(purging.bytes_after),
        purging.rows_left,
        mb(purging.bytes_live),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_around_the_markers_stays() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = between(&text, "new\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(between(&new, "new\n").unwrap(), new);
        assert!(between("no markers", "x").is_none());
    }
}
