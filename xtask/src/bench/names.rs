//! What finding out the names of hosts takes: processor time for each reply of a resolver.

use std::fmt::Write as _;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;

use super::monitor::Monitor;
use crate::workspace::Binaries;

/// Replies a second, and about how many names: as many as a busy resolver's host sees, and a flood.
const CASES: [(u64, u32); 3] = [(1_000, 1_000), (100_000, 1_000), (100_000, 100_000)];

/// Until what is under way has come through, and was written.
const SETTLE: Duration = Duration::from_secs(12);

pub(super) fn run(binaries: &Binaries, quick: bool) -> Result<String> {
    println!("bench: replies of resolvers …");
    let seconds = if quick { 3 } else { 10 };
    let mut text = format!(
        "## Replies of resolvers\n\n\
         A program that takes so many DNS replies a second for {seconds} s, each with one address; \
         *off* is the same with `names.capture = false`. Processor time of the daemon, until all \
         is stored; what it makes of the replies is in its own counters. What overflows costs \
         names, and no bytes.\n\n\
         | replies a second: wanted | reached | names | daemon, ms for 100,000 replies | off | \
         counters |\n|---:|---:|---:|---:|---:|---|\n"
    );
    for (rate, names) in CASES {
        let with = flood(binaries, "", (rate, names), seconds)?;
        let without = flood(binaries, "[names]\ncapture = false\n", (rate, names), seconds)?;
        writeln!(
            text,
            "| {rate} | {:.0} | {names} | {:.1} | {:.1} | {} |",
            with.rate, with.cost, without.cost, with.counters
        )?;
    }
    Ok(text)
}

struct Seen {
    /// Replies a second that there really were.
    rate: f64,
    /// The daemon's processor time for 100,000 replies, ms.
    cost: f64,
    counters: String,
}

fn flood(
    binaries: &Binaries,
    config: &str,
    (rate, names): (u64, u32),
    seconds: u64,
) -> Result<Seen> {
    let total = rate * seconds;
    let monitor = Monitor::start(&binaries.femtosnitch, config)?;
    sleep(Duration::from_secs(1));
    let before = monitor.cpu_seconds()?;
    let mut command = Command::new(&binaries.testkit);
    command.args(["bench", "dns-replies"]);
    for (name, value) in [("--total", total), ("--rate", rate), ("--names", names.into())] {
        command.arg(name).arg(value.to_string());
    }
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    sleep(SETTLE);
    let used = monitor.cpu_seconds()? - before;
    let status = monitor.status()?;
    monitor.stop()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let wall = report.pointer("/figures/wall_s").and_then(Value::as_f64).context("no time")?;
    #[expect(clippy::cast_precision_loss, reason = "a few millions at most")]
    let total = total as f64;
    Ok(Seen { rate: total / wall, cost: used * 1e8 / total, counters: counters(&status) })
}

/// Everything that the daemon counted about names.
fn counters(status: &Value) -> String {
    let all = status.get("counters").and_then(Value::as_object).into_iter().flatten();
    let about = |name: &str| ["name_", "names_", "payloads_"].iter().any(|it| name.starts_with(it));
    let some = all.filter(|(name, value)| about(name) && value.as_u64() != Some(0));
    let shown: Vec<_> = some.map(|(name, value)| format!("{name} {value}")).collect();
    if shown.is_empty() { "–".to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_happened_is_shown() {
        let status = json!({"counters": {
            "name_replies": 7, "names_garbled": 0, "payloads_copied": 8, "peers_missed": 1,
        }});
        assert_eq!(counters(&status), "name_replies 7, payloads_copied 8");
        assert_eq!(counters(&json!({})), "–");
    }
}
