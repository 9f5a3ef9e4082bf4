//! All measurements of one run.

use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use serde::Serialize;

use crate::ask::Measured;
use crate::ask::Messenger;
use crate::generator::Generator;
use crate::generator::Shape;
use crate::load;
use crate::load::Files;
use crate::load::Loaded;
use crate::load::Size;
use crate::load::beside;
use crate::load::clear;
use crate::load::copied;
use crate::purging;
use crate::purging::Purging;
use crate::questions;
use crate::questions::Question;
use crate::reference;
use crate::writing;
use crate::writing::Writing;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How much history.
    pub shape: Shape,
    /// Where the databases are, or are put.
    pub directory: PathBuf,
    /// Also ask a database with picosnitch's schema.
    pub reference: bool,
    /// Asks one question in so many; 1 for all.
    pub every: usize,
    /// Rows of a step of retention.
    pub step_rows: usize,
    /// Who asks.
    pub messenger: Messenger,
}

/// A question and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The question.
    pub question: Question,
    /// Its times and memory.
    pub measured: Measured,
}

/// A part of the results.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// Heading.
    pub title: &'static str,
    /// Median milliseconds to stay below.
    pub target_ms: f64,
    /// Each question.
    pub lines: Vec<Line>,
}

/// A question to the reference, and the same one to femtosnitch.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// The reference.
    pub theirs: Line,
    /// femtosnitch.
    pub ours: Line,
}

/// Everything.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// Rows, bytes sent and received: the same in both databases.
    pub totals: (u64, u64, u64),
    /// How writing femtosnitch's database went.
    pub loaded: Loaded,
    /// … and the reference's, in few large transactions and without syncing.
    pub reference_loaded: Option<Loaded>,
    /// Of femtosnitch's database.
    pub size: Size,
    /// Of the reference's.
    pub reference_size: Option<Size>,
    /// Memory of a process that asks nothing, KiB.
    pub idle_kib: u64,
    /// Questions to femtosnitch.
    pub parts: Vec<Part>,
    /// Questions to both.
    pub compared: Vec<Compared>,
    /// Writing into the large database.
    pub writing: Writing,
    /// Forgetting most of it.
    pub purging: Purging,
}

/// Measures; `tell` is told what is done at the moment.
///
/// # Errors
/// If a database cannot be written or asked, or both do not agree.
pub fn run(plan: &Plan, tell: &dyn Fn(&str)) -> Result<Results> {
    let Plan { shape, messenger, .. } = plan;
    std::fs::create_dir_all(&plan.directory)
        .with_context(|| format!("cannot create {}", plan.directory.display()))?;
    let files = Files::new(&plan.directory);
    tell(&format!("writing {} rows", shape.rows));
    let (loaded, reference_loaded) = files.load(*shape, plan.reference)?;
    let totals = load::totals(&files.ours)?;
    if plan.reference {
        let theirs = reference::totals(&files.reference)?;
        ensure!(theirs == totals, "the databases differ: {totals:?} and {theirs:?}");
    }
    let size = load::size(&files.ours)?;
    let reference_size = if plan.reference { Some(load::size(&files.reference)?) } else { None };
    let marks = Generator::new(Shape { rows: 0, batches: 0, ..*shape }).landmarks();
    let idle_kib = messenger.ask(&files.ours, &Question::idle(shape))?.peak_kib;
    let ask = |database, question: Question| -> Result<Line> {
        let measured = messenger.ask(database, &question)?;
        Ok(Line { question, measured })
    };
    let mut parts = Vec::new();
    for section in questions::sections(shape, &marks) {
        tell(section.title);
        let chosen = section.questions.into_iter().step_by(plan.every.max(1));
        let lines = chosen.map(|it| ask(&files.ours, it));
        let lines = lines.collect::<Result<_>>()?;
        parts.push(Part { title: section.title, target_ms: section.target_ms, lines });
    }
    let mut compared = Vec::new();
    if plan.reference {
        for (theirs, ours) in
            questions::compared(shape, &marks).into_iter().step_by(plan.every.max(1))
        {
            tell(&format!("the reference: {}, {}", theirs.title(), theirs.span));
            let theirs = ask(&files.reference, theirs)?;
            compared.push(Compared { theirs, ours: ask(&files.ours, ours)? });
        }
    }
    // What follows changes the history.
    let changing = beside(&files.ours, ".changing");
    tell("writing into it");
    copied(&files.ours, &changing)?;
    let writing = writing::measure(&changing, *shape, &questions::usual(shape))?;
    tell("forgetting most of it");
    copied(&files.ours, &changing)?;
    let purging = purging::measure(&changing, *shape, plan.step_rows)?;
    clear(&changing)?;
    Ok(Results {
        totals,
        loaded,
        reference_loaded,
        size,
        reference_size,
        idle_kib,
        parts,
        compared,
        writing,
        purging,
    })
}
