//! The results as tables: Markdown that reads well on a terminal too.

use crate::scale::Scale;
use crate::verdict::Aspect;
use crate::verdict::Line;
use crate::verdict::Outcome;

/// One line per scenario.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut heading = vec!["scenario".to_owned()];
    heading.extend(Aspect::ALL.iter().map(|(_, heading)| (*heading).to_owned()));
    let mut rows = vec![heading];
    for line in lines {
        let mut cells = vec![line.name.clone()];
        match &line.outcome {
            Outcome::Judged(judged) => cells.extend(Aspect::ALL.iter().map(|(aspect, _)| {
                judged.findings.get(aspect).map_or_else(
                    || "–".to_owned(),
                    |finding| match (finding.ok, finding.limit) {
                        (true, _) => finding.shown.clone(),
                        (false, Some(_)) => format!("{} (limit)", finding.shown),
                        (false, None) => format!("**{}**", finding.shown),
                    },
                )
            })),
            Outcome::Unsupported(_) => cells.push("not here".to_owned()),
            Outcome::Broken(_) => cells.push("**broken**".to_owned()),
        }
        cells.resize(Aspect::ALL.len() + 1, String::new());
        rows.push(cells);
    }
    aligned(&rows)
}

/// One line per scale scenario.
pub(crate) fn scales(scales: &[Scale]) -> String {
    let heading = ["scale", "what", "history ÷ truth", "lost or coarser"].map(str::to_owned);
    let mut rows = vec![heading.to_vec()];
    rows.extend(scales.iter().map(|scale| {
        let verdict = if scale.ok { scale.shown.clone() } else { format!("**{}**", scale.shown) };
        vec![scale.name.clone(), scale.what.clone(), verdict, scale.counters.clone()]
    }));
    aligned(&rows)
}

/// A Markdown table with columns of even width.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text += &format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
        if number == 0 {
            let dashes = widths.iter().map(|width| "-".repeat(*width));
            text += &format!("| {} |\n", dashes.collect::<Vec<_>>().join(" | "));
        }
    }
    text
}

/// What failed, what is a known limit, what could not run; and whether that is in order.
pub(crate) fn summary(lines: &[Line], scales: &[Scale]) -> (String, bool) {
    let (mut text, mut failed, mut unsupported) = (String::new(), 0_usize, 0_usize);
    for line in lines {
        let failures = line.failures();
        failed += usize::from(!failures.is_empty());
        for failure in failures {
            text += &format!("FAILED {} {failure}\n", line.name);
        }
        if let Outcome::Unsupported(why) = &line.outcome {
            unsupported += 1;
            text += &format!("not here: {}: {why}\n", line.name);
        }
    }
    for scale in scales.iter().filter(|scale| !scale.ok) {
        failed += 1;
        text += &format!("FAILED {} {}\n", scale.name, scale.detail);
    }
    let passed = lines.len() + scales.len() - failed - unsupported;
    text += &format!("{passed} passed, {failed} failed, {unsupported} skipped\n");
    (text, failed == 0 && passed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_even() {
        let rows = [vec!["a".to_owned(), "bb".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(aligned(&rows), "| a   | bb |\n| --- | -- |\n| ccc | d  |\n");
    }

    #[test]
    fn nothing_at_all_is_no_success() {
        assert!(!summary(&[], &[]).1);
        let line = Line {
            name: "x".to_owned(),
            about: String::new(),
            outcome: Outcome::Broken("y".to_owned()),
        };
        let (text, good) = summary(&[line], &[]);
        assert!(!good && text.contains("FAILED x broken: y"), "{text}");
    }
}
