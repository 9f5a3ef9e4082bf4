//! What it costs the dashboard's server that many watch live while much moves.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::server::Server;
use crate::bench::monitor::Monitor;
use crate::process;
use crate::workspace::Binaries;

/// Programs that move something, and the sockets of each.
const PROGRAMS: usize = 40;
const SOCKETS: u32 = 10;
const VIEWERS: [usize; 3] = [0, 1, 50];
/// MiB, and percent of a core.
const MEMORY: f64 = 40.0;
const PROCESSOR: f64 = 5.0;

/// Measures and tells it; or why it could not be measured.
pub(super) fn run(binaries: &Binaries, quick: bool) -> Result<String> {
    let heading = "\n### What viewers cost\n\n";
    if !process::is_root() {
        return Ok(format!("{heading}Not measured: a daemon that captures needs root.\n"));
    }
    let time = Duration::from_secs(if quick { 15 } else { 60 });
    let monitor = Monitor::start(&binaries.femtosnitch, "")?;
    let scratch = tempfile::tempdir()?;
    let moving: Vec<Moving> = (0..PROGRAMS)
        .map(|at| Moving::start(&binaries.testkit, scratch.path(), at))
        .collect::<Result<_>>()?;
    let server = Server::start(&binaries.femtosnitch, monitor.root())?;
    let mut text = format!(
        "{heading}A daemon, and {PROGRAMS} programs with {SOCKETS} sockets each that move something \
         every second, all of which each viewer is told; {} s. Memory is what the process has to \
         itself (and with the program's own pages); **bold** above {PROCESSOR} % and {MEMORY} MiB.\n\n\
         | viewers | processor, % of a core | memory, MiB | resident, MiB | samples to each | KiB a \
         second to each |\n|---:|---:|---:|---:|---:|---:|\n",
        time.as_secs()
    );
    for viewers in VIEWERS {
        println!("bench: {viewers} viewers …");
        let seen = watched(&server, viewers, time)?;
        let bold = |value: f64, digits: usize, most: f64| {
            let value_text = format!("{value:.digits$}");
            if value > most { format!("**{value_text}**") } else { value_text }
        };
        writeln!(
            text,
            "| {viewers} | {} | {} | {:.1} | {} | {:.1} |",
            bold(seen.processor, 2, PROCESSOR),
            bold(seen.private, 1, MEMORY),
            seen.resident,
            seen.ticks,
            seen.kib,
        )?;
    }
    drop(moving);
    monitor.stop()?;
    Ok(text)
}

struct Seen {
    /// Percent of a core.
    processor: f64,
    /// MiB of the process alone, and with all that is mapped.
    private: f64,
    resident: f64,
    /// That the viewer who got fewest got.
    ticks: u64,
    /// A second, of one viewer.
    kib: f64,
}

fn watched(server: &Server, viewers: usize, time: Duration) -> Result<Seen> {
    let measuring = AtomicBool::new(false);
    let over = AtomicBool::new(false);
    let counts: Vec<(AtomicU64, AtomicU64)> =
        (0..viewers).map(|_| (AtomicU64::new(0), AtomicU64::new(0))).collect();
    std::thread::scope(|scope| {
        let watching: Vec<_> = counts
            .iter()
            .map(|(ticks, bytes)| {
                let (measuring, over) = (&measuring, &over);
                scope.spawn(move || -> Result<()> {
                    let mut connection = server.connect()?;
                    connection.begin("/live")?;
                    while !over.load(Ordering::Relaxed) {
                        let line = connection.line()?;
                        if measuring.load(Ordering::Relaxed) {
                            let tick = u64::from(line.trim_end() == "event: tick");
                            ticks.fetch_add(tick, Ordering::Relaxed);
                            bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        // Until all are there, and what they begin with was sent.
        sleep(Duration::from_secs(5));
        let begin = (Instant::now(), server.cpu_seconds());
        measuring.store(true, Ordering::Relaxed);
        sleep(time);
        measuring.store(false, Ordering::Relaxed);
        let cpu = server.cpu_seconds();
        let wall = begin.0.elapsed().as_secs_f64();
        let memory = memory(server.pid());
        over.store(true, Ordering::Relaxed);
        for viewer in watching {
            match viewer.join() {
                Ok(ended) => ended.context("a viewer")?,
                Err(_) => bail!("a viewer ended by a fault"),
            }
        }
        let (private, resident) = memory?;
        let ticks = counts.iter().map(|(ticks, _)| ticks.load(Ordering::Relaxed)).min();
        let bytes: u64 = counts.iter().map(|(_, bytes)| bytes.load(Ordering::Relaxed)).sum();
        if viewers > 0 && ticks == Some(0) {
            bail!("a viewer was told nothing in {wall:.0} s");
        }
        Ok(Seen {
            processor: (cpu? - begin.1?) / wall * 100.0,
            private,
            resident,
            ticks: ticks.unwrap_or(0),
            kib: bytes as f64 / 1024.0 / wall / viewers.max(1) as f64,
        })
    })
}

/// MiB of a process alone, and with all that is mapped.
fn memory(pid: u32) -> Result<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mib = |name: &str| -> Result<f64> {
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        let value = value.with_context(|| format!("no {name} in /proc/{pid}/status"))?;
        Ok(value.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1024.0)
    };
    Ok((mib("RssAnon:")?, mib("VmRSS:")?))
}

/// A program of its own that moves something over each of its sockets every second.
struct Moving(Child);

impl Moving {
    fn start(testkit: &Path, scratch: &Path, at: usize) -> Result<Self> {
        let program = scratch.join(format!("program-{at}"));
        fs::copy(testkit, &program)?;
        // The traffic generator counts pairs.
        let active = (SOCKETS / 2).to_string();
        let child = Command::new(&program)
            .args(["bench", "idle-sockets", "--count", &SOCKETS.to_string(), "--active", &active])
            // It ends when this does.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self(child))
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
