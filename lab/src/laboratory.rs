//! Runs everything and tells how it came out.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use femtosnitch_testkit::Report;
use femtosnitch_testkit::UNSUPPORTED;
use serde_json::Value;
use serde_json::json;

use crate::Args;
use crate::comparison;
use crate::comparison::Seen;
use crate::daemon::Daemon;
use crate::document;
use crate::ground::Ground;
use crate::ground::Truth;
use crate::guests;
use crate::interrupt;
use crate::judge;
use crate::judge::BY;
use crate::judge::Program;
use crate::peers;
use crate::scale;
use crate::scoreboard;
use crate::table;
use crate::table::Scenario;
use crate::verdict::Line;
use crate::verdict::Outcome;
use femtosnitch_harness::command;
use femtosnitch_harness::digest;

/// What all scenarios share.
pub(crate) struct Laboratory {
    pub(crate) femtosnitch: PathBuf,
    pub(crate) testkit: PathBuf,
    pub(crate) sha256: String,
    pub(crate) patience: Duration,
}

impl Laboratory {
    fn new(args: &Args) -> Result<Self> {
        let find = |path: &Path| {
            path.canonicalize().with_context(|| format!("cannot find {}", path.display()))
        };
        let testkit = find(&args.testkit)?;
        Ok(Self {
            femtosnitch: find(&args.femtosnitch)?,
            sha256: digest::of_file(&testkit)?,
            testkit,
            patience: Duration::from_secs(args.patience),
        })
    }

    /// The generator, as history has to name it.
    pub(crate) fn program<'a>(&'a self, hooks: &'a [String]) -> Program<'a> {
        Program { path: &self.testkit, sha256: &self.sha256, hooks }
    }

    /// A daemon of its own.
    pub(crate) fn daemon(&self) -> Result<Daemon> {
        Daemon::start(&self.femtosnitch, self.patience)
    }

    /// A mark that no other process has in its arguments.
    pub(crate) fn mark(&self, name: &str) -> String {
        format!("lab-{name}-{}", std::process::id())
    }
}

/// What a generator did.
enum Ran {
    Moved { report: Report, truth: Truth },
    Unsupported(String),
}

/// Runs the chosen scenarios; true if all is as it should be.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let chosen = |name: &str| {
        args.filter.is_empty() || args.filter.iter().any(|part| name.contains(part.as_str()))
    };
    let scenarios: Vec<Scenario> =
        table::scenarios().into_iter().filter(|scenario| chosen(scenario.name)).collect();
    if args.list {
        for scenario in scenarios {
            println!("{}\t{}", scenario.name, scenario.about);
        }
        scale::ALL.iter().for_each(|one| println!("{}\t{}", one.name, one.about));
        return Ok(true);
    }
    if let (Some(path), false) = (&args.document, args.guests.is_empty()) {
        document::replace_guests(path, &guests::table(&args.guests)?)?;
        return Ok(true);
    }
    ensure!(nix::unistd::geteuid().is_root(), "the lab loads eBPF programs: run it as root");
    interrupt::listen()?;
    let lab = Laboratory::new(args)?;
    let (lines, tools) = if scenarios.is_empty() {
        Default::default()
    } else {
        watched(&lab, &scenarios, args.peers)?
    };
    let compared = comparison::table(&lines, &tools);
    print!("{}\n{compared}", scoreboard::table(&lines));
    let mut scales = Vec::new();
    if !args.no_scale {
        for one in scale::ALL.iter().filter(|one| chosen(one.name)) {
            interrupt::check()?;
            eprintln!("lab: {}", one.name);
            scales.push(scale::run(&lab, one));
        }
        print!("\n{}", scoreboard::scales(&scales));
    }
    ensure!(!lines.is_empty() || !scales.is_empty(), "no scenario is called like that");
    if let Some(path) = &args.json {
        let all = json!({"machine": document::machine(), "scenarios": lines, "scale": scales});
        std::fs::write(path, format!("{all:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &args.document {
        document::replace(path, &lines, &scales, &compared)?;
    }
    let (summary, good) = scoreboard::summary(&lines, &scales);
    print!("\n{summary}");
    Ok(good)
}

/// Makes all traffic under one daemon, then compares.
fn watched(
    lab: &Laboratory,
    scenarios: &[Scenario],
    with_peers: bool,
) -> Result<(Vec<Line>, Vec<Seen>)> {
    let ground = Ground::create()?;
    let mut daemon = lab.daemon()?;
    let hooks = daemon.attached()?;
    let tools = if with_peers { peers::watch(&ground) } else { Vec::new() };
    let mut ran = Vec::new();
    for scenario in scenarios {
        interrupt::check()?;
        eprintln!("lab: {}", scenario.name);
        ran.push((scenario, perform(lab, &ground, scenario)));
    }
    daemon.stop()?;
    if with_peers {
        peers::settle();
    }
    let seen = tools.into_iter().map(|watching| {
        let (name, layer) = (watching.tool.name, watching.tool.layer);
        (name, layer, watching.finish().map_err(|error| format!("{error:#}")))
    });
    let seen = seen.collect();
    let rows = daemon.query(BY)?;
    let line = |(scenario, ran): (&Scenario, Result<Ran>)| Line {
        name: scenario.name.to_owned(),
        about: scenario.about.to_owned(),
        outcome: match ran {
            Ok(Ran::Moved { report, truth }) => {
                let mark = lab.mark(scenario.name);
                let history = (rows.as_slice(), mark.as_str());
                let judged = judge::judge(scenario, &lab.program(&hooks), history, &report, truth);
                Outcome::Judged(Box::new(judged))
            }
            Ok(Ran::Unsupported(why)) => Outcome::Unsupported(why),
            Err(error) => Outcome::Broken(format!("{error:#}")),
        },
    };
    Ok((ran.into_iter().map(line).collect(), seen))
}

/// Makes the traffic of one scenario between two readings of the counters.
fn perform(lab: &Laboratory, ground: &Ground, scenario: &Scenario) -> Result<Ran> {
    let (near, peer) = (ground.near(), ground.peer());
    let mut command = Command::new(&lab.testkit);
    command.args(["traffic", scenario.kind, "--tag", &lab.mark(scenario.name)]);
    command.args(scenario.args);
    if scenario.cable {
        let [bind4, bind6] = [peer.v4.to_string(), peer.v6.to_string()];
        command.args(["--peer-netns", &peer.name, "--bind4", &bind4, "--bind6", &bind6]);
    }
    near.enter(&mut command)?;
    let before = ground.settled()?;
    if let Some(loss) = scenario.loss {
        ground.lose(loss.percent, loss.towards)?;
    }
    let done = command::run(command, lab.patience);
    // Also where it failed, and not before the connection has been closed for good.
    let settled = ground.settled();
    ground.lose_nothing()?;
    let (done, truth) = (done?, settled?.since(&before));
    if done.status.code() == Some(UNSUPPORTED.into()) {
        return Ok(Ran::Unsupported(done.stderr.trim().to_owned()));
    }
    if !done.status.success() {
        bail!("the generator ended with {}: {}", done.status, done.stderr.trim());
    }
    let uncut = truth.longer_than_mtu();
    ensure!(uncut == 0, "{uncut} packets were not cut to the MTU: the counters are no truth");
    let report = report(&done.stdout)?;
    Ok(Ran::Moved { report, truth })
}

/// The last line that a generator printed.
pub(crate) fn report(printed: &str) -> Result<Report> {
    let last = printed.lines().last().unwrap_or_default();
    let value: Value =
        serde_json::from_str(last).with_context(|| format!("not a report: {last:?}"))?;
    serde_json::from_value(value).with_context(|| format!("not a report: {last:?}"))
}
