//! Every kind of traffic that the testkit makes, watched by one daemon: exact per process.

use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use anyhow::anyhow;
use femtosnitch_testkit::Report;
use femtosnitch_testkit::traffic::KINDS;

use crate::expect;
use crate::root::Root;
use crate::runner::Outcome;
use crate::runner::Tally;
use crate::world::World;

/// One kind that was run: its name in the output, its mark, how long it took, what it said.
type Ran = (String, String, Duration, Result<Report>);

/// Names of these scenarios.
pub(crate) fn names() -> impl Iterator<Item = String> {
    KINDS.iter().map(|kind| format!("traffic/{}", kind.name))
}

/// Runs the chosen kinds against one daemon, then compares each.
pub(crate) fn run(world: &World, chosen: &dyn Fn(&str) -> bool, tally: &mut Tally) {
    let names: Vec<_> = names().filter(|name| chosen(name)).collect();
    if names.is_empty() {
        return;
    }
    match watched(world, &names) {
        Ok((root, ran)) => {
            for (name, mark, took, report) in ran {
                let outcome = report.and_then(|report| expect::exactly(&root, &mark, &report));
                tally.record(&name, took, outcome.map(|()| Outcome::Passed));
            }
        }
        Err(error) => {
            let why = format!("{error:#}");
            for name in names {
                tally.record(&name, Duration::ZERO, Err(anyhow!("{why}")));
            }
        }
    }
}

fn watched<'a>(world: &'a World, names: &[String]) -> Result<(Root<'a>, Vec<Ran>)> {
    let root = Root::new(world)?;
    let daemon = root.start()?;
    let mut ran = Vec::new();
    for name in names {
        let kind = name.trim_start_matches("traffic/");
        let (mark, start) = (world.mark(kind), Instant::now());
        let report = world.traffic(kind, &mark);
        ran.push((name.clone(), mark, start.elapsed(), report));
    }
    daemon.stop()?;
    Ok((root, ran))
}
