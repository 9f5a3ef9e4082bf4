//! `femtosnitch-testkit`: makes traffic and says exactly how much it was.

#![forbid(unsafe_code)]

mod cli;

use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use femtosnitch_testkit::Doing;
use femtosnitch_testkit::Error;
use femtosnitch_testkit::Report;
use femtosnitch_testkit::Result;
use femtosnitch_testkit::UNSUPPORTED;
use femtosnitch_testkit::bench;
use femtosnitch_testkit::emit;
use femtosnitch_testkit::fuse;
use femtosnitch_testkit::fuse::Served;
use femtosnitch_testkit::nameless;
use femtosnitch_testkit::names;
use femtosnitch_testkit::peer::blocks;
use femtosnitch_testkit::peer::datagram;
use femtosnitch_testkit::peer::httpd;
use femtosnitch_testkit::peer::sink;
use femtosnitch_testkit::peer::stream;
use femtosnitch_testkit::sys::process;
use femtosnitch_testkit::traffic;

use cli::Bench;
use cli::Cli;
use cli::Job;
use cli::Names;
use cli::PeerKind;
use cli::Size;

fn main() -> ExitCode {
    match run(Cli::parse().job) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever wanted the report is gone: a peer outlives its killed generator this way.
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::BrokenPipe => {
            ExitCode::FAILURE
        }
        Err(Error::Unsupported(why)) => {
            drop(writeln!(std::io::stderr(), "{why}"));
            ExitCode::from(UNSUPPORTED)
        }
        Err(error) => {
            // Nothing can be done if standard error is closed too.
            drop(writeln!(std::io::stderr(), "femtosnitch-testkit: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(job: Job) -> Result<()> {
    match job {
        Job::Traffic { kind, size } => emit(&traffic::kind(&kind)?.run(&size.plan())?),
        Job::Kinds => traffic::KINDS.iter().try_for_each(|kind| emit(&(kind.name, kind.about))),
        Job::Selftest { size } => selftest(&size),
        Job::Many { tag, processes, bytes, at_once } => {
            emit(&traffic::spread(&tag, processes, bytes, at_once)?)
        }
        Job::Steps { tag, chunk, leaderless, splice } => {
            let reading = if splice { stream::Reading::Splice } else { stream::Reading::Plain };
            traffic::steps(&tag, chunk, leaderless, reading)
        }
        Job::Launch { tag, to, bytes } => traffic::launch(&tag, to, bytes),
        Job::Httpd { listen, bytes, rate, .. } => httpd::serve(listen, bytes, rate),
        Job::Xdp { frames, .. } => traffic::rings(frames),
        Job::Nbd { tag, device, bytes } => traffic::blocks(&tag, &device, bytes),
        Job::Fuse { at, file, name, user, shared, answers } => {
            fuse::serve(&Served { at, file, name, user, shared, answers })
        }
        Job::Nameless { what, by, file } => nameless::execute(what, by, &file),
        Job::Names { how, .. } => run_names(how),
        Job::Bench(which) => run_bench(&which),
        Job::DropCaps { caps, command } => drop_caps(&caps, &command),
        Job::StepClock { seconds } => process::step_wall_clock(seconds).doing("setting the clock"),
        Job::Peer(peer) => serve(peer),
        Job::Shortlived { to, bytes, .. } => traffic::shortlived(to, bytes),
        Job::Taker { bytes, chunk, .. } => traffic::receive_passed(bytes, chunk),
        Job::AfterExec { .. } => traffic::after_exec(),
        Job::NoOp => Ok(()),
    }
}

fn serve(peer: PeerKind) -> Result<()> {
    match peer {
        PeerKind::Stream { bind, dress, reading, chunk, .. } => {
            stream::serve(bind, dress, reading, chunk)
        }
        PeerKind::Sink { bind, fast_open, .. } => sink::serve(bind, fast_open),
        PeerKind::Blocks { bind, bytes, .. } => blocks::serve(bind, bytes),
        PeerKind::Closed { bind, .. } => sink::refuse(bind),
        PeerKind::Datagram { medium, bind, receiving, join, .. } => {
            datagram::serve(medium, bind, receiving, join)
        }
    }
}

fn run_names(how: Names) -> Result<()> {
    match how {
        Names::Resolve { question, then } => names::ask(&question.ask(), then.fetch()),
        Names::Look { name, after, then } => {
            names::look(&name, Duration::from_millis(after), then.fetch())
        }
        Names::Fetch { to } => names::fetch(to),
        Names::Tls { to, name, split_at } => names::tls(to, &name, split_at),
        Names::Quic { to, name } => names::quic(to, &name),
        Names::Open { to, opening } => names::open_with(to, opening),
        Names::Tell { from, name, address } => names::tell(from, &name, address),
        Names::Overhear { here, to } => names::overhear(here, to),
        Names::ServeDns { listen, records } => names::serve_dns(listen, &records),
        Names::ServeTls { listen, bytes } => names::serve_tls(listen, bytes),
        Names::ServeQuic { listen, bytes } => names::serve_quic(listen, bytes),
    }
}

fn run_bench(which: &Bench) -> Result<()> {
    match *which {
        Bench::UdpPingpong { rounds, size, unconnected } => {
            emit(&bench::udp_ping_pong(rounds, size, unconnected)?)
        }
        Bench::TcpPingpong { rounds, size } => emit(&bench::tcp_ping_pong(rounds, size)?),
        Bench::TcpBulk { bytes, chunk } => emit(&bench::tcp_bulk(bytes, chunk)?),
        Bench::ConnectClose { rounds } => emit(&bench::connect_close(rounds)?),
        Bench::ExecRate { rounds } => emit(&bench::exec_rate(rounds)?),
        Bench::Programs { ref directory, from, count, runs } => {
            emit(&bench::programs(directory, from, count, runs)?)
        }
        Bench::IdleSockets { count, bytes, active, tcp } => {
            bench::idle_sockets(count, bytes, active, tcp)
        }
        Bench::UdpFlood { total, size, rate } => emit(&bench::flood(total, size, rate)?),
        Bench::DnsReplies { total, rate, names } => emit(&bench::dns_replies(total, rate, names)?),
    }
}

/// Runs every kind of traffic in a process of its own and checks that both ends agree.
fn selftest(size: &Size) -> Result<()> {
    let own = std::env::current_exe().doing("finding the own program")?;
    let (bytes, chunk) = (size.bytes.to_string(), size.chunk.to_string());
    let rounds = size.rounds.to_string();
    let args = ["--tag", &size.tag, "--bytes", &bytes, "--chunk", &chunk, "--rounds", &rounds];
    let place = size.place.arguments();
    let mut failed = Vec::new();
    for kind in traffic::KINDS {
        let mut command = Command::new(&own);
        command.arg("traffic").arg(kind.name).args(args).args(&place);
        let output = command.output();
        let output = output.doing("starting the own program")?;
        let report: Option<Report> = serde_json::from_slice(&output.stdout).ok();
        let said = String::from_utf8_lossy(&output.stderr);
        match report.filter(|_| output.status.success()) {
            Some(report) => emit(&(kind.name, "ok", report.ends.len(), report.sent()))?,
            None if output.status.code() == Some(UNSUPPORTED.into()) => {
                emit(&(kind.name, "unsupported", said.trim()))?;
            }
            None => {
                failed.push(kind.name);
                emit(&(kind.name, "FAILED", said.trim()))?;
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::Unexpected(format!("failed: {}", failed.join(", "))))
}

fn drop_caps(caps: &[u32], command: &[String]) -> Result<()> {
    for cap in caps {
        process::drop_capability(*cap).doing("dropping a capability")?;
    }
    let Some((program, args)) = command.split_first() else {
        return Err(Error::Unexpected("no command given".to_owned()));
    };
    Err(Command::new(program).args(args).exec()).doing(program)
}
