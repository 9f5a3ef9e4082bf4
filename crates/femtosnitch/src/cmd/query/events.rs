//! What happened, one line an event.

use std::io::{self, BufWriter, Write};

use femtosnitch_model::printable;
use femtosnitch_store::{Event, EventKind};
use jiff::tz::TimeZone;

use super::TABLE_LINES;
use super::gaps::moment;
use super::print::{array, last, quoted};
use super::tree::short;
use crate::cli::QueryFormat;
use crate::text::{Column, Style, Table, count, terminal_width};

/// Prints events in the order of time, the latest `limit` of them.
pub(super) fn list(format: QueryFormat, all: &[Event], limit: Option<usize>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let events = last(all, limit.unwrap_or(usize::MAX));
    match format {
        QueryFormat::Json => array(&mut out, events)?,
        QueryFormat::Csv => csv(&mut out, events)?,
        QueryFormat::Table if all.is_empty() => {
            writeln!(out, "no events are known of that time")?;
        }
        QueryFormat::Table => {
            let lines = limit.unwrap_or(TABLE_LINES);
            let mut table = table(last(all, lines), &TimeZone::system());
            table.fit(terminal_width());
            out.write_all(table.render(Style::for_stdout()).as_bytes())?;
            if let Some(more) = all.len().checked_sub(lines).filter(|&more| more > 0) {
                writeln!(out, "and {} before; --limit shows more lines", count(more as u64))?;
            }
        }
    }
    out.flush()
}

/// For people.
fn table(events: &[Event], zone: &TimeZone) -> Table {
    let mut table = Table::new(["time", "kind", "program", "what"].map(Column::text).to_vec());
    for event in events {
        let program = match (event.exe.as_str(), event.container.as_str()) {
            ("", _) => "-".to_owned(),
            (exe, "") => exe.to_owned(),
            (exe, container) => format!("{exe} in {container}"),
        };
        let kind = event.kind.name().to_owned();
        table.row([moment(event.at, zone, None), kind, program, what(event, zone)]);
    }
    table
}

fn what(event: &Event, zone: &TimeZone) -> String {
    let mut parts = Vec::new();
    match event.kind {
        EventKind::FirstSeen => parts.push(short(&event.sha256)),
        EventKind::Modified | EventKind::Upgraded => {
            parts.push(format!("{} -> {}", short(&event.old_sha256), short(&event.sha256)));
        }
        EventKind::Gap => {
            let until = event.until.map(|until| moment(until, zone, Some(event.at)));
            parts.extend(until.map(|until| format!("not watched until {until}")));
        }
        EventKind::Lost => {}
    }
    if !event.package.is_empty() {
        let version = match (event.old_version.as_str(), event.version.as_str()) {
            ("", "") => String::new(),
            ("", new) => format!(" {new}"),
            (old, new) if old == new => format!(" {new}"),
            (old, new) => format!(" {old} -> {new}"),
        };
        parts.push(format!("{}{version}", event.package));
    }
    parts.extend([&event.state, &event.detail].map(String::clone));
    if !event.written_by.is_empty() {
        parts.push(format!("written by {}", event.written_by));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

/// For spreadsheets: all there is. Characters that could do harm are replaced; JSON has them all.
fn csv(out: &mut impl Write, events: &[Event]) -> io::Result<()> {
    writeln!(
        out,
        "at,until,kind,exe,name,cmdline,sha256,old_sha256,package,version,state,old_version,\
         written_by,container,realm,detail,process_id"
    )?;
    for event in events {
        let until = event.until.map_or_else(String::new, |until| until.to_string());
        write!(out, "{},{until},{}", event.at, event.kind)?;
        for text in [
            &event.exe,
            &event.name,
            &event.cmdline,
            &event.sha256,
            &event.old_sha256,
            &event.package,
            &event.version,
            &event.state,
            &event.old_version,
            &event.written_by,
            &event.container,
            &event.realm,
            &event.detail,
        ] {
            write!(out, ",{}", quoted(&printable(text)))?;
        }
        writeln!(out, ",{}", event.process_id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: i64, kind: EventKind) -> Event {
        let none = String::new();
        Event {
            at,
            until: None,
            kind,
            exe: none.clone(),
            name: none.clone(),
            cmdline: none.clone(),
            sha256: none.clone(),
            old_sha256: none.clone(),
            package: none.clone(),
            version: none.clone(),
            state: none.clone(),
            old_version: none.clone(),
            written_by: none.clone(),
            container: none.clone(),
            realm: none.clone(),
            detail: none,
            process_id: 0,
        }
    }

    fn some() -> Vec<Event> {
        let tool = || Event {
            exe: "/bin/tool".into(),
            sha256: "ab".repeat(32),
            old_sha256: "cd".repeat(32),
            ..event(60, EventKind::Modified)
        };
        vec![
            Event {
                exe: "/bin/\u{1b}[2J".into(),
                sha256: "(pending)".into(),
                container: "c1".into(),
                ..event(1, EventKind::FirstSeen)
            },
            Event { state: "not packaged".into(), written_by: "/bin/cp".into(), ..tool() },
            Event {
                kind: EventKind::Upgraded,
                package: "dpkg tool".into(),
                version: "2.0".into(),
                old_version: "1.0".into(),
                state: "intact".into(),
                ..tool()
            },
            Event { until: Some(75), detail: "suspended".into(), ..event(70, EventKind::Gap) },
            Event { detail: "3 process events, a b".into(), ..event(80, EventKind::Lost) },
        ]
    }

    #[test]
    fn a_line_tells_what_changed() {
        let zone = TimeZone::UTC;
        assert_eq!(
            table(&some(), &zone).render(Style::plain()),
            "time                 kind        program          what\n\
             1970-01-01 00:00:01  first-seen  /bin/\u{fffd}[2J in c1  (pending)\n\
             1970-01-01 00:01:00  modified    /bin/tool        cdcdcdcdcdcd… -> abababababab…, not packaged, written by /bin/cp\n\
             1970-01-01 00:01:00  upgraded    /bin/tool        cdcdcdcdcdcd… -> abababababab…, dpkg tool 1.0 -> 2.0, intact\n\
             1970-01-01 00:01:10  gap         -                not watched until 00:01:15, suspended\n\
             1970-01-01 00:01:20  lost        -                3 process events, a b\n"
        );
    }

    #[test]
    fn spreadsheets_get_everything_and_no_control_byte() {
        let mut out = Vec::new();
        csv(&mut out, &some()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.chars().all(|ch| ch == '\n' || !ch.is_control()), "{text:?}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6);
        let fields = lines[0].split(',').count();
        assert_eq!(fields, 17);
        assert_eq!(lines[4], "70,75,gap,,,,,,,,,,,,,suspended,0");
        assert_eq!(lines[5], "80,,lost,,,,,,,,,,,,,\"3 process events, a b\",0");
        assert!(lines[1..5].iter().all(|line| line.split(',').count() == fields), "{text}");
    }
}
