//! docs/accuracy.md: the tables between the markers are written here, the prose around them is not.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;

use crate::scale::Scale;
use crate::scoreboard;
use crate::verdict::Line;
use crate::verdict::Outcome;

const BEGIN: &str = "<!-- measured by `make lab`: begin -->";
const END: &str = "<!-- measured by `make lab`: end -->";

const GUESTS_BEGIN: &str = "<!-- measured by `make lab KERNEL=all`: begin -->";
const GUESTS_END: &str = "<!-- measured by `make lab KERNEL=all`: end -->";

/// The day and the kernel.
pub(crate) fn machine() -> String {
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        output.map_or_else(
            |_| "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    format!("{} · Linux {}", said("date", "-uI"), said("uname", "-r"))
}

/// Puts the results between the markers.
pub(crate) fn replace(path: &Path, lines: &[Line], scales: &[Scale], compared: &str) -> Result<()> {
    put(path, [BEGIN, END], &measured(lines, scales, compared))
}

/// Puts what was measured in guests between theirs.
pub(crate) fn replace_guests(path: &Path, table: &str) -> Result<()> {
    put(path, [GUESTS_BEGIN, GUESTS_END], table)
}

fn put(path: &Path, markers: [&str; 2], measured: &str) -> Result<()> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = between(&text, markers, measured).with_context(|| {
        format!("{} has lost its markers: {}", path.display(), markers.join(" "))
    })?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn measured(lines: &[Line], scales: &[Scale], compared: &str) -> String {
    let mut text = format!("{}\n\n{}", machine(), scoreboard::table(lines));
    let mut notes = Vec::new();
    for line in lines {
        match &line.outcome {
            Outcome::Unsupported(why) => {
                notes.push(format!("{}: not here: {}", line.name, why.trim()))
            }
            Outcome::Broken(why) => notes.push(format!("{}: broken: {why}", line.name)),
            Outcome::Judged(judged) => {
                for (aspect, finding) in judged.findings.iter().filter(|(_, one)| !one.ok) {
                    let why = finding.limit.unwrap_or("**a failure**");
                    let (heading, detail) = (aspect.heading(), first(&finding.detail));
                    notes.push(format!("{}, {heading}: {detail}: {why}", line.name));
                }
            }
        }
    }
    if !notes.is_empty() {
        text += &format!("\n- {}\n", notes.join("\n- "));
    }
    if !scales.is_empty() {
        text += &format!("\n{}", scoreboard::scales(scales));
    }
    if !compared.is_empty() {
        text += &format!(
            "\n## Beside other tools\n\nSent / received by the near side, each tool against the truth \
             of its own layer, and whether it names the process. nethogs knows TCP and UDP, and asks /proc \
             whose a packet was about once a second: of the lab's processes, which live for less, it \
             misses more than of a long download.\n\n{compared}"
        );
    }
    text
}

/// The first of several reasons.
fn first(detail: &str) -> &str {
    detail.split("; ").next().unwrap_or_default()
}

fn between(text: &str, [begin, end]: [&str; 2], measured: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_old, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n\n{measured}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_around_the_markers_stays() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = between(&text, [BEGIN, END], "new\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(between(&new, [BEGIN, END], "new\n").unwrap(), new);
        assert!(between("no markers", [BEGIN, END], "x").is_none());
    }
}
