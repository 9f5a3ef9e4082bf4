//! What others were told: shown where nothing better is known, of whom one may believe.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;

use super::town::HOSTS;
use super::town::Town;
use super::town::watch;
use super::wanted::Name;
use super::wanted::Wanted;
use crate::runner::Outcome;
use crate::world::World;

/// A user that is nobody's here.
const USER: &str = "54321";

/// Who knows an address by heart gets the name that somebody else was told of it: everybody what
/// the system was told, but nobody what some user was, who may have asked a server of their own.
pub(in crate::scenarios) fn neighbours(world: &World) -> Result<Outcome> {
    const RECORDS: [&str; 2] =
        ["--host-record=square.town.test,10.231.77.11", "--host-record=den.town.test,10.231.77.12"];
    watch(world, &RECORDS, |town| {
        let [square, den, ..] = HOSTS;
        // Users cannot reach where the testkit was built.
        let directory = tempfile::Builder::new().prefix("fs-e2e-user-").tempdir()?;
        let everybody = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), everybody).context("opening a directory")?;
        let program = directory.path().join("testkit");
        fs::copy(&town.world.testkit, &program).context("copying the testkit")?;

        let own = Name::Is("square.town.test", &["dns"]);
        let mut all = town.ask("square.town.test", &[], own)?;
        let told = Name::Is("square.town.test", &["host-dns"]);
        let (square, den) = (town.web(square)?.to_string(), town.web(den)?.to_string());
        all.extend(town.run(&["fetch", "--to", &square], told)?);
        all.extend(by_user(town, &program, &["fetch", "--to", &square], told)?);

        let (server, port) = (town.resolver().to_string(), town.port());
        let ask = ["resolve", "--server", &server, "--name", "den.town.test", "--port", &port];
        all.extend(by_user(town, &program, &ask, Name::Is("den.town.test", &["dns"]))?);
        all.extend(town.run(&["fetch", "--to", &den], Name::None)?);
        Ok(all)
    })
}

/// Runs the testkit's `names` as that user.
fn by_user(town: &Town<'_>, program: &Path, args: &[&str], name: Name) -> Result<Vec<Wanted>> {
    let mark = town.world.mark("names");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(program);
    command.args(["names", "--tag", &mark]).args(args);
    town.pair.left.enter(&mut command)?;
    Wanted::reported(&mark, &town.report(command)?, name)
}
