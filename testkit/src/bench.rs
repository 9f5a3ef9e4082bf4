//! Loops whose cost per round can be compared with and without a monitor, and loads that keep
//! many sockets or much traffic going.

mod load;
mod programs;
mod replies;
mod rounds;

pub use load::flood;
pub use load::idle_sockets;
pub use programs::programs;
pub use replies::dns_replies;
pub use rounds::connect_close;
pub use rounds::exec_rate;
pub use rounds::tcp_bulk;
pub use rounds::tcp_ping_pong;
pub use rounds::udp_ping_pong;

use std::time::Duration;
use std::time::Instant;

use crate::Doing;
use crate::End;
use crate::Report;
use crate::Result;
use crate::sys::process;

/// Wall clock and processor time since it was started.
struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    fn start() -> Result<Self> {
        Ok(Self { wall: Instant::now(), cpu: process::cpu_time().doing("reading a clock")? })
    }

    /// A report of `rounds` rounds with the time that each took.
    fn report(&self, kind: &str, rounds: u64, end: End) -> Result<Report> {
        let wall = self.wall.elapsed();
        let cpu = process::cpu_time().doing("reading a clock")?.saturating_sub(self.cpu);
        let mut report = Report::new(kind, vec![end]);
        let rounds = rounds.max(1);
        let figures = [
            ("rounds", rounds as f64),
            ("wall_ns_per_round", wall.as_secs_f64() * 1e9 / rounds as f64),
            ("cpu_ns_per_round", cpu.as_secs_f64() * 1e9 / rounds as f64),
            ("wall_s", wall.as_secs_f64()),
            ("cpu_s", cpu.as_secs_f64()),
        ];
        report.figures =
            figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(report)
    }
}
