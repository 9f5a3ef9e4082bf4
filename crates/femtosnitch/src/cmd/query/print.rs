//! Answers as a table, as JSON, as CSV.

use std::io::{self, Write};

use femtosnitch_model::{FlowKey, escape_harmful, protocol_name};
use femtosnitch_store::{Answer, Dimension, Key, Sums};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::series;
use crate::cli::By;
use crate::text::{Column, Table, bytes, count, json, micros};

/// For people: the answers, and the total of these and all others. Amounts that do not fit into
/// `width` terminal cells are left out, and named in the second half of the answer.
pub(super) fn table(
    by: &[By],
    answers: &[Answer],
    total: &Sums,
    series: Option<&series::Column>,
    width: Option<usize>,
) -> (Table, Vec<&'static str>) {
    let mut shape = Shape::of(total);
    let mut left_out = Vec::new();
    loop {
        let mut table = shaped(&shape, by, answers, total, series);
        table.fit(width);
        match table.overflows().then(|| shape.leave_out()).flatten() {
            Some(title) => left_out.push(title),
            None => return (table, left_out),
        }
    }
}

fn shaped(
    shape: &Shape,
    by: &[By],
    answers: &[Answer],
    total: &Sums,
    series: Option<&series::Column>,
) -> Table {
    let mut columns: Vec<Column> = by
        .iter()
        .map(|by| {
            if is_number(by.dimension) { Column::number(&by.name) } else { Column::text(&by.name) }
        })
        .collect();
    columns.extend(shape.titles().into_iter().map(Column::number));
    columns.extend(series.map(|_| Column::text("over time")));

    let mut table = Table::new(columns);
    let mut lines = series.map(|series| series.lines.iter().cloned());
    for answer in answers {
        let line = lines.as_mut().and_then(Iterator::next);
        let keys = by.iter().zip(&answer.keys).map(|(by, key)| shown(by.dimension, key));
        let mut amounts = shape.amounts(&sums(answer));
        if bytes_are_unknown(by, answer) {
            amounts.iter_mut().take(2).for_each(|bytes| "?".clone_into(bytes));
        }
        table.row(keys.chain(amounts).chain(line));
    }
    let mut label = vec![String::new(); by.len()];
    if let Some(first) = label.first_mut() {
        "total".clone_into(first);
    }
    let line = series.map(|series| series.total.clone());
    table.total(label.into_iter().chain(shape.amounts(total)).chain(line));
    table
}

fn sums(answer: &Answer) -> Sums {
    Sums {
        send: answer.send,
        recv: answer.recv,
        wire_send: answer.wire_send,
        wire_recv: answer.wire_recv,
        events: answer.events,
        connections: answer.connections,
        failed: answer.failed,
        retrans: answer.retrans,
        rtt_us: answer.rtt_us,
    }
}

/// Which amounts some answer has, and thus a table: empty columns only take room.
struct Shape {
    wire: bool,
    calls: bool,
    connections: bool,
    failed: bool,
    rtt: bool,
}

impl Shape {
    fn of(total: &Sums) -> Self {
        Self {
            wire: total.wire_send.is_some() || total.wire_recv.is_some(),
            calls: true,
            connections: total.connections > 0,
            failed: total.failed > 0,
            rtt: total.rtt_us.is_some(),
        }
    }

    /// Makes room; the title of what goes, the least telling first. `None` if all that is left has
    /// to stay.
    fn leave_out(&mut self) -> Option<&'static str> {
        let optional =
            [(&mut self.calls, "calls"), (&mut self.rtt, "rtt"), (&mut self.wire, "wire bytes")];
        let (shown, title) = optional.into_iter().find(|(shown, _)| **shown)?;
        *shown = false;
        Some(title)
    }

    fn titles(&self) -> Vec<&'static str> {
        let mut titles = vec!["sent", "received"];
        if self.wire {
            titles.extend(["wire sent", "wire recv"]);
        }
        let rest = [
            (self.calls, "calls"),
            (self.connections, "conns"),
            (self.failed, "failed"),
            (self.rtt, "rtt"),
        ];
        titles.extend(rest.into_iter().filter(|(has, _)| *has).map(|(_, title)| title));
        titles
    }

    fn amounts(&self, answer: &Sums) -> Vec<String> {
        let measured =
            |n: Option<u64>, shown: fn(u64) -> String| n.map_or_else(|| "-".to_owned(), shown);
        let mut cells = vec![bytes(answer.send), bytes(answer.recv)];
        if self.wire {
            cells.extend([answer.wire_send, answer.wire_recv].map(|n| measured(n, bytes)));
        }
        if self.calls {
            cells.push(count(answer.events));
        }
        if self.connections {
            cells.push(count(answer.connections));
        }
        if self.failed {
            cells.push(count(answer.failed));
        }
        if self.rtt {
            cells.push(measured(answer.rtt_us, micros));
        }
        cells
    }
}

/// Numbers whose digits are worth aligning.
fn is_number(dimension: Dimension) -> bool {
    use Dimension::{Lport, Netns, Pid, Rport, Uid};
    matches!(dimension, Uid | Rport | Lport | Netns | Pid)
}

/// True of a line about AF_XDP sockets: no call moves their bytes, so 0 would be a lie.
fn bytes_are_unknown(by: &[By], answer: &Answer) -> bool {
    by.iter().zip(&answer.keys).any(|(by, key)| {
        by.dimension == Dimension::Family && *key == Key::Number(FlowKey::AF_XDP.into())
    })
}

/// A key as people know it.
fn shown(dimension: Dimension, key: &Key) -> String {
    match key {
        Key::Text(text) if text.is_empty() => "-".to_owned(),
        Key::Text(text) => text.clone(),
        Key::Number(number) => named(dimension, *number).unwrap_or_else(|| number.to_string()),
    }
}

fn named(dimension: Dimension, number: i64) -> Option<String> {
    match dimension {
        Dimension::Protocol => {
            let protocol = u16::try_from(number).ok()?;
            Some(if protocol == 0 { "-".to_owned() } else { protocol_name(0, protocol) })
        }
        Dimension::Family => match u16::try_from(number).ok()? {
            FlowKey::AF_INET => Some("inet".to_owned()),
            FlowKey::AF_INET6 => Some("inet6".to_owned()),
            FlowKey::AF_PACKET => Some("packet".to_owned()),
            FlowKey::AF_XDP => Some("xdp".to_owned()),
            _ => None,
        },
        Dimension::Minute | Dimension::Hour => {
            jiff::Timestamp::from_second(number).ok().map(|time| time.to_string())
        }
        _ => None,
    }
}

/// For programs: an array, one object a line.
pub(super) fn json(out: &mut impl Write, by: &[By], answers: &[Answer]) -> io::Result<()> {
    array(out, answers.iter().map(|answer| Object { by, answer }))
}

/// An array, one item a line.
pub(super) fn array<T: Serialize>(
    out: &mut impl Write,
    items: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    let mut before = "[\n  ";
    let mut end = "[]\n";
    for item in items {
        out.write_all(before.as_bytes())?;
        json::write(out, &item)?;
        (before, end) = (",\n  ", "\n]\n");
    }
    out.write_all(end.as_bytes())
}

/// The latest `count` of a list in order of time.
pub(super) fn last<T>(list: &[T], count: usize) -> &[T] {
    list.get(list.len().saturating_sub(count)..).unwrap_or_default()
}

/// Keys in the order asked for, then the amounts.
struct Object<'a> {
    by: &'a [By],
    answer: &'a Answer,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (by, key) in self.by.iter().zip(&self.answer.keys) {
            map.serialize_entry(&by.name, key)?;
        }
        map.serialize_entry("send", &self.answer.send)?;
        map.serialize_entry("recv", &self.answer.recv)?;
        map.serialize_entry("wire_send", &self.answer.wire_send)?;
        map.serialize_entry("wire_recv", &self.answer.wire_recv)?;
        map.serialize_entry("events", &self.answer.events)?;
        map.serialize_entry("connections", &self.answer.connections)?;
        map.serialize_entry("failed", &self.answer.failed)?;
        map.serialize_entry("retrans", &self.answer.retrans)?;
        map.serialize_entry("rtt_us", &self.answer.rtt_us)?;
        map.end()
    }
}

/// For spreadsheets: a heading, then a line for each answer; empty where not measured.
pub(super) fn csv(out: &mut impl Write, by: &[By], answers: &[Answer]) -> io::Result<()> {
    for by in by {
        write!(out, "{},", by.name)?;
    }
    writeln!(out, "send,recv,wire_send,wire_recv,events,connections,failed,retrans,rtt_us")?;
    for answer in answers {
        csv_keys(out, answer)?;
        let measured = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
        let Answer { send, recv, events, connections, failed, retrans, .. } = answer;
        let [sent, received, rtt] =
            [answer.wire_send, answer.wire_recv, answer.rtt_us].map(measured);
        writeln!(
            out,
            "{send},{recv},{sent},{received},{events},{connections},{failed},{retrans},{rtt}"
        )?;
    }
    Ok(())
}

/// The fields of its keys, each with the comma that follows.
pub(super) fn csv_keys(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    answer.keys.iter().try_for_each(|key| match key {
        Key::Number(number) => write!(out, "{number},"),
        Key::Text(text) => write!(out, "{},", quoted(text)),
    })
}

/// A CSV field, in quotes where it would not be one field otherwise. What could harm a terminal, and
/// whatever would make two lines of one, is written as `\xNN`.
pub(super) fn quoted(text: &str) -> String {
    let text = escape_harmful(text);
    let edge = text.starts_with(' ') || text.ends_with(' ');
    if edge || text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Style;

    fn total(answers: &[Answer]) -> Sums {
        let plus = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        answers.iter().map(sums).fold(Sums::default(), |sum, more| Sums {
            send: sum.send + more.send,
            recv: sum.recv + more.recv,
            wire_send: plus(sum.wire_send, more.wire_send),
            wire_recv: plus(sum.wire_recv, more.wire_recv),
            events: sum.events + more.events,
            connections: sum.connections + more.connections,
            failed: sum.failed + more.failed,
            retrans: sum.retrans + more.retrans,
            rtt_us: sum.rtt_us.into_iter().chain(more.rtt_us).min(),
        })
    }

    fn table(by: &[By], answers: &[Answer]) -> Table {
        super::table(by, answers, &total(answers), None, None).0
    }

    fn by(names: &[&str]) -> Vec<By> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn answer(keys: &[&str], port: i64, send: u64, wire: Option<u64>) -> Answer {
        let mut keys: Vec<Key> = keys.iter().map(|key| Key::Text((*key).to_owned())).collect();
        keys.push(Key::Number(port));
        Answer { keys, send, recv: 7, wire_send: wire, events: 1_000, ..Answer::default() }
    }

    fn text(print: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_has_the_names_as_given_and_null_for_what_was_not_measured() {
        let answers = [answer(&["/bin/\"sh\n"], 443, 5, Some(9)), answer(&[""], 0, 0, None)];
        let printed = text(|out| json(out, &by(&["parent", "rport"]), &answers));
        assert_eq!(
            printed,
            "[\n  {\"parent\":\"/bin/\\\"sh\\n\",\"rport\":443,\"send\":5,\"recv\":7,\
             \"wire_send\":9,\"wire_recv\":null,\"events\":1000,\"connections\":0,\"failed\":0,\
             \"retrans\":0,\"rtt_us\":null},\n  \
             {\"parent\":\"\",\"rport\":0,\"send\":0,\"recv\":7,\
             \"wire_send\":null,\"wire_recv\":null,\"events\":1000,\"connections\":0,\"failed\":0,\
             \"retrans\":0,\"rtt_us\":null}\n]\n"
        );
        assert_eq!(text(|out| json(out, &by(&["exe"]), &[])), "[]\n");
    }

    #[test]
    fn csv_fields_stay_one_field() {
        let answers = [answer(&["a,\"b\"\nc"], 1, 2, None), answer(&[" x"], 1, 2, Some(3))];
        assert_eq!(
            text(|out| csv(out, &by(&["exe", "rport"]), &answers)),
            "exe,rport,send,recv,wire_send,wire_recv,events,connections,failed,retrans,rtt_us\n\
             \"a,\"\"b\"\"\\x0ac\",1,2,7,,,1000,0,0,0,\n\
             \" x\",1,2,7,3,,1000,0,0,0,\n"
        );
    }

    #[test]
    fn a_table_totals_also_what_it_does_not_show() {
        let answers = [answer(&["/bin/a\x1b[2J"], 443, 2048, None), answer(&[""], 1, 1024, None)];
        let (printed, _) =
            super::table(&by(&["exe", "rport"]), &answers[..1], &total(&answers), None, None);
        let printed = printed.render(Style::plain());
        assert_eq!(
            printed,
            "exe         rport     sent  received  calls\n\
             /bin/a\u{fffd}[2J    443  2.0 KiB       7 B  1,000\n\
             total              3.0 KiB      14 B  2,000\n"
        );
    }

    #[test]
    fn wire_columns_appear_once_something_was_measured() {
        let answers = [answer(&["a"], 1, 2, Some(9)), answer(&["b"], 1, 2, None)];
        let printed = table(&by(&["exe", "rport"]), &answers).render(Style::plain());
        assert!(printed.contains("wire sent") && printed.contains("9 B"), "{printed}");
        assert!(printed.lines().nth(2).unwrap().contains('-'), "{printed}");
    }

    #[test]
    fn bytes_that_pass_no_call_are_not_said_to_be_none() {
        let xdp = Answer { recv: 0, ..answer(&["/usr/bin/xsk"], 44, 0, None) };
        let printed = table(&by(&["exe", "family"]), &[xdp]).render(Style::plain());
        let line = printed.lines().nth(1).unwrap();
        assert_eq!(line, "/usr/bin/xsk  xdp        ?         ?  1,000");
    }

    #[test]
    fn connections_are_shown_where_there_are_some() {
        let scan = Answer {
            keys: ["/usr/bin/nmap", "refused"].map(|key| Key::Text(key.to_owned())).to_vec(),
            connections: 1_000,
            failed: 1_000,
            ..Answer::default()
        };
        let web = Answer {
            keys: ["/usr/bin/curl", ""].map(|key| Key::Text(key.to_owned())).to_vec(),
            send: 2_048,
            connections: 1,
            rtt_us: Some(12_345),
            ..Answer::default()
        };
        let by = by(&["exe", "outcome"]);
        assert_eq!(
            table(&by, &[web.clone(), scan]).render(Style::plain()),
            "exe            outcome     sent  received  calls  conns  failed      rtt\n\
             /usr/bin/curl  -        2.0 KiB       0 B      0      1       0  12.3 ms\n\
             /usr/bin/nmap  refused      0 B       0 B      0  1,000   1,000        -\n\
             total                   2.0 KiB       0 B      0  1,001   1,000  12.3 ms\n"
        );
        let printed = table(&by, std::slice::from_ref(&web)).render(Style::plain());
        assert!(printed.contains("conns") && !printed.contains("failed"), "{printed}");
        let line = text(|out| csv(out, &by, &[web]));
        assert!(line.ends_with("/usr/bin/curl,,2048,0,,,0,1,0,0,12345\n"), "{line}");
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_named() {
        let answers = [Answer {
            rtt_us: Some(1_000),
            connections: 1,
            ..answer(&["/usr/lib/firefox-esr/firefox-esr"], 443, 2_048, Some(9))
        }];
        let fitted = |width| {
            let by = by(&["exe", "rport"]);
            super::table(&by, &answers, &total(&answers), None, Some(width))
        };
        let (all, left_out) = fitted(82);
        assert!(left_out.is_empty() && all.render(Style::plain()).contains("calls"));
        let (some, left_out) = fitted(75);
        assert_eq!(left_out, ["calls"]);
        let text = some.render(Style::plain());
        assert!(text.contains("rtt") && !text.contains("calls"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 75), "{text}");
        // What was asked for stays, whatever the width.
        let (few, left_out) = fitted(5);
        assert_eq!(left_out, ["calls", "rtt", "wire bytes"]);
        assert!(few.render(Style::plain()).contains("conns"));
    }

    #[test]
    fn numbers_that_have_names_show_them() {
        let name = |dimension, number| shown(dimension, &Key::Number(number));
        assert_eq!(name(Dimension::Protocol, 6), "tcp");
        assert_eq!(name(Dimension::Protocol, 0), "-");
        assert_eq!(name(Dimension::Protocol, 253), "253");
        assert_eq!(name(Dimension::Family, 10), "inet6");
        assert_eq!(name(Dimension::Family, 99), "99");
        assert_eq!(name(Dimension::Hour, 3_600), "1970-01-01T01:00:00Z");
        assert_eq!(name(Dimension::Pid, 3_600), "3600");
    }
}
