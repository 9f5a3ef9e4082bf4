//! What each view asks, as web/tests/questions.txt has it: the browser test records it there.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde_json::Value;

/// Seconds that Now shows.
const RECENT: i64 = 180;

/// How what stands for the largest things of a dimension begins: `{largest 9 exe}`.
const LARGEST: &str = "{largest ";

/// A view, and what it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) name: String,
    /// Asked at once.
    pub(super) first: Vec<String>,
    /// Asked when the answers to those have come.
    pub(super) then: Vec<String>,
}

/// What stands for the braces of a question.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    known: Vec<(&'static str, String)>,
    /// By dimension, what is largest first.
    largest: Vec<(String, Vec<String>)>,
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
        let is_later = ["{began}", "{ended}", "{before}", "{width}", "{aligned}", LARGEST]
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
        let known = vec![
            ("since", since.to_string()),
            ("recent", (until - RECENT).to_string()),
            ("offset", "3600".to_owned()),
            ("exe", encoded(exe)),
        ];
        Self { known, largest: Vec::new() }
    }

    /// With what the first reports tell: questions and their answers.
    pub(super) fn with(&self, reports: &[(&str, Value)]) -> Result<Self> {
        let (_, report) = reports.first().context("no report first")?;
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
        let largest = reports.iter().filter_map(|(question, report)| {
            let by = question.split(['?', '&']).find_map(|part| part.strip_prefix("by="))?;
            let answers = report.get("answers")?.as_array()?;
            let key = |answer: &Value| match answer.pointer("/keys/0") {
                Some(Value::String(text)) => Some(text.clone()),
                other => other.map(Value::to_string),
            };
            Some((by.to_owned(), answers.iter().filter_map(key).collect()))
        });
        Ok(Self { known, largest: largest.collect() })
    }

    /// With filters for the largest things in place of what stands for them.
    fn filled(&self, mut text: String) -> Option<String> {
        while let Some((before, rest)) = text.split_once(LARGEST) {
            let (named, after) = rest.split_once('}')?;
            let (most, dimension) = named.split_once(' ')?;
            let (_, values) = self.largest.iter().find(|(by, _)| by == dimension)?;
            let values = values.iter().take(most.parse().ok()?);
            let filters: Vec<String> =
                values.map(|value| format!("filter={dimension}%3D{}", encoded(value))).collect();
            text = format!("{}{}{after}", before.strip_suffix("filter=")?, filters.join("&"));
        }
        Some(text)
    }

    /// A question as it is asked. What has no end ends at `until`, since the history does.
    pub(super) fn fill(&self, question: &str, until: i64) -> Result<String> {
        let text = self.filled(question.to_owned());
        let mut text = text.with_context(|| format!("no report told the largest of {question}"))?;
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

/// As an address has it.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
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
        let answers = answers.with(&[("/report?by=exe", report)]).unwrap();
        let asked = "/report?since={before}&until={began}&bucket={width}&offset={aligned}";
        assert_eq!(
            answers.fill(asked, 9_000).unwrap(),
            "/report?since=-7000&until=1000&bucket=60&offset=-40"
        );
    }

    #[test]
    fn the_largest_are_filters() {
        let span = serde_json::json!({ "since": 1, "until": 9 });
        let told = |keys: &[Value]| {
            let answers: Vec<Value> =
                keys.iter().map(|key| serde_json::json!({ "keys": [key] })).collect();
            serde_json::json!({ "span": span, "answers": answers })
        };
        let reports = [
            ("/report?by=exe&since={since}", told(&["/a b".into(), "/c".into(), "/d".into()])),
            ("/report?since={since}&by=rport", told(&[443.into()])),
        ];
        let answers = Answers::new(1, 9, "/a").with(&reports).unwrap();
        let asked = "/report?by=exe,rport&since={began}&until={ended}&filter={largest 2 exe}\
                     &filter={largest 14 rport}";
        assert_eq!(
            answers.fill(asked, 9).unwrap(),
            "/report?by=exe,rport&since=1&until=9&filter=exe%3D/a%20b&filter=exe%3D/c\
             &filter=rport%3D443"
        );
        assert!(answers.fill("/report?filter={largest 2 org}", 9).is_err());
    }

    #[test]
    fn the_record_can_be_read() {
        let views = read(include_str!("../../../../web/tests/questions.txt")).unwrap();
        assert!(views.len() >= 7, "{views:?}");
    }
}
