//! What is asked: each question once, with the spans of time and filters that people use.

use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use femtosnitch_store::Bucket;
use femtosnitch_store::Cancel;
use femtosnitch_store::Dimension;
use femtosnitch_store::Filter;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::StoreError;
use serde::Deserialize;
use serde::Serialize;

use crate::generator::Landmarks;
use crate::generator::Shape;
use crate::reference;

/// Lines of a table on a screen.
const LIMIT: usize = 100;
/// Values to choose from.
const PICKED: usize = 200;
/// Lines of each side of a thing.
const SIDES: usize = 25;
/// From which sides a thing is seen.
const FROM: [&str; 11] = [
    "name",
    "cmdline",
    "pexe",
    "uid",
    "unit",
    "container",
    "domain",
    "raddr",
    "country",
    "rport",
    "outcome",
];
/// Lengths of the spans, which end where the history does.
pub(crate) const SPANS: [(&str, i64); 4] =
    [("1 h", 3_600), ("1 d", 86_400), ("7 d", 7 * 86_400), ("30 d", 30 * 86_400)];

/// Who is asked, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Nobody: what a process takes that only opens the history.
    Idle,
    /// femtosnitch: sums by one or two dimensions, the largest first.
    Table,
    /// femtosnitch: the same, with what the others amount to and how all went over time.
    Report,
    /// femtosnitch: values that begin with a text, or all, to choose from.
    Picker,
    /// femtosnitch: what a thing is made of, by each dimension apart, and over time.
    Detail,
    /// The reference: the same, as its SQL has it, and in up to 300 buckets of time.
    ReferenceSeries,
    /// The reference: the same without buckets.
    ReferenceTable,
    /// The reference: all values of a dimension.
    ReferencePicker,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Question {
    /// Of what kind.
    pub kind: Kind,
    /// Names of dimensions.
    pub by: Vec<String>,
    /// As the command line takes them.
    pub filters: Vec<String>,
    /// What values begin with.
    pub prefix: String,
    /// From this unix second on.
    pub since: i64,
    /// Up to, but not including, this one.
    pub until: i64,
    /// What `since` and `until` are, in words.
    pub span: String,
}

impl Question {
    fn new(kind: Kind, by: &[&str], filters: &[&str], shape: &Shape, span: (&str, i64)) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let (by, filters) = (owned(by), owned(filters));
        let until = shape.until();
        let prefix = String::new();
        Self { kind, by, filters, prefix, since: until - span.1, until, span: span.0.to_owned() }
    }

    /// In words, without the span.
    #[must_use]
    pub fn title(&self) -> String {
        if self.kind == Kind::Detail {
            return self.filters.join(", ");
        }
        let mut title = self.by.join(" × ");
        if !self.prefix.is_empty() {
            title = format!("{title} `{}…`", self.prefix);
        }
        for filter in &self.filters {
            title = format!("{title}, {filter}");
        }
        title
    }

    /// What nobody is asked.
    #[must_use]
    pub fn idle(shape: &Shape) -> Self {
        Self::new(Kind::Idle, &[], &[], shape, ("", 0))
    }

    /// Asks `database` as often as the result is called, which tells how many answers came.
    ///
    /// # Errors
    /// If the database cannot be opened or the question not be understood.
    pub fn asker(&self, database: &Path) -> Result<Box<dyn FnMut() -> Result<usize>>> {
        match self.kind {
            Kind::Idle | Kind::Table | Kind::Report | Kind::Picker | Kind::Detail => {
                let reader = Reader::open(database)?;
                let (kind, query, prefix) = (self.kind, self.query()?, self.prefix.clone());
                Ok(Box::new(move || Ok(answers(&reader, kind, &query, &prefix)?)))
            }
            Kind::ReferenceSeries | Kind::ReferenceTable | Kind::ReferencePicker => {
                reference::asker(database, self)
            }
        }
    }

    fn query(&self) -> Result<Query> {
        let by = self.by.iter().map(|name| name.parse::<Dimension>());
        let filters = self.filters.iter().map(|text| text.parse::<Filter>());
        Ok(Query {
            since: Some(self.since),
            until: Some(self.until),
            by: by.collect::<Result<_, _>>().context("no dimension")?,
            filters: filters.collect::<Result<_, _>>().context("no filter")?,
            limit: Some(match self.kind {
                Kind::Picker => PICKED,
                Kind::Detail => SIDES,
                _ => LIMIT,
            }),
        })
    }
}

/// Asks once; tells how many answers came.
fn answers(reader: &Reader, kind: Kind, query: &Query, prefix: &str) -> Result<usize, StoreError> {
    let cancel = Cancel::default();
    let bucket = matches!(kind, Kind::Report | Kind::Detail).then_some(Bucket::Auto { offset: 0 });
    match (kind, query.by.first()) {
        (Kind::Table | Kind::Report, _) => {
            Ok(reader.report(query, bucket, &NoUsers, &cancel)?.answers.len())
        }
        (Kind::Picker, Some(by)) => {
            Ok(reader.distinct((*by, prefix), query, &NoUsers, &cancel)?.answers.len())
        }
        (Kind::Detail, _) => {
            let detail = reader.detail(query, bucket, &NoUsers, &cancel)?;
            Ok(detail.breakdowns.iter().map(|it| it.answers.len()).sum())
        }
        _ => Ok(0),
    }
}

/// A part of the results.
#[derive(Debug)]
pub struct Section {
    /// Heading.
    pub title: &'static str,
    /// Median milliseconds to stay below.
    pub target_ms: f64,
    /// What is asked.
    pub questions: Vec<Question>,
}

/// All questions to femtosnitch's history.
#[must_use]
pub fn sections(shape: &Shape, marks: &Landmarks) -> Vec<Section> {
    let all = |by: &[&str], filters: &[&str]| {
        SPANS.map(|span| Question::new(Kind::Report, by, filters, shape, span))
    };
    let choose = |by: &str, prefix: &str| {
        let ask = |span| Question::new(Kind::Picker, &[by], &[], shape, span);
        SPANS.map(|span| Question { prefix: prefix.to_owned(), ..ask(span) })
    };
    let detail =
        |thing: &str| SPANS.map(|span| Question::new(Kind::Detail, &FROM, &[thing], shape, span));
    let picked = [
        ("exe", ""),
        ("name", "tool"),
        ("unit", ""),
        ("country", ""),
        ("domain", ""),
        ("domain", "cdn."),
        ("raddr", ""),
        ("raddr", "25."),
        ("rport", ""),
    ];
    let exe = format!("exe={}", marks.exe);
    let domain = format!("domain={}", marks.domain);
    let things = [exe.clone(), domain.clone(), format!("raddr={}", marks.addr)];
    let network = format!("raddr={}", marks.network);
    let filtered = [
        ("domain", exe.as_str()),
        ("raddr", exe.as_str()),
        ("exe", domain.as_str()),
        ("exe", "rport=443"),
        ("domain", network.as_str()),
        ("exe", "uid=1000"),
        ("domain", "country=DE"),
    ];
    let pairs = [["exe", "raddr"], ["exe", "domain"], ["domain", "country"], ["name", "rport"]];
    vec![
        Section {
            title: "By one dimension",
            target_ms: if shape.rows > 10_000_000 { 100.0 } else { 60.0 },
            questions: Dimension::all().flat_map(|by| all(&[by.name()], &[])).collect(),
        },
        Section {
            title: "By one dimension, with a filter",
            target_ms: 200.0,
            questions: filtered.iter().flat_map(|(by, filter)| all(&[by], &[filter])).collect(),
        },
        Section {
            title: "By two dimensions",
            target_ms: 300.0,
            questions: pairs.iter().flat_map(|by| all(by, &[])).collect(),
        },
        Section {
            title: "Values to choose from",
            target_ms: 30.0,
            questions: picked.iter().flat_map(|(by, prefix)| choose(by, prefix)).collect(),
        },
        Section {
            title: "One thing from eleven sides",
            target_ms: 150.0,
            questions: things.iter().flat_map(|thing| detail(thing)).collect(),
        },
    ]
}

/// What somebody asks again and again while the history is written.
pub(crate) fn usual(shape: &Shape) -> Question {
    Question::new(Kind::Report, &["exe"], &[], shape, ("1 d", 86_400))
}

/// Questions to the reference, each with the one to femtosnitch that it is compared with.
#[must_use]
pub fn compared(shape: &Shape, marks: &Landmarks) -> Vec<(Question, Question)> {
    let exe = format!("exe={}", marks.exe);
    let mut pairs = Vec::new();
    for span in SPANS {
        let mut pair = |kind: Kind, by: &str, filters: &[&str]| {
            let theirs = Question::new(kind, &[by], filters, shape, span);
            let same = match kind {
                Kind::ReferenceSeries => Kind::Report,
                Kind::ReferencePicker => Kind::Picker,
                _ => Kind::Table,
            };
            pairs.push((theirs, Question::new(same, &[by], filters, shape, span)));
        };
        pair(Kind::ReferenceTable, "exe", &[]);
        pair(Kind::ReferenceTable, "domain", &[]);
        pair(Kind::ReferenceTable, "raddr", &[]);
        pair(Kind::ReferenceTable, "domain", &[&exe]);
        pair(Kind::ReferenceSeries, "exe", &[]);
        if span.1 == shape.until() - shape.since {
            pair(Kind::ReferencePicker, "domain", &[]);
        }
    }
    pairs
}
