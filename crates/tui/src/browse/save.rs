//! What is shown as a file: CSV or JSON by its name, private, never over another one unasked.

use std::fs;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use femtosnitch_model::escape_harmful;
use femtosnitch_store::Answer;
use femtosnitch_store::Key;
use serde_json::Value;
use serde_json::json;

use super::page::Page;
use super::page::Subject;

/// Only for whoever asked: it tells who talked to whom.
const MODE: u32 = 0o600;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Json,
}

impl Format {
    /// By the end of a file's name.
    pub(crate) fn of(name: &str) -> Self {
        if name.to_lowercase().ends_with(".json") { Self::Json } else { Self::Csv }
    }
}

/// Titles, and lines of values, as text for CSV and as they are for JSON.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Content {
    pub(crate) titles: Vec<&'static str>,
    pub(crate) lines: Vec<Vec<Value>>,
}

const SUMS: [&str; 9] = [
    "send",
    "recv",
    "wire_send",
    "wire_recv",
    "events",
    "connections",
    "failed",
    "retrans",
    "rtt_us",
];

/// What a page shows, in the same numbers and names as `femtosnitch query` has; `None` where there
/// is nothing to save.
pub(crate) fn content(page: &Page, order: &[usize]) -> Option<Content> {
    match &page.subject {
        Subject::History { by } => {
            let report = page.known.report.as_ref()?;
            let answers = order.iter().filter_map(|at| report.answers.get(*at));
            let titles = std::iter::once(by.name()).chain(SUMS).collect();
            Some(Content { titles, lines: answers.map(answer).collect() })
        }
        Subject::Thing { .. } => {
            let detail = page.known.detail.as_ref()?;
            let titles = ["by", "value"].into_iter().chain(SUMS).collect();
            let mut lines = Vec::new();
            for side in &detail.breakdowns {
                for found in &side.answers {
                    let mut line = vec![json!(side.by.name())];
                    line.extend(answer(found));
                    lines.push(line);
                }
            }
            Some(Content { titles, lines })
        }
        Subject::Events => {
            let events = page.known.events.as_ref()?;
            let titles = vec![
                "at",
                "until",
                "kind",
                "exe",
                "name",
                "cmdline",
                "sha256",
                "old_sha256",
                "package",
                "version",
                "state",
                "old_version",
                "written_by",
                "container",
                "realm",
                "detail",
            ];
            let line = |event: &femtosnitch_store::Event| {
                vec![
                    json!(event.at),
                    json!(event.until),
                    json!(event.kind.name()),
                    json!(event.exe),
                    json!(event.name),
                    json!(event.cmdline),
                    json!(event.sha256),
                    json!(event.old_sha256),
                    json!(event.package),
                    json!(event.version),
                    json!(event.state),
                    json!(event.old_version),
                    json!(event.written_by),
                    json!(event.container),
                    json!(event.realm),
                    json!(event.detail),
                ]
            };
            Some(Content { titles, lines: events.iter().map(line).collect() })
        }
        Subject::System => {
            let system = page.known.system.as_ref()?;
            let status = system.daemon.as_ref().ok()?;
            let counters = status.counters.iter();
            let lines = counters.map(|(name, value)| vec![json!(name), json!(value)]).collect();
            Some(Content { titles: vec!["counter", "value"], lines })
        }
    }
}

fn answer(answer: &Answer) -> Vec<Value> {
    let keys = answer.keys.iter().map(|key| match key {
        Key::Number(number) => json!(number),
        Key::Text(text) => json!(text),
    });
    let sums = [
        json!(answer.send),
        json!(answer.recv),
        json!(answer.wire_send),
        json!(answer.wire_recv),
        json!(answer.events),
        json!(answer.connections),
        json!(answer.failed),
        json!(answer.retrans),
        json!(answer.rtt_us),
    ];
    keys.chain(sums).collect()
}

/// The file's text.
pub(crate) fn text(content: &Content, format: Format) -> String {
    match format {
        Format::Json => {
            let object = |line: &Vec<Value>| {
                let titles = content.titles.iter().map(|title| (*title).to_owned());
                Value::Object(titles.zip(line.iter().cloned()).collect())
            };
            let lines: Vec<Value> = content.lines.iter().map(object).collect();
            format!("{:#}\n", Value::Array(lines))
        }
        Format::Csv => {
            let mut out = content.titles.join(",");
            out.push('\n');
            for line in &content.lines {
                let cells: Vec<String> = line.iter().map(cell).collect();
                out.push_str(&cells.join(","));
                out.push('\n');
            }
            out
        }
    }
}

/// As RFC 4180 has it; what would harm a terminal is written as its bytes.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let text = escape_harmful(text);
            let plain = !text.contains([',', '"']) && text.trim() == text;
            if plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
        }
        other => other.to_string(),
    }
}

/// Where a name leads: `~/` to the user's home.
pub(crate) fn path(name: &str, home: Option<&Path>) -> PathBuf {
    match (name.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(name),
    }
}

/// Writes a file; [`io::ErrorKind::AlreadyExists`] if there is one and `replace` is not set. Never
/// through a link, and never half of it: the file has its name once it is complete.
///
/// # Errors
/// As the file system has them.
pub(crate) fn write(path: &Path, text: &str, replace: bool) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if !meta.is_file() => {
            return Err(io::Error::other("it is there and is no file; give another name"));
        }
        Ok(_) if !replace => return Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    put(&part, text).map_err(|error| match error.kind() {
        // Not to be taken for the file itself.
        io::ErrorKind::AlreadyExists => {
            io::Error::other(format!("{} is in the way; remove it", part.display()))
        }
        _ => error,
    })?;
    let named = if replace { fs::rename(&part, path) } else { name(&part, path, text) };
    // With a new name it is gone, or one of two.
    fs::remove_file(&part).ok();
    named
}

/// Makes a file with this text; nothing of it is left if that fails.
fn put(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(MODE).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Ours, made a moment ago, and of no use.
        fs::remove_file(path).ok();
    }
    written
}

/// Gives a complete file its name, unless there is one of that name by now.
fn name(part: &Path, path: &Path, text: &str) -> io::Result<()> {
    match fs::hard_link(part, path) {
        // Some file systems have no links.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => put(path, text),
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::symlink;

    use super::*;

    fn example() -> Content {
        Content {
            titles: vec!["exe", "send"],
            lines: vec![
                vec![json!("/bin/a, \"b\""), json!(5)],
                vec![json!("cmd\u{1b}[2J"), json!(null)],
            ],
        }
    }

    #[test]
    fn hostile_names_are_written_harmlessly() {
        assert_eq!(
            text(&example(), Format::Csv),
            "exe,send\n\"/bin/a, \"\"b\"\"\",5\ncmd\\x1b[2J,\n"
        );
        let back: Value = serde_json::from_str(&text(&example(), Format::Json)).unwrap();
        assert_eq!(back.pointer("/1/exe"), Some(&json!("cmd\u{1b}[2J")));
        assert!(!text(&example(), Format::Json).contains('\u{1b}'));
    }

    #[test]
    fn nothing_is_replaced_unasked_and_others_cannot_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.csv");
        write(&file, "one", false).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
        let error = write(&file, "two", false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        write(&file, "two", true).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let link = dir.path().join("link");
        symlink(&file, &link).unwrap();
        assert!(write(&link, "three", true).is_err());
        assert!(write(dir.path(), "three", true).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
        // What an attempt left that was cut short is not the file itself.
        let new = dir.path().join("new.csv");
        let part = dir.path().join(format!("new.csv.{}.part", std::process::id()));
        fs::write(&part, "half").unwrap();
        let error = write(&new, "four", false).unwrap_err();
        assert!(error.to_string().contains("in the way") && !new.exists(), "{error}");
        assert_ne!(error.kind(), io::ErrorKind::AlreadyExists);
        fs::remove_file(&part).unwrap();
        write(&new, "four", false).unwrap();
        assert_eq!(fs::read_to_string(&new).unwrap(), "four");
        // One that came meanwhile is not replaced either.
        assert_eq!(name(&new, &file, "four").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
    }

    #[test]
    fn names_say_what_and_where() {
        assert_eq!(Format::of("week.JSON"), Format::Json);
        assert_eq!(Format::of("week"), Format::Csv);
        assert_eq!(path("~/a.csv", Some(Path::new("/home/x"))), Path::new("/home/x/a.csv"));
        assert_eq!(path("~/a.csv", None), Path::new("~/a.csv"));
    }
}
