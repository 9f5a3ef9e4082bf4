//! The columns of an export: their names, what is in them, and in which order they come.

use std::borrow::Cow;

use femtosnitch_store::ExportRow;
use jiff::Timestamp;

/// What is in a column.
#[derive(Debug, Clone, Copy)]
enum Get {
    /// A time as RFC 3339 has it, in UTC.
    Time,
    /// A number.
    Number(fn(&ExportRow) -> u64),
    /// A number that may be negative.
    Signed(fn(&ExportRow) -> i64),
    /// A number where it is known.
    Known(fn(&ExportRow) -> Option<u64>),
    /// A text, '' for none.
    Text(fn(&ExportRow) -> &str),
    /// The remote name as `org.example.www`.
    Reversed,
}

/// Of what kind a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Time,
    Number,
    /// A number that some rows lack.
    Optional,
    Text,
}

/// What a row has in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Unix seconds.
    Time(i64),
    Number(i64),
    Nothing,
    Text(Cow<'a, str>),
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    get: Get,
}

impl Column {
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "Parquet alone asks"))]
    pub(super) fn kind(self) -> Kind {
        match self.get {
            Get::Time => Kind::Time,
            Get::Number(_) | Get::Signed(_) => Kind::Number,
            Get::Known(_) => Kind::Optional,
            Get::Text(_) | Get::Reversed => Kind::Text,
        }
    }

    pub(super) fn of(self, row: &ExportRow) -> Value<'_> {
        // The history holds no larger ones.
        let fit = |number: u64| Value::Number(i64::try_from(number).unwrap_or(i64::MAX));
        match self.get {
            Get::Time => Value::Time(row.contime),
            Get::Number(get) => fit(get(row)),
            Get::Signed(get) => Value::Number(get(row)),
            Get::Known(get) => get(row).map_or(Value::Nothing, fit),
            Get::Text(get) => Value::Text(get(row).into()),
            Get::Reversed => Value::Text(reversed(&row.domain).into()),
        }
    }
}

const fn text(name: &'static str, get: fn(&ExportRow) -> &str) -> Column {
    Column { name, get: Get::Text(get) }
}

const fn number(name: &'static str, get: fn(&ExportRow) -> u64) -> Column {
    Column { name, get: Get::Number(get) }
}

const fn known(name: &'static str, get: fn(&ExportRow) -> Option<u64>) -> Column {
    Column { name, get: Get::Known(get) }
}

/// All there are. New ones come at the end: whoever counts columns keeps counting right.
const ALL: &[Column] = &[
    Column { name: "time", get: Get::Time },
    Column { name: "contime", get: Get::Signed(|row| row.contime) },
    number("send", |row| row.send),
    number("recv", |row| row.recv),
    known("wire_send", |row| row.wire_send),
    known("wire_recv", |row| row.wire_recv),
    number("events", |row| row.events),
    text("direction", |row| row.direction),
    number("begun", |row| row.begun),
    number("ended", |row| row.ended),
    number("failed", |row| row.failed),
    number("error", |row| row.error),
    known("rtt_us", |row| row.rtt_us),
    number("retrans", |row| row.retrans),
    text("exe", |row| &row.exe.exe),
    text("name", |row| &row.exe.name),
    text("cmdline", |row| &row.exe.cmdline),
    text("sha256", |row| &row.exe.sha256),
    text("pexe", |row| &row.parent.exe),
    text("pname", |row| &row.parent.name),
    text("pcmdline", |row| &row.parent.cmdline),
    text("psha256", |row| &row.parent.sha256),
    text("gpexe", |row| &row.grandparent.exe),
    text("gpname", |row| &row.grandparent.name),
    text("gpcmdline", |row| &row.grandparent.cmdline),
    text("gpsha256", |row| &row.grandparent.sha256),
    number("uid", |row| row.uid.into()),
    text("user", |row| &row.user),
    text("login", |row| &row.login),
    number("pid", |row| row.pid.into()),
    text("container", |row| &row.container.id),
    text("ctname", |row| &row.container.name),
    text("image", |row| &row.container.image),
    text("pod", |row| &row.container.pod),
    text("unit", |row| &row.unit),
    text("app", |row| &row.app),
    text("script", |row| &row.script),
    text("package", |row| &row.package),
    text("state", |row| &row.state),
    text("domain", |row| &row.domain),
    text("namesource", |row| row.name_source),
    text("raddr", |row| &row.raddr),
    number("rport", |row| row.rport.into()),
    text("country", |row| &row.location.country),
    known("asn", |row| Some(row.location.asn.into()).filter(|&asn| asn != 0)),
    text("org", |row| &row.location.org),
    text("laddr", |row| &row.laddr),
    number("lport", |row| row.lport.into()),
    number("protocol", |row| row.protocol.into()),
    number("family", |row| row.family.into()),
    number("netns", |row| row.netns.into()),
];

/// Columns in the order in which they are written.
#[derive(Debug, Clone)]
pub struct Columns(Vec<Column>);

/// There is no such column, or it was named before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownColumn {
    /// No such column.
    #[error("`{0}` is not a column; choose from {list}", list = Columns::names().join(", "))]
    Unknown(String),
    /// Once is enough.
    #[error("the column `{0}` is named twice; name it once")]
    Twice(String),
}

impl Columns {
    /// Every one.
    #[must_use]
    pub fn all() -> Self {
        Self(ALL.to_vec())
    }

    /// Those with these names, in that order.
    ///
    /// # Errors
    /// If there is no column of some name, or if one is named twice.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownColumn> {
        let mut columns: Vec<Column> = Vec::new();
        for name in names {
            let column = ALL.iter().find(|column| column.name == name);
            let column = *column.ok_or_else(|| UnknownColumn::Unknown(name.to_owned()))?;
            if columns.iter().any(|known| known.name == name) {
                return Err(UnknownColumn::Twice(name.to_owned()));
            }
            columns.push(column);
        }
        Ok(Self(columns))
    }

    /// The names of all there are.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        ALL.iter().map(|column| column.name).collect()
    }

    /// The same with remote names as `org.example.www`, by which they sort.
    #[must_use]
    pub fn with_reversed_names(mut self) -> Self {
        let names = self.0.iter_mut().filter(|column| column.name == "domain");
        names.for_each(|column| column.get = Get::Reversed);
        self
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Column> {
        self.0.iter().copied()
    }
}

fn reversed(name: &str) -> String {
    let mut labels: Vec<&str> = name.split('.').collect();
    labels.reverse();
    labels.join(".")
}

/// `2026-01-31T18:00:00Z`; the nearest there is of times that no calendar has.
pub(super) fn rfc3339(second: i64) -> String {
    let bounds = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let time = Timestamp::from_second(second.clamp(bounds.0, bounds.1));
    time.map_or_else(|_| String::new(), |time| time.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use femtosnitch_model::Location;
    use femtosnitch_store::ExportExe;

    /// A row with something to watch out for in its texts.
    pub(in crate::export) fn example() -> ExportRow {
        let exe = ExportExe {
            exe: "/bin/a,\"b\"".to_owned(),
            name: "=1+1".to_owned(),
            cmdline: "a\r\nb\u{1b}[2J\u{202e}".to_owned(),
            sha256: "(pending)".to_owned(),
        };
        ExportRow {
            contime: 1_769_882_400,
            send: u64::MAX,
            wire_recv: Some(0),
            exe: exe.into(),
            domain: "www.example.org".into(),
            location: Location { asn: 64_496, ..Location::default() },
            ..ExportRow::default()
        }
    }

    #[test]
    fn columns_are_chosen_by_name_and_once() {
        let chosen = Columns::named(["rport", "exe"]).unwrap();
        assert_eq!(chosen.iter().map(|it| it.name).collect::<Vec<_>>(), ["rport", "exe"]);
        let unknown = Columns::named(["exe", "port"]).unwrap_err().to_string();
        assert!(unknown.contains("`port`") && unknown.contains("rport"), "{unknown}");
        assert_eq!(Columns::named(["a"; 0]).unwrap().iter().count(), 0);
        let twice = Columns::named(["exe", "exe"]).unwrap_err();
        assert_eq!(twice, UnknownColumn::Twice("exe".to_owned()));
        let all = Columns::names();
        assert!(Columns::named(all.iter().copied()).is_ok(), "no name is given twice");
    }

    #[test]
    fn what_is_not_known_is_nothing() {
        let of = |name: &str, row: &ExportRow| -> String {
            format!("{:?}", Columns::named([name]).unwrap().0[0].of(row))
        };
        let (some, none) = (example(), ExportRow::default());
        assert_eq!(of("asn", &some), "Number(64496)");
        assert_eq!(of("asn", &none), "Nothing");
        assert_eq!(of("wire_recv", &some), "Number(0)");
        assert_eq!(of("wire_send", &some), "Nothing");
        assert_eq!(of("send", &some), format!("Number({})", i64::MAX));
    }

    #[test]
    fn names_can_be_turned_round() {
        let columns = Columns::named(["domain"]).unwrap();
        let value = |columns: &Columns| match columns.0[0].of(&example()) {
            Value::Text(text) => text.into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(value(&columns), "www.example.org");
        assert_eq!(value(&columns.with_reversed_names()), "org.example.www");
    }

    #[test]
    fn times_beyond_any_calendar_are_times_still() {
        assert_eq!(rfc3339(1_769_882_400), "2026-01-31T18:00:00Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert!(
            rfc3339(i64::MAX).starts_with("9999-") && rfc3339(i64::MIN).starts_with("-009999-")
        );
    }
}
