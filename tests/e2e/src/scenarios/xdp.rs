//! AF_XDP sockets: their bytes cannot be known, that they exist has to be.

use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::UNSUPPORTED;
use femtosnitch_testkit::traffic::Rings;
use serde_json::Value;

use crate::expect;
use crate::expect::Row;
use crate::helpers::Talker;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

/// `AF_XDP`.
const FAMILY: u64 = 44;
/// What tells of such a socket at once.
const HOOK: &str = "fs_xdp_bind";

/// One that sends.
pub(super) fn sender(world: &World) -> Result<Outcome> {
    let Some(why) = absent(world)? else {
        let (root, mark) = (Root::new(world)?, world.mark("xdp"));
        let daemon = root.start()?;
        let (rings, talker) = open(world, &mark, 40)?;
        ensure!((rings.frames, rings.bytes) == (40, 8000), "not what was asked for: {rings:?}");
        talker.close()?;
        daemon.stop()?;
        named(&root, &mark, &rings)?;
        let rows = root.query("cmdline,family")?;
        let calls = expect::marked(&rows, &mark).iter().map(|row| Row(row).number("events")).sum();
        // Each frame was announced by a call at least; a call says nothing of bytes.
        let calls: u64 = calls;
        ensure!(calls >= rings.frames, "{calls} calls for {} frames", rings.frames);
        return Ok(Outcome::Passed);
    };
    Ok(Outcome::Skipped(why))
}

/// One that was there before the daemon and makes no call.
pub(super) fn older(world: &World) -> Result<Outcome> {
    let Some(why) = absent(world)? else {
        let (root, mark) = (Root::new(world)?, world.mark("xdp-older"));
        let (rings, talker) = open(world, &mark, 0)?;
        let daemon = root.start()?;
        daemon.stop()?;
        talker.close()?;
        named(&root, &mark, &rings)?;
        return Ok(Outcome::Passed);
    };
    Ok(Outcome::Skipped(why))
}

/// One that is opened while the daemon runs and makes no call: told of by a hook, or found by
/// looking.
pub(super) fn silent(world: &World) -> Result<Outcome> {
    let Some(why) = absent(world)? else {
        let (root, mark) = (Root::new(world)?, world.mark("xdp-silent"));
        let daemon = root.start()?;
        let hooked = root.attached()?.iter().any(|hook| hook == HOOK);
        let (rings, talker) = open(world, &mark, 0)?;
        if hooked {
            // However short its life.
            talker.close()?;
            daemon.stop()?;
        } else {
            command::until("a look at all sockets", world.patience(15), || {
                Ok(!expect::marked(&root.query("cmdline")?, &mark).is_empty())
            })?;
            daemon.stop()?;
            talker.close()?;
        }
        named(&root, &mark, &rings)?;
        return Ok(Outcome::Passed);
    };
    Ok(Outcome::Skipped(why))
}

/// Why there are no such sockets here, if there are none.
fn absent(world: &World) -> Result<Option<String>> {
    if world.skip_namespaces {
        return Ok(Some("asked to skip network namespaces".to_owned()));
    }
    let probe = world.testkit(&["xdp", "--tag", "probe"]);
    let done = command::run(probe, world.patience(20))?;
    if done.status.code() == Some(UNSUPPORTED.into()) {
        return Ok(Some(done.stderr.trim().to_owned()));
    }
    ensure!(done.status.success(), "traffic generator: {}", done.stderr.trim());
    Ok(None)
}

/// A process with a bound socket that has sent so many frames.
fn open(world: &World, mark: &str, frames: u64) -> Result<(Rings, Talker)> {
    let frames = frames.to_string();
    let mut talker = Talker::start(world.testkit(&["xdp", "--tag", mark, "--frames", &frames]))?;
    let rings = talker.read()?;
    // Long enough to be looked at.
    std::thread::sleep(Duration::from_millis(500));
    Ok((rings, talker))
}

/// History names the executable of one socket and claims to know nothing of its bytes.
fn named(root: &Root<'_>, mark: &str, rings: &Rings) -> Result<()> {
    let rows = root.query("cmdline,exe,sha256,family,protocol,netns,uid,direction")?;
    let rows = expect::marked(&rows, mark);
    let row = rows.first().with_context(|| format!("no row of {mark}"))?;
    ensure!(rows.len() == 1, "one socket: {rows:#?}");
    expect::identities(&rows, &root.world.testkit, &root.world.testkit_sha256)?;
    let it = Row(row);
    ensure!(it.number("family") == FAMILY && it.number("netns") == rings.netns, "{row}");
    ensure!(it.number("connections") == 1 && it.text("direction").is_empty(), "{row}");
    let wire = [row.get("wire_send"), row.get("wire_recv")];
    ensure!(it.bytes() == (0, 0) && wire == [Some(&Value::Null); 2], "claims bytes: {row}");
    Ok(())
}
