//! Where a program ran, by its cgroup: whose unit, whose container, and who says so.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::tiny::Before;
use serde_json::Value;

use super::cgroups::Cgroup;
use super::cgroups::Hierarchy;
use super::programs::Programs;
use super::programs::Sending;
use crate::expect::Row;
use crate::live::Live;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// As long as a container's id.
fn id() -> String {
    format!("{:0>64x}", u64::from(std::process::id()) | 0xe2e << 32)
}

fn service() -> String {
    format!("fs-e2e-{}.service", std::process::id())
}

/// A service of the system's manager.
pub(super) fn unit(world: &World) -> Result<Outcome> {
    let Some(hierarchy) = Hierarchy::unified()? else {
        return Ok(Outcome::Skipped("no cgroup v2 here".to_owned()));
    };
    in_service(world, &hierarchy)
}

/// The same where only version 1 of the hierarchies knows of it.
pub(super) fn legacy_unit(world: &World) -> Result<Outcome> {
    let Some(hierarchy) = Hierarchy::pids()? else {
        return Ok(Outcome::Skipped(
            "no version 1 hierarchy of the controller pids here".to_owned(),
        ));
    };
    if !Hierarchy::unified_is_root()? {
        return Ok(Outcome::Skipped("these tests run in a cgroup v2 of their own".to_owned()));
    }
    in_service(world, &hierarchy)
}

fn in_service(world: &World, hierarchy: &Hierarchy) -> Result<Outcome> {
    let name = service();
    let told = run_in(world, hierarchy, &format!("system.slice/{name}"))?;
    let row = Row(&told);
    ensure!(row.text("unit") == name && row.text("container").is_empty(), "not in {name}: {told}");
    Ok(Outcome::Passed)
}

/// A container of the system's, and what a user calls one: the latter says whose claim it is.
pub(super) fn lookalike(world: &World) -> Result<Outcome> {
    let Some(hierarchy) = Hierarchy::unified()? else {
        return Ok(Outcome::Skipped("no cgroup v2 here".to_owned()));
    };
    let (id, scope) = (id(), format!("docker-{}.scope", id()));
    let own = run_in(world, &hierarchy, &format!("system.slice/{scope}"))?;
    ensure!(Row(&own).text("container") == id, "the system's own is not {id}: {own}");
    let below = format!("user.slice/user-1000.slice/user@1000.service/{scope}");
    let claimed = run_in(world, &hierarchy, &below)?;
    let row = Row(&claimed);
    ensure!(row.text("container") == format!("user 1000/{id}"), "not a user's claim: {claimed}");
    // The system's own unit around it.
    ensure!(row.text("unit") == "user@1000.service", "another unit: {claimed}");
    ensure!(row.text("app").is_empty(), "an application that nobody claims: {claimed}");
    Ok(Outcome::Passed)
}

/// What the live feed tells of a program in this cgroup; history has the same container.
fn run_in(world: &World, hierarchy: &Hierarchy, below: &str) -> Result<Value> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut live = Live::connect(&root)?;
    let mut programs = Programs::new()?;
    let path = dir.path().join("tool");
    programs.make(&path, Before::Nothing)?;
    let cgroup = Cgroup::make(hierarchy, below)?;
    let mut running = Sending::start(cgroup.inside(&path))?;
    let exe = path.display().to_string();
    let told = live.flow(
        "a program in a cgroup",
        world.patience(10),
        || running.poke(),
        |row| row.text("exe") == exe,
        |_row| true,
    )?;
    let times = running.finish(&root)?;
    drop(cgroup);
    daemon.stop()?;
    programs.expect_as(&exe, &femtosnitch_harness::digest::of_file(&path)?, times);
    programs.compare(&root)?;
    let rows = root.query("exe,container")?;
    let row = rows.iter().map(Row).find(|row| row.text("exe") == exe).context("no row")?;
    let same = row.text("container") == Row(&told).text("container");
    ensure!(same, "history has another container: {} {told}", row.0);
    Ok(told)
}
