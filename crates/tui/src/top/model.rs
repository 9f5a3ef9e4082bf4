//! Everything the feed has said, summed up: programs, their processes, their connections. Each has a
//! bound; what is beyond is counted, and no byte is lost from the sums.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::feed::{End, Flow, Sample, Who};

use super::connection::Connection;
use super::traffic::{Amounts, Clock, Traffic};

/// Programs told apart; the rest is summed up as one.
const MOST_PROGRAMS: usize = 4_096;
/// Processes told apart.
const MOST_PROCESSES: usize = 8_192;
/// Connections told apart.
const MOST_CONNECTIONS: usize = 16_384;
/// Remote addresses counted for each program.
pub const MOST_PEERS: usize = 1_024;
/// For all of them together, and all processes.
const MOST_PEERS_OF_ALL: usize = 131_072;
/// What those beyond are called.
pub const OTHERS: &str = "(others)";

/// Finds out where an address is: a country's code, a bracketed kind (`(private)`), or ''.
pub type Locate<'a> = dyn FnMut(IpAddr) -> Arc<str> + 'a;

/// A program by what launched it: what lists and trees are made of.
#[derive(Debug, Clone)]
pub struct Group {
    /// As it was told of last.
    pub who: Arc<Who>,
    /// What it moved.
    pub traffic: Traffic,
    /// Remote addresses, up to [`MOST_PEERS`].
    pub peers: HashSet<IpAddr>,
    /// Its connections that are open.
    pub open: u32,
}

/// A process.
#[derive(Debug, Clone)]
pub struct Process {
    /// As it was told of last.
    pub who: Arc<Who>,
    /// What it moved.
    pub traffic: Traffic,
    /// Remote addresses, up to [`MOST_PEERS`].
    pub peers: HashSet<IpAddr>,
    /// Its connections that are open.
    pub open: u32,
}

impl Process {
    /// Whether it has a connection, or moved something in the last minute.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.open > 0 || self.traffic.moved_lately()
    }
}

/// What makes two flows the same program's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    exe: Box<str>,
    script: Box<str>,
    container: Box<str>,
    parent: Box<str>,
    grandparent: Box<str>,
}

impl Key {
    fn of(who: &Who) -> Self {
        Self {
            exe: who.exe.clone(),
            script: who.script.clone(),
            container: who.container.clone(),
            parent: who.parent.clone(),
            grandparent: who.grandparent.clone(),
        }
    }
}

/// What found no room of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Programs are summed up as [`OTHERS`].
    pub programs: bool,
    /// Processes are.
    pub processes: bool,
    /// Flows of the last sample that are no connection of the list.
    pub connections: u64,
    /// Remote addresses are not counted any more.
    pub peers: bool,
}

/// What the feed has said since the view was started.
#[derive(Debug, Clone, Default)]
pub struct Model {
    keys: HashMap<Key, u32>,
    groups: Vec<Group>,
    processes: HashMap<(u32, u32), Process>,
    /// By process id, whom its last flow was by, and that program's number.
    known: HashMap<u32, (Arc<Who>, u32)>,
    connections: HashMap<(End, u32), Connection>,
    clock: Clock,
    /// Of everything, as the daemon counts it; the wire as far as flows told.
    all: Traffic,
    peers: usize,
    /// When events were missed last, Unix seconds; 0 if none were.
    missed_at: f64,
    /// When the last sample was, Unix seconds.
    pub time: f64,
    /// Seconds that the last sample is of; 0 if none has come for long.
    pub interval: f64,
    /// Flows that moved in it, as the daemon counts them.
    pub flows: u64,
    /// Samples so far.
    pub samples: u64,
    /// Events that did not get here.
    pub missed: u64,
    /// What found no room.
    pub beyond: Beyond,
}

impl Model {
    /// Takes in a sample.
    pub fn apply(&mut self, sample: &Sample, locate: &mut Locate<'_>) {
        self.clock.tick(sample.interval);
        (self.time, self.interval, self.flows) = (sample.time, sample.interval, sample.count);
        self.samples += 1;
        self.missed = self.missed.saturating_add(sample.missed);
        if sample.missed > 0 {
            self.missed_at = sample.time;
        }
        self.beyond.connections = 0;
        let mut told = Amounts::default();
        for flow in &sample.flows {
            told.add(&Amounts::of(flow));
            self.flow(flow, locate);
        }
        // The daemon may have left out flows for which there was no room; its sums have them.
        let [recv, send] = told.payload;
        told.payload = [sample.total.1.max(recv), sample.total.0.max(send)];
        self.all.add(self.clock.now(), &told);
        self.tick();
    }

    /// No sample has come for a while: nothing moves.
    pub fn quiet(&mut self) {
        self.clock.quiet();
        (self.interval, self.flows) = (0.0, 0);
        self.samples += 1;
        let groups = self.groups.iter_mut().map(|it| &mut it.traffic);
        let processes = self.processes.values_mut().map(|it| &mut it.traffic);
        groups.chain(processes).chain([&mut self.all]).for_each(Traffic::quiet);
    }

    /// The daemon ended: what was open is not known to be any more.
    pub fn forget_connections(&mut self) {
        self.connections.clear();
        self.count_open();
    }

    /// Looks all addresses up again.
    pub fn locate_again(&mut self, locate: &mut Locate<'_>) {
        for ((ends, _), connection) in &mut self.connections {
            connection.country = ends.raddr.map_or_else(|| Arc::from(""), &mut *locate);
        }
    }

    /// Programs by what launched them.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Processes, with their programs' places in [`Model::groups`].
    pub fn processes(&self) -> impl Iterator<Item = (usize, &Process)> {
        self.processes.iter().map(|((_, group), process)| (*group as usize, process))
    }

    /// Connections, with their ends.
    pub fn connections(&self) -> impl Iterator<Item = (&End, &Connection)> {
        self.connections.iter().map(|((ends, _), connection)| (ends, connection))
    }

    /// The program that a connection is of.
    #[must_use]
    pub fn group_of(&self, connection: &Connection) -> Option<&Group> {
        self.groups.get(connection.group as usize)
    }

    /// Everything.
    #[must_use]
    pub fn all(&self) -> &Traffic {
        &self.all
    }

    /// Spans of time that rates are of.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Bytes that a connection moved in the last sample, for its rate.
    #[must_use]
    pub fn moved_now(&self, connection: &Connection) -> Amounts {
        let (number, amounts) = connection.moved;
        if number == self.clock.now() { amounts } else { Amounts::default() }
    }

    fn flow(&mut self, flow: &Flow, locate: &mut Locate<'_>) {
        let (now, time) = (self.clock.now(), self.time);
        let amounts = Amounts::of(flow);
        let number = self.group(&flow.who);
        let peer = flow.ends.raddr;
        let room = self.peers < MOST_PEERS_OF_ALL;
        self.beyond.peers |= !room;
        let note = |peers: &mut HashSet<IpAddr>| {
            let Some(peer) = peer.filter(|_| room && peers.len() < MOST_PEERS) else { return 0 };
            usize::from(peers.insert(peer))
        };
        if let Some(group) = self.groups.get_mut(number as usize) {
            group.traffic.add(now, &amounts);
            if group.who.pid != 0 || flow.who.pid == 0 {
                group.who = Arc::clone(&flow.who);
            }
            self.peers += note(&mut group.peers);
        }
        let full = self.processes.len() >= MOST_PROCESSES;
        let mut key = (flow.who.pid, number);
        if full && !self.processes.contains_key(&key) {
            self.beyond.processes = true;
            key = (0, number);
        }
        let process = self.processes.entry(key).or_insert_with(|| Process {
            // Of several processes, no id and no arguments are right.
            who: match key {
                (0, _) if flow.who.pid != 0 => {
                    Arc::new(Who { pid: 0, cmdline: "".into(), ..(*flow.who).clone() })
                }
                _ => Arc::clone(&flow.who),
            },
            traffic: Traffic::default(),
            peers: HashSet::new(),
            open: 0,
        });
        process.traffic.add(now, &amounts);
        if key.0 != 0 && !Arc::ptr_eq(&process.who, &flow.who) {
            process.who = Arc::clone(&flow.who);
        }
        self.peers += note(&mut process.peers);
        let full = self.connections.len() >= MOST_CONNECTIONS;
        let key = (flow.ends, flow.who.pid);
        if full && !self.connections.contains_key(&key) {
            self.beyond.connections += 1;
            return;
        }
        let connection = self.connections.entry(key).or_insert_with(|| {
            let country = flow.ends.raddr.map_or_else(|| Arc::from(""), &mut *locate);
            Connection::new(flow, number, country, time)
        });
        connection.add(flow, now, time);
    }

    /// The number of the program that this process runs.
    fn group(&mut self, who: &Arc<Who>) -> u32 {
        if let Some((known, number)) = self.known.get(&who.pid)
            && Arc::ptr_eq(known, who)
        {
            return *number;
        }
        let key = Key::of(who);
        let number = match self.keys.get(&key) {
            Some(number) => *number,
            None => self.new_group(key, who),
        };
        // Mostly of processes that have ended.
        if self.known.len() > 2 * self.processes.len() + 1_024 {
            self.known.clear();
        }
        self.known.insert(who.pid, (Arc::clone(who), number));
        number
    }

    fn new_group(&mut self, key: Key, who: &Arc<Who>) -> u32 {
        let mut who = Arc::clone(who);
        let mut key = key;
        if self.groups.len() >= MOST_PROGRAMS {
            self.beyond.programs = true;
            who = Arc::new(Who { exe: OTHERS.into(), ..Who::default() });
            key = Key::of(&who);
            if let Some(number) = self.keys.get(&key) {
                return *number;
            }
        }
        let number = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        let (traffic, peers) = (Traffic::default(), HashSet::new());
        self.groups.push(Group { who, traffic, peers, open: 0 });
        self.keys.insert(key, number);
        number
    }

    /// A sample is complete.
    fn tick(&mut self) {
        let (clock, interval, time) = (&self.clock, self.interval, self.time);
        let groups = self.groups.iter_mut().map(|it| &mut it.traffic);
        let processes = self.processes.values_mut().map(|it| &mut it.traffic);
        groups.chain(processes).chain([&mut self.all]).for_each(|it| it.tick(clock, interval));
        let missed = self.missed_at;
        let crowded = self.connections.len() > MOST_CONNECTIONS * 7 / 8;
        self.connections.retain(|(ends, _), it| {
            !(it.is_gone(ends, time)
                || it.may_be_over(missed, time)
                || crowded && it.may_go(ends, time))
        });
        self.count_open();
        // Which have ended is not told: those that do nothing go once there are many.
        let crowded =
            self.processes.len() > MOST_PROCESSES / 2 || self.peers > MOST_PEERS_OF_ALL / 2;
        let peers = &mut self.peers;
        self.processes.retain(|_, process| {
            let kept = !crowded || process.is_at_work();
            if !kept {
                *peers = peers.saturating_sub(process.peers.len());
            }
            kept
        });
    }

    fn count_open(&mut self) {
        self.groups.iter_mut().for_each(|it| it.open = 0);
        self.processes.values_mut().for_each(|it| it.open = 0);
        for ((ends, pid), connection) in &self.connections {
            if !connection.is_open(ends, self.time) {
                continue;
            }
            if let Some(group) = self.groups.get_mut(connection.group as usize) {
                group.open += 1;
            }
            if let Some(process) = self.processes.get_mut(&(*pid, connection.group)) {
                process.open += 1;
            }
        }
    }
}
