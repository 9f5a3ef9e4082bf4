//! `femtosnitch status`: is it running, what does it see, what did it lose.

mod history;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use femtosnitch_api::{ClientError, Event, GeoDatabase, GeoIp, HookState, LiveClient, Status};
use femtosnitch_model::printable;
use serde_json::{Value, json};

use crate::cli::StatusArgs;
use crate::config::Paths;
use crate::text::{self, Column, Style, Table, terminal_width};
use history::History;

/// A daemon that is up tells its status at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints the status; exit code 1 if no daemon is running.
///
/// # Errors
/// If no daemon is running, if it may not be asked, or if the output fails.
pub fn run(paths: &Paths, args: &StatusArgs) -> anyhow::Result<ExitCode> {
    match ask(paths) {
        Ok(status) => {
            let history = History::of(paths);
            if args.json {
                print(&running_json(&status, &history)?)
            } else {
                print(&render(&status, &history, Style::for_stdout(), terminal_width()))
            }
        }
        Err(error) if args.json => {
            let running = !matches!(error, ClientError::NotRunning { .. });
            let why = explain(error).to_string();
            // Whoever may not ask does not know either.
            let running = if running { Value::Null } else { Value::Bool(false) };
            print(&format!("{}\n", json!({ "running": running, "why": why })))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(explain(error)),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// The error with what to do about it.
pub(super) fn explain(error: ClientError) -> anyhow::Error {
    let advice = match &error {
        ClientError::NotRunning { .. } => "; start it with: sudo femtosnitch daemon",
        ClientError::Timeout => "; it may still be starting: try again in a moment",
        _ => "",
    };
    anyhow::anyhow!("{error}{advice}")
}

fn ask(paths: &Paths) -> Result<Status, ClientError> {
    let socket = paths.live_socket();
    let mut client = LiveClient::connect(&socket)?;
    client.set_timeout(Some(PATIENCE))?;
    // Other events may come before it while the daemon is starting; they must not go on for ever.
    for event in client.by_ref().take(100_000) {
        if let Event::Status(status) = event? {
            return Ok(*status);
        }
    }
    Err(ClientError::NotRunning { path: socket })
}

fn running_json(status: &Status, history: &History) -> serde_json::Result<String> {
    let mut object = serde_json::to_value(status)?;
    if let Some(Value::Object(database)) = object.get_mut("database") {
        database.insert("rows".to_owned(), json!(history.rows()));
        database.insert("kept".to_owned(), history.json());
        database.insert("chain".to_owned(), history.chain());
    }
    if let Value::Object(fields) = &mut object {
        fields.insert("running".to_owned(), Value::Bool(true));
    }
    Ok(format!("{object}\n"))
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn render(status: &Status, history: &History, style: Style, width: Option<usize>) -> String {
    let mut out = String::new();
    let running = format!("femtosnitch {} is running", printable(&status.version));
    out.push_str(&style.good(&running));
    out.push('\n');
    for (name, value) in facts(status, history) {
        out.push_str(&format!("{}  {}\n", style.dim(&format!("{name:<9}")), printable(&value)));
    }
    for warning in config_warnings(status).iter().chain(&status.warnings) {
        out.push_str(&format!("{}  {}\n", style.warning("warning  "), printable(warning)));
    }
    let (lost, seen): (Vec<_>, Vec<_>) =
        status.counters.iter().partition(|(name, _)| tells_a_loss(name));
    let sections = [hooks(status), counters("seen", &seen), counters("lost", &lost)];
    for mut table in sections.into_iter().flatten() {
        table.fit(width);
        out.push('\n');
        out.push_str(&table.render(style));
    }
    out
}

fn facts(status: &Status, history: &History) -> Vec<(&'static str, String)> {
    let up = text::duration(seconds(status.now - status.since));
    let since = date(status.since);
    let database = &status.database;
    let written = match database.last_write {
        Some(at) => format!("written {} ago", text::duration(seconds(status.now - at))),
        None => "nothing written yet".to_owned(),
    };
    let rows =
        history.rows().map_or_else(String::new, |rows| format!(", {} rows", text::count(rows)));
    let size = text::bytes(database.bytes);
    let (pss, rss) = (text::bytes(status.memory.pss), text::bytes(status.memory.rss));
    let flows = &status.flows;
    let mut facts = vec![
        ("since", format!("{since} ({up})")),
        ("process", format!("{}, {pss} of memory ({rss} resident)", status.pid)),
        ("front", status.front.clone()),
        ("self-test", status.self_test.clone()),
        ("config", config(status)),
        ("flows", format!("{} of at most {}", text::count(flows.live), text::count(flows.max))),
        ("history", database.path.clone()),
        ("", format!("{}: {size}{rows}, {written}", database.state)),
    ];
    let kept = history.lines().into_iter().enumerate();
    facts.extend(kept.map(|(at, line)| (if at == 0 { "kept" } else { "" }, line)));
    facts.extend(history.evidence().map(|head| ("evidence", head)));
    facts.extend(places(&status.geoip));
    facts
}

/// The databases of places, and whom to name for them.
fn places(geoip: &GeoIp) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for (title, database) in [("countries", &geoip.country), ("networks", &geoip.asn)] {
        let Some(GeoDatabase { path, name, built, attribution }) = database else {
            lines.push((title, "no database (see [geoip] in the configuration)".to_owned()));
            continue;
        };
        lines.push((title, format!("{name} of {}, {path}", day(*built))));
        if !attribution.is_empty() {
            lines.push(("", attribution.clone()));
        }
    }
    lines.extend(geoip.problems.iter().map(|problem| ("", problem.clone())));
    lines
}

fn day(unix: u64) -> String {
    let at = i64::try_from(unix).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    at.map_or_else(|| "?".to_owned(), |at| at.strftime("%F").to_string())
}

fn config(status: &Status) -> String {
    let config = &status.config;
    let path = if config.path.is_empty() { "built-in defaults" } else { &config.path };
    if config.generation < 2 {
        return path.to_owned();
    }
    format!("{path}, read again {} ago", text::duration(seconds(status.now - config.loaded_at)))
}

/// What a person should know of the configuration.
fn config_warnings(status: &Status) -> Vec<String> {
    let config = &status.config;
    let refused = config.refused.iter().map(|reason| {
        let reason = reason.replace('\n', "; ");
        format!("the configuration was not read again, the one before holds: {reason}")
    });
    let waiting = &config.at_next_start;
    let waits = (!waiting.is_empty()).then(|| {
        format!("changed in the configuration for the next start: {}", waiting.join(", "))
    });
    refused.chain(waits).collect()
}

fn hooks(status: &Status) -> Option<Table> {
    let mut table = Table::new(["hook", "where", "state", "why"].map(Column::text).into());
    for hook in &status.hooks {
        let state = match hook.state {
            HookState::Attached => "attached",
            HookState::NotNeeded => "not needed",
            HookState::Refused => "refused",
            HookState::Other => "?",
        };
        table.row([hook.program.as_str(), &hook.target, state, &hook.why]);
    }
    (!status.hooks.is_empty()).then_some(table)
}

fn counters(title: &str, counters: &[(&String, &u64)]) -> Option<Table> {
    let mut table = Table::new(vec![Column::text(title), Column::number("count")]);
    for (name, count) in counters {
        table.row([name.as_str(), &text::count(**count)]);
    }
    (!counters.is_empty()).then_some(table)
}

/// Whether a counter of this name counts what should not have happened.
fn tells_a_loss(name: &str) -> bool {
    const WORDS: [&str; 6] = ["lost", "missed", "dropped", "overflow", "failed", "refused"];
    name.split('_').any(|word| WORDS.contains(&word))
}

fn seconds(length: f64) -> Duration {
    Duration::try_from_secs_f64(length.max(0.0)).unwrap_or_default()
}

fn date(unix: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "saturates; the date is checked below")]
    let second = unix as i64;
    match jiff::Timestamp::from_second(second) {
        Ok(at) => at.strftime("%F %T UTC").to_string(),
        Err(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_api::{ConfigStatus, Database, Flows, Hook, Limits, LiveServer, Memory};
    use std::path::Path;

    fn status() -> Status {
        Status {
            version: "1.2.3".into(),
            pid: 42,
            since: 1_800_000_000.0,
            now: 1_800_000_200.0,
            front: "tracepoint".into(),
            hooks: vec![Hook {
                program: "on_send".into(),
                target: "tp_btf/sock_send_length".into(),
                state: HookState::Attached,
                why: "the kernel\x1b[2J has it".into(),
            }],
            counters: [("ring_lost".into(), 1234), ("exec_seen".into(), 5)].into(),
            flows: Flows { live: 12, max: 65536 },
            database: Database {
                path: "/var/lib/femtosnitch/femtosnitch.db".into(),
                bytes: 2048,
                rows: None,
                last_write: Some(1_800_000_196.0),
                state: "ok".into(),
            },
            geoip: GeoIp {
                country: Some(GeoDatabase {
                    path: "/srv/x.mmdb".into(),
                    name: "Countries".into(),
                    built: 1_780_272_000,
                    attribution: "Data by Example".into(),
                }),
                asn: None,
                problems: vec!["geoip: /srv/x.mmdb is bad".into()],
            },
            warnings: vec!["the disk is full".into()],
            config: ConfigStatus::default(),
            memory: Memory { rss: 8 << 20, pss: 6 << 20 },
            self_test: "passed".into(),
        }
    }

    #[test]
    fn everything_is_said_and_nothing_harmful() {
        let history = History::new(1_000, [Some(1_800_000_000), None, None, Some(1_799_971_200)]);
        let text = render(&status(), &history, Style::plain(), None);
        for part in [
            "femtosnitch 1.2.3 is running\n",
            "(3m 20s)\n",
            "42, 6.0 MiB of memory (8.0 MiB resident)\n",
            "built-in defaults\n",
            "12 of at most 65,536\n",
            "ok: 2.0 KiB, 1,000 rows, written 4s ago\n",
            "kept       connections since 2027-01-15 08:00 UTC\n",
            "countries  Countries of 2026-06-01, /srv/x.mmdb\n",
            "           Data by Example\n",
            "networks   no database (",
            "           geoip: /srv/x.mmdb is bad\n",
            "warning    the disk is full\n",
            "attached",
            "ring_lost  1,234\n",
            "exec_seen      5\n",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
        assert!(!text.contains('\x1b'));
        assert!(text.find("exec_seen") < text.find("ring_lost"), "what was lost comes last");
    }

    #[test]
    fn what_became_of_the_configuration_is_said() {
        let config = ConfigStatus {
            path: "/etc/x.toml".into(),
            loaded_at: 1_800_000_190.0,
            generation: 2,
            refused: Some("x.toml: 1 problem\nx.toml:3: a.b: unknown".into()),
            at_next_start: vec!["capture.max_flows".into(), "access.group".into()],
            ..ConfigStatus::default()
        };
        let history = History::new(0, [None; 4]);
        let text = render(&Status { config, ..status() }, &history, Style::plain(), None);
        for part in [
            "/etc/x.toml, read again 10s ago\n",
            "the one before holds: x.toml: 1 problem; x.toml:3: a.b: unknown\n",
            "for the next start: capture.max_flows, access.group\n",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }

    #[test]
    fn broken_times_do_not_break_it() {
        for value in [f64::NAN, f64::INFINITY, -1e300, 1e300] {
            let broken = Status { since: value, now: -value, ..status() };
            let history = History::new(0, [Some(i64::MIN), None, None, Some(i64::MAX)]);
            assert!(render(&broken, &history, Style::plain(), Some(40)).contains("is running"));
        }
    }

    #[test]
    fn counters_are_sorted_by_what_their_names_say() {
        assert!(tells_a_loss("ring_lost") && tells_a_loss("writes_failed"));
        assert!(!tells_a_loss("flows_seen") && !tells_a_loss("glossary"));
    }

    #[test]
    fn a_running_daemon_answers_and_a_missing_one_is_explained() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let missing = explain(ask(&paths).unwrap_err()).to_string();
        assert!(missing.contains("no daemon is running"), "{missing}");
        assert!(missing.contains("sudo femtosnitch daemon"), "{missing}");
        std::fs::create_dir_all(paths.run_dir()).unwrap();
        let socket = paths.live_socket();
        let server =
            LiveServer::start(Path::new(&socket), "1.2.3", Limits::default(), 0o600, None).unwrap();
        server.set_status(status());
        assert_eq!(ask(&paths).unwrap(), status());
        let history = History::new(7, [Some(3), Some(3), None, Some(1)]);
        let line = running_json(&status(), &history).unwrap();
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&object["running"], &object["pid"]), (&Value::Bool(true), &json!(42)));
        let kept = json!({ "rows": 3, "minutes": 3, "hours": null, "days": 1 });
        assert_eq!((&object["database"]["rows"], &object["database"]["kept"]), (&json!(7), &kept));
    }
}
