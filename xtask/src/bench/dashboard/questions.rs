//! What each view asks, as web/tests/questions.txt has it: the browser test records it there.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde_json::Value;

/// Seconds that Now shows.
const RECENT: i64 = 180;

/// A view, and what it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) name: String,
    /// Asked at once.
    pub(super) first: Vec<String>,
    /// Asked when the first report has come.
    pub(super) then: Vec<String>,
}

/// What stands for the braces of a question.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    known: Vec<(&'static str, String)>,
}

/// Reads the record. Live data and the state of the daemon are no questions to the history.
pub(super) fn read(text: &str) -> Result<Vec<View>> {
    let mut views: Vec<View> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some(question) = line.strip_prefix("    ") else {
            views.push(View { name: line.to_owned(), first: Vec::new(), then: Vec::new() });
            continue;
        };
        let view = views.last_mut().context("a question before the first view")?;
        let is_later = ["{began}", "{ended}", "{before}", "{width}", "{aligned}"]
            .iter()
            .any(|name| question.contains(name));
        match question {
            "/live" => {}
            _ if is_later => view.then.push(question.to_owned()),
            _ => view.first.push(question.to_owned()),
        }
    }
    views.retain(|view| !view.first.is_empty());
    if views.is_empty() {
        bail!("there are no questions in it");
    }
    Ok(views)
}

impl Answers {
    /// About the time from `since` to `until`, and this program.
    pub(super) fn new(since: i64, until: i64, exe: &str) -> Self {
        let exe = exe.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        });
        let known = vec![
            ("since", since.to_string()),
            ("recent", (until - RECENT).to_string()),
            ("offset", "3600".to_owned()),
            ("exe", exe.collect()),
        ];
        Self { known }
    }

    /// With what the first report tells.
    pub(super) fn with(&self, report: &Value) -> Result<Self> {
        let number = |at: &str| report.pointer(at).and_then(Value::as_i64);
        let (began, ended) = number("/span/since")
            .zip(number("/span/until"))
            .context("the view's first report has no span")?;
        let before = 2 * began - ended;
        let mut known = self.known.clone();
        known.extend([
            ("began", began.to_string()),
            ("ended", ended.to_string()),
            ("before", before.to_string()),
        ]);
        if let Some((start, width)) = number("/series/start").zip(number("/series/width")) {
            let aligned = -(start - (ended - began)).rem_euclid(width);
            known.extend([("width", width.to_string()), ("aligned", aligned.to_string())]);
        }
        Ok(Self { known })
    }

    /// A question as it is asked. What has no end ends at `until`, since the history does.
    pub(super) fn fill(&self, question: &str, until: i64) -> Result<String> {
        let mut text = question.to_owned();
        for (name, value) in &self.known {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        if text.contains('{') {
            bail!("nothing is known to stand for the braces in {text}");
        }
        if text.contains("since=") && !text.contains("until=") {
            text = format!("{text}&until={until}");
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_questions() {
        let record = "# told\n\nNow\n    /live\n\nHistory\n    /gaps?since={began}&until={ended}\n    \
                      /report?by=exe&since={since}&offset={offset}\n    /status\n";
        let views = read(record).unwrap();
        let [history] = views.as_slice() else { panic!("{views:?}") };
        let first = ["/report?by=exe&since={since}&offset={offset}", "/status"];
        assert_eq!(
            (history.name.as_str(), history.first.as_slice()),
            ("History", &first.map(String::from)[..])
        );
        assert_eq!(history.then, ["/gaps?since={began}&until={ended}"]);
        assert!(read("# nothing\n").is_err() && read("    /report\n").is_err());
    }

    #[test]
    fn braces_are_filled() {
        let answers = Answers::new(1_000, 9_000, "/opt/a b");
        let asked = answers.fill("/report?since={since}&filter=exe={exe}&offset={offset}", 9_000);
        assert_eq!(
            asked.unwrap(),
            "/report?since=1000&filter=exe=/opt/a%20b&offset=3600&until=9000"
        );
        assert!(answers.fill("/gaps?since={began}", 9_000).is_err());
        let report = serde_json::json!({
            "span": { "since": 1_000, "until": 9_000 },
            "series": { "start": 960, "width": 60 },
        });
        let answers = answers.with(&report).unwrap();
        let asked = "/report?since={before}&until={began}&bucket={width}&offset={aligned}";
        assert_eq!(
            answers.fill(asked, 9_000).unwrap(),
            "/report?since=-7000&until=1000&bucket=60&offset=-40"
        );
    }

    #[test]
    fn the_record_can_be_read() {
        let views = read(include_str!("../../../../web/tests/questions.txt")).unwrap();
        assert!(views.len() >= 7, "{views:?}");
    }
}
