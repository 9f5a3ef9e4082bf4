//! One question in a process of its own, so that its memory is its own.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use serde::Deserialize;
use serde::Serialize;

use crate::questions::Question;
use crate::statistics::milliseconds;
use crate::statistics::processor;

/// How often a question is asked.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// Times that count, at most.
    pub most: u32,
    /// No further round begins once they have taken this long together.
    pub patience: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Of the first round, which does not count: nothing is known yet.
    pub first_ms: f64,
    /// Of each round that counts.
    pub times_ms: Vec<f64>,
    /// Processor time of the same rounds: what others do on the machine shows less in it.
    pub processor_ms: Vec<f64>,
    /// Lines of the answer.
    pub answers: usize,
    /// The most memory that the process had (`VmHWM`).
    pub peak_kib: u64,
}

/// Who is sent to ask: this program.
#[derive(Debug, Clone)]
pub struct Messenger {
    /// Its path.
    pub program: PathBuf,
    /// How often each asks.
    pub rounds: Rounds,
}

impl Messenger {
    /// Sends somebody to `database`.
    ///
    /// # Errors
    /// If the child fails.
    pub fn ask(&self, database: &Path, question: &Question) -> Result<Measured> {
        let mut command = Command::new(&self.program);
        command.arg("ask").arg(database).arg(serde_json::to_string(question)?);
        command.arg("--rounds").arg(self.rounds.most.to_string());
        command.arg("--patience").arg(self.rounds.patience.as_secs().to_string());
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot start {}", self.program.display()))?;
        ensure!(output.status.success(), "`{}` was not answered", question.title());
        serde_json::from_slice(&output.stdout).context("a child said something else than JSON")
    }
}

/// Asks in this process.
///
/// # Errors
/// If the question cannot be understood or answered.
pub fn here(database: &Path, question: &Question, rounds: Rounds) -> Result<Measured> {
    let mut ask = question.asker(database)?;
    let begun = Instant::now();
    let mut measured = Measured { answers: ask()?, ..Measured::default() };
    measured.first_ms = milliseconds(begun.elapsed());
    let begun = Instant::now();
    for round in 0..rounds.most {
        if round > 0 && begun.elapsed() >= rounds.patience {
            break;
        }
        let (start, worked) = (Instant::now(), processor());
        ask()?;
        measured.times_ms.push(milliseconds(start.elapsed()));
        measured.processor_ms.push(milliseconds(processor().saturating_sub(worked)));
    }
    measured.peak_kib = peak_kib()?;
    Ok(measured)
}

fn peak_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.context("/proc/self/status does not tell the most memory used")
}
