//! The lab on other kernels: measurements that were made in guests (`--json` there), side by side.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use serde::Deserialize;

use crate::scoreboard;
use crate::verdict::Aspect;

/// What a lab has written as JSON, as far as it is shown here.
#[derive(Debug, Deserialize)]
struct Measured {
    machine: String,
    scenarios: Vec<Scenario>,
}

#[derive(Debug, Deserialize)]
struct Scenario {
    name: String,
    outcome: Outcome,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Judged { findings: BTreeMap<Aspect, Finding> },
    Unsupported(String),
    Broken(String),
}

#[derive(Debug, Deserialize)]
struct Finding {
    ok: bool,
    shown: String,
    limit: Option<String>,
}

/// The table of the guests that wrote these files: a column each.
///
/// # Errors
/// If a file cannot be read, or no lab has written it.
pub(crate) fn table(files: &[PathBuf]) -> Result<String> {
    let guests = files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    Ok(side_by_side(&guests))
}

fn read(file: &Path) -> Result<Measured> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is no measurement of a lab", file.display()))
}

fn side_by_side(guests: &[Measured]) -> String {
    let mut rows = vec![vec!["scenario".to_owned()]];
    if let Some(heading) = rows.first_mut() {
        heading.extend(guests.iter().map(|guest| guest.machine.clone()));
    }
    let mut names: Vec<&str> = Vec::new();
    for scenario in guests.iter().flat_map(|guest| &guest.scenarios) {
        if !names.contains(&scenario.name.as_str()) {
            names.push(&scenario.name);
        }
    }
    rows.extend(names.iter().map(|name| {
        let mut cells = vec![(*name).to_owned()];
        cells.extend(guests.iter().map(|guest| {
            let scenario = guest.scenarios.iter().find(|one| one.name == *name);
            scenario.map_or_else(|| "–".to_owned(), |scenario| cell(&scenario.outcome))
        }));
        cells
    }));
    let mut text = scoreboard::aligned(&rows);
    for guest in guests {
        for scenario in &guest.scenarios {
            let why = match &scenario.outcome {
                Outcome::Unsupported(why) => format!("not here: {why}"),
                Outcome::Broken(why) => format!("broken: {why}"),
                Outcome::Judged { .. } => continue,
            };
            text += &format!("\n- {}: {}: {}", guest.machine, scenario.name, why.trim());
        }
    }
    text
}

/// *exact* where all is equal to the byte; else what is farthest off, and what is wrong.
fn cell(outcome: &Outcome) -> String {
    let findings = match outcome {
        Outcome::Judged { findings } => findings,
        Outcome::Unsupported(_) => return "not here".to_owned(),
        Outcome::Broken(_) => return "**broken**".to_owned(),
    };
    let mut parts = Vec::new();
    let ratios = findings.iter().filter(|(_, finding)| finding.ok).filter_map(|(aspect, one)| {
        let ratio: f64 = one.shown.parse().ok()?;
        (one.shown != "1").then_some((*aspect, one, (ratio - 1.0).abs()))
    });
    if let Some((aspect, finding, _)) = ratios.max_by(|one, other| one.2.total_cmp(&other.2)) {
        parts.push(format!("{} {}", aspect.heading(), finding.shown));
    }
    for (aspect, finding) in findings.iter().filter(|(_, finding)| !finding.ok) {
        let said = format!("{} {}", aspect.heading(), finding.shown);
        parts.push(match &finding.limit {
            Some(_) => format!("{said} (limit)"),
            None => format!("**{said}**"),
        });
    }
    if parts.is_empty() { "exact".to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(machine: &str, findings: &str) -> Measured {
        let text = format!(
            r#"{{"machine": "{machine}", "scale": [], "scenarios": [
                {{"name": "a", "about": "", "outcome": {{"judged": {{"findings": {findings}}}}}}},
                {{"name": "b", "about": "", "outcome": {{"unsupported": "no such thing"}}}}
            ]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn each_kernel_has_a_column() {
        let exact =
            r#"{"app_send": {"ok": true, "shown": "1"}, "peer": {"ok": true, "shown": "right"}}"#;
        let off = r#"{"wire_send": {"ok": true, "shown": "0.9998"},
            "wire_recv": {"ok": true, "shown": "1.0027"},
            "peer": {"ok": false, "shown": "wrong", "limit": "why"},
            "app_send": {"ok": false, "shown": "0.5000"}}"#;
        let text = side_by_side(&[measured("one", exact), measured("other", off)]);
        let mut lines = text.lines();
        assert_eq!(
            lines.next().unwrap().split_whitespace().collect::<String>(),
            "|scenario|one|other|"
        );
        let all = "wire received 1.0027; **app sent 0.5000**; addresses wrong (limit) |";
        assert!(lines.nth(1).unwrap().ends_with(all), "{text}");
        assert!(text.contains("| a        | exact "), "{text}");
        assert!(text.contains("\n- other: b: not here: no such thing"), "{text}");
    }

    #[test]
    fn other_files_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "[]").unwrap();
        assert!(table(&[file.path().to_owned()]).is_err());
    }
}
