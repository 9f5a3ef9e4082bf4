//! Every kind of traffic that the testkit makes, watched by one daemon: exact per process.

use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use anyhow::anyhow;
use femtosnitch_testkit::Error;
use femtosnitch_testkit::Report;
use femtosnitch_testkit::traffic::KINDS;

use crate::expect;
use crate::root::Root;
use crate::runner::Outcome;
use crate::runner::Tally;
use crate::world::World;

/// A kind that femtosnitch does not get right yet.
struct Known {
    kind: &'static str,
    /// What is wrong.
    why: &'static str,
    /// In the first line of what the comparison says of it: anything else is a failure.
    says: &'static str,
    /// With this hook (a program of the BPF object) it is right.
    mended_by: &'static str,
}

/// Whoever repairs one of these removes it: it fails for passing.
const KNOWN: &[Known] = &[
    Known {
        kind: "udp-recv-plain",
        why: "recv(2) without an address: bytes are right, the senders are not known here",
        says: "server 127.0.0.1:",
        mended_by: "fs_received",
    },
    Known {
        kind: "udp-mapped-unconnected",
        why: "bytes and peers are right, the local address that was used is not known",
        says: "client 127.0.0.1:",
        mended_by: "fs_sent4",
    },
    Known {
        kind: "udp-v4-on-v6",
        why: "bytes and peers are right, the local address that was used is not known",
        says: "client 127.0.0.1:",
        mended_by: "fs_sent4",
    },
];

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
        Ok((root, hooks, ran)) => {
            for (name, mark, took, report) in ran {
                let outcome = report.map(|report| expect::exactly(&root, &mark, &report));
                tally.record(&name, took, judge(&name, &hooks, outcome));
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

/// What a kind's traffic and the comparison of it come to.
fn judge(name: &str, hooks: &[String], compared: Result<Result<()>>) -> Result<Outcome> {
    let attached = |hook: &str| hooks.iter().any(|attached| attached == hook);
    let known = KNOWN.iter().find(|known| name == format!("traffic/{}", known.kind));
    let known = known.filter(|known| !attached(known.mended_by));
    match (compared, known) {
        (Err(error), _) => match error.downcast_ref::<Error>() {
            Some(Error::Unsupported(why)) => Ok(Outcome::Skipped(why.clone())),
            _ => Err(error),
        },
        (Ok(Ok(())), None) => Ok(Outcome::Passed),
        (Ok(Ok(())), Some(Known { why, .. })) => {
            Err(anyhow!("it passes: take it from the list of what is known to be wrong ({why})"))
        }
        (Ok(Err(error)), None) => Err(error),
        (Ok(Err(error)), Some(known)) => {
            let said = format!("{error:#}");
            match said.lines().next() {
                Some(first) if first.contains(known.says) => {
                    let first: String = first.chars().take(200).collect();
                    Ok(Outcome::Known(format!("{} ({first})", known.why)))
                }
                _ => Err(error.context(format!("not as known ({})", known.why))),
            }
        }
    }
}

/// The history, the hooks that were attached, and what ran.
type Watched<'a> = (Root<'a>, Vec<String>, Vec<Ran>);

fn watched<'a>(world: &'a World, names: &[String]) -> Result<Watched<'a>> {
    let root = Root::thorough(world)?;
    let daemon = root.start()?;
    let hooks = root.attached()?;
    let mut ran = Vec::new();
    for name in names {
        let kind = name.trim_start_matches("traffic/");
        let (mark, start) = (world.mark(kind), Instant::now());
        let report = world.traffic(kind, &mark);
        ran.push((name.clone(), mark, start.elapsed(), report));
    }
    daemon.stop()?;
    Ok((root, hooks, ran))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_to_be_wrong_is_told_from_what_is_not() {
        let name = "traffic/udp-recv-plain";
        let wrong = |said: &'static str| Ok(Err(anyhow!(said)));
        let as_known = judge(name, &[], wrong("server 127.0.0.1:1 to 127.0.0.1:2 moved nothing"));
        assert!(matches!(as_known, Ok(Outcome::Known(_))));
        assert!(judge(name, &[], wrong("bytes are missing")).is_err());
        assert!(judge(name, &[], Ok(Ok(()))).is_err());
        let mended = ["fs_received".to_owned()];
        assert!(matches!(judge(name, &mended, Ok(Ok(()))), Ok(Outcome::Passed)));
        assert!(judge("traffic/udp4", &[], wrong("server 127.0.0.1:1")).is_err());
        assert!(matches!(judge("traffic/udp4", &[], Ok(Ok(()))), Ok(Outcome::Passed)));
    }

    #[test]
    fn unsupported_is_neither_passed_nor_failed() {
        for name in ["traffic/ktls", "traffic/udp-recv-plain"] {
            let absent = Err(Error::Unsupported("no".to_owned()).into());
            assert!(matches!(judge(name, &[], absent), Ok(Outcome::Skipped(_))));
            assert!(judge(name, &[], Err(anyhow!("generator failed"))).is_err());
        }
    }

    #[test]
    fn only_kinds_that_exist_are_known_to_be_wrong() {
        for known in KNOWN {
            assert!(KINDS.iter().any(|kind| kind.name == known.kind), "{}", known.kind);
        }
    }
}
