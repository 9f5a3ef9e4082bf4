//! From the tree to [`Config`]. The one place that knows every key, its default and its bounds;
//! packaging/config.toml tells people the same, and a test compares the two.

use std::time::Duration;

use super::amount::show_size;
use super::node::{Entry, Node, Value};
use super::problem::Problem;
use super::section::{Report, Section, read_size, wrong_type};
use super::{
    Access, Capture, Config, Format, Front, GeoFile, GeoIp, Identity, Live, Log, LogFormat, Names,
    Senders, Splices, Store, Web,
};
use super::{items, json_tree, retention, rules, suggest, toml_tree};

const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn parse(text: &str, format: Format) -> Result<Config, Vec<Problem>> {
    // Some editors put a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (tree, problems) = match format {
        Format::Toml => toml_tree::parse(text),
        Format::Json => json_tree::parse(text),
    };
    let Some(tree) = tree else { return Err(problems) };
    let mut report = Report { problems, ..Report::default() };
    let config = config(tree, &mut report);
    if report.problems.is_empty() {
        return Ok(config);
    }
    report.problems.sort_by_key(|problem| problem.line);
    Err(report.problems)
}

fn config(tree: Node, report: &mut Report) -> Config {
    let mut rest = match tree.value {
        Value::Section(entries) => entries,
        other => {
            let message = wrong_type(&other, "an object with sections, such as {\"store\": {}}");
            report.add(tree.line, String::new(), message);
            Vec::new()
        }
    };
    let mut unasked = Vec::new();
    let mut section = |name, report: &mut Report| open(name, &mut rest, report);

    let entries = section("capture", report);
    let mut keys = Section::new("capture", entries, report);
    let capture = capture(&mut keys);
    unasked.push(keys.finish());

    let entries = section("store", report);
    let mut keys = Section::new("store", entries, report);
    let store = store(&mut keys);
    unasked.push(keys.finish());

    let entries = section("ignore", report);
    let mut keys = Section::new("ignore", entries, report);
    let ignore = rules::lists(&mut keys);
    unasked.push(keys.finish());

    let entries = section("only", report);
    let mut keys = Section::new("only", entries, report);
    let only = rules::lists(&mut keys);
    unasked.push(keys.finish());

    let entries = section("privacy", report);
    let mut keys = Section::new("privacy", entries, report);
    let privacy = rules::privacy(&mut keys);
    unasked.push(keys.finish());

    let entries = section("geoip", report);
    let mut keys = Section::new("geoip", entries, report);
    let geoip = GeoIp {
        country: keys.value("country", GeoFile::Auto, items::geo_file),
        asn: keys.value("asn", GeoFile::Auto, items::geo_file),
    };
    unasked.push(keys.finish());

    let entries = section("identity", report);
    let mut keys = Section::new("identity", entries, report);
    let default = Identity::default();
    let identity = Identity {
        hash_threads: Some(keys.number("hash_threads", 0, 0..=16)).filter(|&threads| threads > 0),
        processes: keys.number("processes", default.processes, 1_024..=4_194_304),
    };
    unasked.push(keys.finish());

    let entries = section("names", report);
    let mut keys = Section::new("names", entries, report);
    let default = Names::default();
    let names = Names {
        capture: keys.switch("capture", default.capture),
        buffer: keys.value("buffer", default.buffer, |value| buffer(value, default.buffer)),
        resolvers: keys.list("resolvers", "[\"192.0.2.53\"]", items::address),
        ptr: keys.switch("ptr", default.ptr),
    };
    unasked.push(keys.finish());

    let entries = section("log", report);
    let mut keys = Section::new("log", entries, report);
    let default = Log::default();
    let log = Log {
        connections: keys.value("connections", default.connections, log_format),
        max_size: keys.size("max_size", default.max_size, 64 << 10..=1 << 30),
        keep: keys.number("keep", default.keep, 0..=1_000),
    };
    unasked.push(keys.finish());

    let entries = section("live", report);
    let mut keys = Section::new("live", entries, report);
    let default = Live::default();
    let live = Live {
        max_readers: keys.number("max_readers", default.max_readers, 1..=1_024),
        reader_buffer: keys.size("reader_buffer", default.reader_buffer, 16 << 10..=64 << 20),
    };
    unasked.push(keys.finish());

    let entries = section("access", report);
    let mut keys = Section::new("access", entries, report);
    let access = Access { group: keys.value("group", Access::default().group, items::group) };
    unasked.push(keys.finish());

    let entries = section("web", report);
    let mut keys = Section::new("web", entries, report);
    let default = Web::default();
    let web = Web {
        listen: keys.value("listen", default.listen, items::listen),
        hosts: keys.list("hosts", "[\"snitch.example.org\"]", items::host),
        tls: keys.value("tls", default.tls, items::web_tls),
        tls_key: keys.value("tls_key", default.tls_key, items::optional_path),
    };
    unasked.push(keys.finish());

    suggest::unknown(rest, unasked, report);
    Config { capture, store, ignore, only, privacy, geoip, identity, names, log, live, access, web }
}

fn capture(keys: &mut Section<'_>) -> Capture {
    let default = Capture::default();
    Capture {
        front: keys.value("front", default.front, front),
        max_flows: keys.number("max_flows", default.max_flows, 64..=4_194_304),
        max_overflow: keys.number("max_overflow", default.max_overflow, 16..=1_048_576),
        max_peers_per_socket: keys.number(
            "max_peers_per_socket",
            default.max_peers_per_socket,
            1..=65_536,
        ),
        senders: keys.value("senders", default.senders, senders),
        splices: keys.value("splices", default.splices, splices),
        event_buffer: keys.value("event_buffer", default.event_buffer, |value| {
            buffer(value, default.event_buffer)
        }),
        sample_interval: keys.duration(
            "sample_interval",
            default.sample_interval,
            Duration::from_millis(100)..=Duration::from_secs(60),
        ),
    }
}

fn store(keys: &mut Section<'_>) -> Store {
    let default = Store::default();
    let mut levels = retention::Levels::default();
    Store {
        write_interval: keys.duration(
            "write_interval",
            default.write_interval,
            Duration::from_secs(1)..=HOUR,
        ),
        retention: levels.next(keys, "retention", default.retention),
        retention_minutes: levels.next(keys, "retention_minutes", default.retention_minutes),
        retention_hours: levels.next(keys, "retention_hours", default.retention_hours),
        retention_days: levels.next(keys, "retention_days", default.retention_days),
        max_size: retention::max_size(keys, default.max_size),
        tamper_evidence: keys.switch("tamper_evidence", default.tamper_evidence),
        spool_rows: keys.number("spool_rows", default.spool_rows, 1_000..=10_000_000),
    }
}

/// Takes a section out of the top level; what is no section is noted and read as empty.
fn open(name: &'static str, rest: &mut Vec<Entry>, report: &mut Report) -> Vec<Entry> {
    let Some(index) = rest.iter().position(|entry| entry.key == name) else { return Vec::new() };
    let entry = rest.swap_remove(index);
    match entry.node.value {
        Value::Section(entries) => entries,
        other => {
            let wanted = format!("[{name}] as a section of its own, once");
            report.add(entry.line, name.to_owned(), wrong_type(&other, &wanted));
            Vec::new()
        }
    }
}

fn front(value: &Value) -> Result<Front, String> {
    choice(
        value,
        "front",
        &[("auto", Front::Auto), ("tracepoint", Front::Tracepoint), ("fexit", Front::Fexit)],
    )
}

fn senders(value: &Value) -> Result<Senders, String> {
    choice(
        value,
        "choice",
        &[("auto", Senders::Auto), ("always", Senders::Always), ("never", Senders::Never)],
    )
}

fn splices(value: &Value) -> Result<Splices, String> {
    choice(value, "choice", &[("auto", Splices::Auto), ("always", Splices::Always)])
}

fn log_format(value: &Value) -> Result<LogFormat, String> {
    choice(
        value,
        "choice",
        &[("off", LogFormat::Off), ("csv", LogFormat::Csv), ("ndjson", LogFormat::Ndjson)],
    )
}

/// One of a few words.
fn choice<T: Copy>(value: &Value, what: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let names = match names.split_last() {
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    };
    match value {
        Value::Text(text) => choices
            .iter()
            .find(|(name, _)| name == text)
            .map(|(_, choice)| *choice)
            .ok_or_else(|| format!("{text:?} is not a {what}; write {names}")),
        other => Err(wrong_type(other, &names)),
    }
}

/// What the kernel takes for the size of a ring.
fn buffer(value: &Value, example: u32) -> Result<u32, String> {
    let size = read_size(value, example, 64 << 10..=256 << 20)?;
    if size.is_power_of_two() {
        return Ok(size);
    }
    let (below, above) = (1 << size.ilog2(), size.next_power_of_two());
    Err(format!(
        "{} is not a power of two; write {:?} or {:?}",
        show_size(size.into()),
        show_size(below),
        show_size(above.into())
    ))
}

#[cfg(test)]
pub(super) fn known_keys() -> Vec<(&'static str, &'static str)> {
    let mut report = Report::default();
    config(Node { line: 1, value: Value::Section(Vec::new()) }, &mut report);
    report.known
}
