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
use serde::Deserialize;
use serde::Serialize;

use crate::generator::Landmarks;
use crate::generator::Shape;
use crate::reference;

/// Lines of a table on a screen.
const LIMIT: usize = 100;
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
        Self { kind, by, filters, since: until - span.1, until, span: span.0.to_owned() }
    }

    /// In words, without the span.
    #[must_use]
    pub fn title(&self) -> String {
        let by = self.by.join(" × ");
        if self.filters.is_empty() { by } else { format!("{by}, {}", self.filters.join(", ")) }
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
            Kind::Idle | Kind::Table | Kind::Report => {
                let reader = Reader::open(database)?;
                let (kind, query) = (self.kind, self.query()?);
                Ok(Box::new(move || {
                    let bucket = (kind == Kind::Report).then_some(Bucket::Auto);
                    if kind == Kind::Idle {
                        return Ok(0);
                    }
                    let report = reader.report(&query, bucket, &NoUsers, &Cancel::default())?;
                    Ok(report.answers.len())
                }))
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
            limit: Some(LIMIT),
        })
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
    let exe = format!("exe={}", marks.exe);
    let domain = format!("domain={}", marks.domain);
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
            let same = if kind == Kind::ReferenceSeries { Kind::Report } else { Kind::Table };
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
