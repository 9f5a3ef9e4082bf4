//! Realistic history, the same for the same [`Shape`], as the batches that a daemon writes.
//!
//! One machine of a developer who also runs servers: three browsers, 22 applications, 45 daemons,
//! 30 services in ten containers, and some 190 tools that are launched all the time. What is
//! chosen (a program's command line, a name, an address) follows Zipf's law with exponent 1, each
//! program having its own order of the names that it visits.

mod catalog;
mod flows;
mod machine;
mod network;
mod random;
mod runs;
mod timeline;
mod topic;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;

use femtosnitch_model::Row;
use femtosnitch_store::Batch;
use femtosnitch_store::Heartbeat;
use femtosnitch_store::Locator;

pub use catalog::EXECUTABLES;
pub use network::ADDRESSES;
pub use network::NAMES;

use catalog::Kind;
use flows::Conversations;
use flows::Flow;
use machine::Machine;
use network::Network;
use random::Random;
use runs::Run;

/// Rows of a conversation, and rows by one run of a tool, on average: together they make as many
/// runs as a busy machine has.
const ROWS_OF_CONVERSATION: f64 = 3.0;
const ROWS_OF_RUN: f64 = 240.0;
/// Runs of tools a month, at most.
const MOST_RUNS: f64 = 60_000.0;
/// The share of conversations that tools have.
const TOOLS: f64 = 0.2;
/// At most this share of a batch belongs to conversations that were there before.
const GOING_ON: f64 = 0.75;

/// How much history, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Rows in all, exactly.
    pub rows: u64,
    /// The first unix second.
    pub since: i64,
    /// Seconds from one batch to the next.
    pub interval: i64,
    /// Batches, those without rows included.
    pub batches: u32,
    /// Another seed is another machine in another network. Shapes that differ in other things have
    /// these in common.
    pub seed: u64,
}

impl Shape {
    /// Where a month begins: 2026-10-24, 16:07:20 UTC. It ends on a busy afternoon, within an hour
    /// and within a minute, as questions about *the last hour* do.
    pub const SINCE: i64 = 1_792_858_040;

    /// `rows` over `days` days, written every ten seconds.
    #[must_use]
    pub fn month(rows: u64, days: u32) -> Self {
        Self { rows, since: Self::SINCE, interval: 10, batches: days * 8_640, seed: 1 }
    }

    /// The unix second after the last one.
    #[must_use]
    pub fn until(&self) -> i64 {
        self.since + self.interval * i64::from(self.batches)
    }
}

/// What questions can be about.
#[derive(Debug, Clone)]
pub struct Landmarks {
    /// The program with the most traffic.
    pub exe: String,
    /// The name that it visits most, as people write it.
    pub domain: String,
    /// An address of that name.
    pub addr: String,
    /// The network around it.
    pub network: String,
}

/// The batches of a [`Shape`], one after the other.
#[derive(Debug)]
pub struct Generator {
    shape: Shape,
    random: Random,
    network: Network,
    conversations: Conversations,
    machine: Machine,
    flows: VecDeque<Flow>,
    shares: Vec<f64>,
    /// Batches made.
    made: usize,
    /// Rows made.
    rows: u64,
}

impl Generator {
    /// From the beginning.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let mut random = Random::new(shape.seed);
        let network = Network::new(&mut random);
        let programs = catalog::programs(&mut random);
        let mut random = Random::new(shape.seed.wrapping_add(shape.since.unsigned_abs()));
        let rows = shape.rows as f64;
        let runs = (rows / ROWS_OF_RUN).clamp(20.0, MOST_RUNS);
        let work = (rows / ROWS_OF_CONVERSATION * TOOLS / runs).max(1.0);
        let machine = Machine::new(&mut random, programs, shape.since, work);
        let batches = usize::try_from(shape.batches).unwrap_or(0);
        let shares = timeline::shares(&mut random, shape.since, shape.interval, batches);
        Self {
            shape,
            random,
            network,
            conversations: Conversations::new(),
            machine,
            flows: VecDeque::new(),
            shares,
            made: 0,
            rows: 0,
        }
    }

    /// Knows where the addresses are, always the same.
    #[must_use]
    pub fn locator(&self) -> Locator {
        self.network.locator()
    }

    /// Things that are sure to be met often.
    #[must_use]
    pub fn landmarks(&self) -> Landmarks {
        let popular = self.machine.programs.iter().find(|it| it.kind == Kind::Browser);
        let sites = popular.map(|it| it.sites.as_slice()).unwrap_or_default();
        let site = sites.first().and_then(|at| self.network.sites.get(*at));
        let addr = site
            .and_then(|site| site.hosts.iter().find_map(|at| self.network.v4(*at)))
            .unwrap_or(Ipv4Addr::LOCALHOST);
        let [first, second, ..] = addr.octets();
        let domain = site.map_or("", |site| &site.domain);
        Landmarks {
            exe: popular.map(|it| it.path.clone()).unwrap_or_default(),
            domain: domain.rsplit('.').collect::<Vec<_>>().join("."),
            addr: addr.to_string(),
            network: format!("{first}.{second}.0.0/16"),
        }
    }

    /// Program runs so far.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.machine.count
    }

    /// The rows of the interval that begins at `begin`, in the order of time.
    fn rows(&mut self, begin: i64, wanted: u64) -> Vec<Row> {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut rows = Vec::with_capacity(wanted);
        let limit = wanted as f64 * GOING_ON + self.random.unit();
        let limit = usize::try_from(random::whole(limit)).unwrap_or(0).min(wanted);
        for _ in 0..self.flows.len() {
            if rows.len() >= limit {
                break;
            }
            // In turn, so that none waits for ever.
            let Some(mut flow) = self.flows.pop_front() else { break };
            if flow.moves(&mut self.random) {
                let at = self.second(begin);
                rows.push(flow.row(&mut self.random, at));
            }
            if flow.goes_on() {
                self.flows.push_back(flow);
            }
        }
        while rows.len() < wanted {
            let at = self.second(begin);
            let run = self.somebody(at);
            let Some(program) = self.machine.programs.get(run.program) else { break };
            let mut flow =
                self.conversations.begin(&mut self.random, &self.network, (run, program), at);
            rows.push(flow.row(&mut self.random, at));
            if flow.goes_on() {
                self.flows.push_back(flow);
            }
        }
        rows.sort_by_key(|row| row.contime);
        rows
    }

    fn second(&mut self, begin: i64) -> i64 {
        let length = usize::try_from(self.shape.interval).unwrap_or(1);
        begin + i64::try_from(self.random.below(length)).unwrap_or(0)
    }

    /// Who begins a conversation now.
    fn somebody(&mut self, now: i64) -> Arc<Run> {
        let people = timeline::people(now);
        let weights = [0.40 * people, 0.18 * people, 0.06, 0.07, TOOLS * (0.1 + people)];
        let random = &mut self.random;
        let group = match random.weighted(&weights) {
            0 => &self.machine.browsers,
            1 => &self.machine.apps,
            2 => &self.machine.daemons,
            3 => &self.machine.services,
            _ => return self.machine.tool(random, now),
        };
        let at = self.conversations.rank(random, group.len());
        Arc::clone(group.get(at).unwrap_or(&self.machine.init))
    }
}

impl Iterator for Generator {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let share = *self.shares.get(self.made)?;
        let begin = self.shape.since + self.shape.interval * i64::try_from(self.made).ok()?;
        let up_to = random::whole((self.shape.rows as f64 * share).round());
        let wanted = up_to.saturating_sub(self.rows);
        let containers = if self.made == 0 { Machine::containers() } else { Vec::new() };
        self.made += 1;
        self.rows += wanted;
        self.machine.pass(&mut self.random, begin);
        let rows = self.rows(begin, wanted);
        let heartbeat = Heartbeat { at: begin + self.shape.interval, clean: false };
        Some(Batch {
            rows,
            described: self.machine.news(),
            containers,
            heartbeat: Some(heartbeat),
            ..Batch::default()
        })
    }
}
