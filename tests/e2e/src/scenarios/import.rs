//! What picosnitch recorded is taken over beside what the daemon records.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use rusqlite::Connection;

use crate::expect;
use crate::helpers::Steps;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// As picosnitch makes it (version 4), as far as it matters here; an hour old.
const HISTORY: &str = "
    CREATE TABLE executables(id INTEGER PRIMARY KEY, exe TEXT, name TEXT, cmdline TEXT, sha256 TEXT);
    CREATE TABLE domains(id INTEGER PRIMARY KEY, domain TEXT);
    CREATE TABLE addresses(id INTEGER PRIMARY KEY, addr TEXT);
    CREATE TABLE connections(contime INTEGER, send INTEGER, recv INTEGER, events INTEGER,
        exe_id INTEGER, pexe_id INTEGER, gpexe_id INTEGER, uid INTEGER, family INTEGER,
        protocol INTEGER, lport INTEGER, rport INTEGER, laddr_id INTEGER, raddr_id INTEGER,
        domain_id INTEGER, netns INTEGER);
    INSERT INTO executables VALUES (0, '', '', '', ''), (1, '/usr/bin/old', 'old', 'old', '');
    INSERT INTO domains VALUES (0, ''), (1, 'org.example.old');
    INSERT INTO addresses VALUES (0, ''), (1, '192.0.2.1'), (2, '198.51.100.7');
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO connections SELECT unixepoch() - 3600 + i / 10, i, 7, 1, 1, 0, 0, 1000, 2, 6, 40000,
        443, 1, 2, 1, 4026531840 FROM n;
    PRAGMA user_version = 4;";
const SENT: u64 = 20_000 * 20_001 / 2;
const RECEIVED: u64 = 7 * 20_000;

/// Refused while the daemon runs, with what to do; once it is stopped, taken over once, and nothing
/// of the daemon's own changes.
pub(super) fn beside_our_own(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("own"));
    let theirs = root.path("var/lib/picosnitch/picosnitch.db");
    std::fs::create_dir_all(theirs.parent().context("a directory")?)?;
    Connection::open(&theirs)?.execute_batch(HISTORY)?;
    let mut steps = Steps::start(world, &mark)?;
    for round in 0..3 {
        let daemon = root.start()?;
        steps.go(10_000 + round, 20_000)?;
        let (code, said) = root.import()?;
        let refused = code == Some(1) && said.contains("stop it");
        ensure!(refused, "with a daemon that runs: {code:?}: {said}");
        daemon.stop()?;
        let (code, said) = root.import()?;
        let taken = if round == 0 { "20,000 rows taken over" } else { "0 rows taken over" };
        ensure!(code == Some(0) && said.contains(taken), "{code:?}: {said}");
    }
    let daemon = root.start()?;
    let report = steps.finish()?;
    daemon.stop()?;
    expect::exactly(&root, &mark, &report)?;
    let rows = root.query("exe,name,domain,raddr,rport")?;
    let old = rows.iter().filter(|row| expect::Row(row).text("exe") == "/usr/bin/old");
    let told = expect::total(old);
    ensure!(told == (SENT, RECEIVED), "{told:?} is not {:?}", (SENT, RECEIVED));
    root.check_integrity()?;
    Ok(Outcome::Passed)
}
