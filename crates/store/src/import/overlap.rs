//! Whether rows of a database are in the history although no mark tells of it: of an older copy of
//! one that was taken over.

use std::path::Path;

use rusqlite::Connection;

use super::ImportError;
use super::Picosnitch;
use crate::blocks;
use crate::blocks::Which;
use crate::classify::At;
use crate::classify::Sql;

/// Rows that are looked for, spread over the database.
const SAMPLES: i128 = 8;

/// What a row is looked for by: time, bytes sent and received, calls.
pub(super) type Sample = (i64, i64, i64, i64);

/// Fails if at least half of some rows are there already.
pub(super) fn refuse(
    source: &Picosnitch,
    history: &Connection,
    path: &Path,
) -> Result<(), ImportError> {
    let samples = samples(source)?;
    let mut there = 0;
    for sample in &samples {
        there += usize::from(is_there(history, *sample).at(path)?);
    }
    if there > 0 && there * 2 >= samples.len() {
        return Err(ImportError::Twice { path: source.path().to_owned() });
    }
    Ok(())
}

fn samples(source: &Picosnitch) -> Result<Vec<Sample>, ImportError> {
    let Some((first, last)) = source.ends()? else { return Ok(Vec::new()) };
    let (first, span) = (i128::from(first), i128::from(last) - i128::from(first));
    let mut samples: Vec<Sample> = Vec::new();
    for part in 0..SAMPLES {
        let from = i64::try_from(first + span * part / SAMPLES).unwrap_or(i64::MAX);
        samples.extend(source.sample(from)?.filter(|sample| !samples.contains(sample)));
    }
    Ok(samples)
}

/// No daemon writes rows of no process.
fn is_there(history: &Connection, (time, send, recv, events): Sample) -> Sql<bool> {
    let mut found = false;
    for which in [Which::Waiting, Which::Sealed] {
        blocks::scan(history, (time..time.saturating_add(1), which), |block| {
            block.each(|row| {
                found |= (row.contime, row.send, row.recv, row.events)
                    == (time, send, recv, events)
                    && (row.process, row.pid) == (0, Some(0));
            })
        })?;
    }
    Ok(found)
}
