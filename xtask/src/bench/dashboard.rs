//! The dashboard: how soon the data of each view arrives, and what those who watch cost.

mod questions;
mod server;
mod viewers;

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Barrier;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde_json::Value;

use super::statistics::spread;
use crate::process;
use crate::workspace;
use questions::Answers;
use questions::View;
use server::Server;

/// What makes a month of history.
const LOADER: &str = "femtosnitch-history-bench";
const ROWS: u64 = 10_000_000;
const QUICK: u64 = 1_000_000;
/// Rounds that count, after one that does not.
const ROUNDS: usize = 5;
/// Between rounds: nobody asks more often than the server answers one asker.
const PAUSE: Duration = Duration::from_millis(150);
/// Milliseconds in which all of a view's data should be there.
const TARGET: f64 = 300.0;
const SPANS: [(&str, i64); 4] =
    [("1 h", 3_600), ("1 d", 86_400), ("7 d", 7 * 86_400), ("30 d", 30 * 86_400)];

const BEGIN: &str = "<!-- measured by `make bench ARGS=--dashboard`: begin -->";
const END: &str = "<!-- measured by `make bench ARGS=--dashboard`: end -->";

/// How to run it.
pub(super) struct Dashboard<'a> {
    /// Fewer rows, shorter rounds.
    pub(super) quick: bool,
    /// Rows, if not as many as usual.
    pub(super) rows: Option<u64>,
    /// Leaves docs/dashboard.md as it is.
    pub(super) no_write: bool,
    /// Where the history is, or will be.
    pub(super) dir: Option<&'a Path>,
}

/// Runs it, prints the results, and keeps those of the usual number of rows in docs/dashboard.md.
pub(super) fn run(options: &Dashboard<'_>) -> Result<()> {
    let binaries = workspace::build_release()?;
    let rows = options.rows.unwrap_or(if options.quick { QUICK } else { ROWS });
    let history = history(options, rows)?;
    let root = tempfile::tempdir()?;
    std::fs::create_dir_all(root.path().join("var/lib"))?;
    std::os::unix::fs::symlink(&history, root.path().join("var/lib/femtosnitch"))?;
    let record = workspace::root()?.join("web/tests/questions.txt");
    let record = std::fs::read_to_string(&record)
        .with_context(|| format!("cannot read {}", record.display()))?;
    let views = questions::read(&record).context("web/tests/questions.txt")?;

    let mut text = super::machine()?;
    let server = Server::start(&binaries.femtosnitch, root.path())?;
    for section in [asked(&server, &views)?, viewers::run(&binaries, options.quick)?] {
        println!("{section}");
        text.push_str(&section);
    }
    drop(server);
    if !options.no_write && rows == ROWS {
        let path = workspace::root()?.join("docs/dashboard.md");
        let document = std::fs::read_to_string(&path)?;
        let document = between(&document, &text)
            .with_context(|| format!("{} has lost its markers: {BEGIN} {END}", path.display()))?;
        std::fs::write(&path, document)?;
        println!("kept in {}", path.display());
    }
    Ok(())
}

/// The directory of a history with so many rows: one that is there is used again.
fn history(options: &Dashboard<'_>, rows: u64) -> Result<PathBuf> {
    let build = ["build", "--release", "--package", LOADER];
    process::run(workspace::cargo()?.args(build))?;
    let target = workspace::target()?;
    let dir = options.dir.map_or_else(|| target.join("dashboard"), Path::to_path_buf);
    let dir = std::path::absolute(dir)?;
    std::fs::create_dir_all(&dir)?;
    println!("bench: {rows} rows in {} …", dir.display());
    let mut command = Command::new(target.join("release").join(LOADER));
    command.args(["load", "--no-reference", "--rows", &rows.to_string(), "--dir"]).arg(&dir);
    process::run(&mut command)?;
    Ok(dir)
}

/// What a view took in each round, milliseconds: all of it, and each question.
struct Took {
    view: Vec<f64>,
    /// Of a processor, in the mean.
    processor: f64,
    each: Vec<(String, Vec<f64>, usize)>,
}

/// The questions of all views about all spans.
fn asked(server: &Server, views: &[View]) -> Result<String> {
    let status = server.json("/status")?;
    let number = |at: &str| status.pointer(at).and_then(Value::as_i64).context("no history");
    let (rows, until) = (number("/history/rows")?, number("/history/newest")? + 1);
    let busiest = server.json(&format!("/report?by=exe&limit=1&since=all&until={until}"))?;
    let exe = busiest.pointer("/answers/0/keys/0").and_then(Value::as_str).context("no program")?;

    let mut views_table = format!(
        "### How soon a view's data is there\n\n\
         {rows} rows. Milliseconds from a view's first question to the last answer, as the page \
         asks: what needs the answer to another after it, all else at once; median of {ROUNDS}, \
         **bold** above {TARGET:.0}. *Processor* is the time that the longest span kept processors \
         busy; two questions are answered at a time, so half of that is the least a view can take. \
         The program is the one that moved most.\n\n\
         | view |{} processor |\n|---|{}---:|\n",
        SPANS.map(|(name, _)| format!(" {name} |")).concat(),
        "---:|".repeat(SPANS.len()),
    );
    let mut each_table = format!(
        "\n<details><summary>Each question by itself</summary>\n\n\
         Milliseconds while the view's others are answered beside it; KiB of the longest answer.\n\n\
         | view | question |{} KiB |\n|---|---|{}---:|\n",
        SPANS.map(|(name, _)| format!(" {name} |")).concat(),
        "---:|".repeat(SPANS.len()),
    );
    for view in views {
        println!("bench: {} …", view.name);
        let took: Vec<Took> = SPANS
            .iter()
            .map(|(_, span)| about(server, view, &Answers::new(until - span, until, exe), until))
            .collect::<Result<_>>()?;
        let cells = took.iter().map(|took| cell(&took.view)).collect::<String>();
        let processor = took.last().map_or(f64::NAN, |took| took.processor);
        writeln!(views_table, "| {} |{cells} {processor:.0} |", view.name)?;
        let Some(first) = took.first() else { continue };
        for (at, (question, ..)) in first.each.iter().enumerate() {
            let here: Vec<_> = took.iter().filter_map(|took| took.each.get(at)).collect();
            let cells = here.iter().map(|(_, times, _)| cell(times)).collect::<String>();
            let bytes = here.iter().map(|(.., bytes)| *bytes).max().unwrap_or(0);
            let kib = bytes as f64 / 1024.0;
            writeln!(each_table, "| {} | `{question}` |{cells} {kib:.0} |", view.name)?;
        }
    }
    Ok(format!("{views_table}\n{}{each_table}\n</details>\n", busy()?))
}

/// A warning if others used the machine.
fn busy() -> Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load: f64 = load.split(' ').next().unwrap_or_default().parse()?;
    let processors = std::thread::available_parallelism()?.get();
    // We are two that ask and answer.
    Ok(if load > processors as f64 + 2.0 {
        format!("**Others used the machine (load {load:.0} on {processors} processors).**\n")
    } else {
        String::new()
    })
}

fn cell(times: &[f64]) -> String {
    let median = spread(times).median;
    if median > TARGET { format!(" **{median:.0}** |") } else { format!(" {median:.0} |") }
}

/// A view about one span, in all rounds.
fn about(server: &Server, view: &View, answers: &Answers, until: i64) -> Result<Took> {
    let named = view.first.iter().chain(&view.then);
    let each = named.map(|question| (question.clone(), Vec::new(), 0)).collect();
    let mut took = Took { view: Vec::new(), processor: 0.0, each };
    let mut before = server.cpu_seconds()?;
    for round in 0..=ROUNDS {
        let fill = |answers: &Answers, questions: &[String]| -> Result<Vec<String>> {
            questions.iter().map(|question| answers.fill(question, until)).collect()
        };
        let first = fill(answers, &view.first)?;
        let (begin, mut done) = (Instant::now(), at_once(server, &first)?);
        let mut all = begin.elapsed();
        if !view.then.is_empty() {
            let reports = view.first.iter().map(String::as_str).zip(&done);
            let reports = reports.filter(|(question, _)| question.starts_with("/report?"));
            let reports =
                reports.map(|(question, (_, body))| Ok((question, serde_json::from_slice(body)?)));
            let then = fill(&answers.with(&reports.collect::<Result<Vec<_>>>()?)?, &view.then)?;
            let begin = Instant::now();
            done.extend(at_once(server, &then)?);
            all += begin.elapsed();
        }
        sleep(PAUSE);
        if round == 0 {
            before = server.cpu_seconds()?;
            continue;
        }
        took.view.push(all.as_secs_f64() * 1e3);
        for ((_, times, bytes), (time, body)) in took.each.iter_mut().zip(done) {
            times.push(time);
            *bytes = (*bytes).max(body.len());
        }
    }
    took.processor = (server.cpu_seconds()? - before) * 1e3 / ROUNDS as f64;
    Ok(took)
}

/// Asks all of them at the same time, each over a connection that is open already; milliseconds and
/// answer of each.
fn at_once(server: &Server, questions: &[String]) -> Result<Vec<(f64, Vec<u8>)>> {
    let connections = questions.iter().map(|_| server.connect());
    let connections: Vec<_> = connections.collect::<Result<_>>()?;
    let start = Barrier::new(questions.len());
    std::thread::scope(|scope| {
        let asking: Vec<_> = connections
            .into_iter()
            .zip(questions)
            .map(|(mut connection, question)| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let begin = Instant::now();
                    let body = connection.ask(question)?;
                    Ok((begin.elapsed().as_secs_f64() * 1e3, body))
                })
            })
            .collect();
        asking
            .into_iter()
            .map(|asked| match asked.join() {
                Ok(answer) => answer,
                Err(_) => bail!("a thread that asked ended by a fault"),
            })
            .collect()
    })
}

fn between(document: &str, measured: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_old, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{measured}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_around_the_markers_stays() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = between(&document, "new\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert!(between("no markers", "x").is_none());
        let document = include_str!("../../../docs/dashboard.md");
        assert!(between(document, "x").is_some());
    }
}
