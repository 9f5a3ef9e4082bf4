//! One sample of the feed, summed up by program.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use femtosnitch_api::FlowEvent;
use serde::Serialize;

use super::news::News;

/// Programs that are told one by one.
const MOST_TOLD: usize = 200;
/// Programs of one sample that are told apart at all.
const MOST: usize = 4_096;
/// Flows of one program that are told one by one.
const MOST_FLOWS: usize = 500;
/// Peers of a program that are told apart.
const MOST_PEERS: usize = 65_536;

/// What is one line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    exe: String,
    script: String,
    container: String,
}

/// One program.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Program {
    exe: String,
    name: String,
    sha256: String,
    package: String,
    package_state: String,
    container: String,
    script: String,
    /// Empty where its processes differ.
    unit: String,
    /// The user's number; `null` where its processes differ.
    uid: Option<u32>,
    /// The user's name, or number; '' where its processes differ.
    user: String,
    send: u64,
    recv: u64,
    /// Of those of which it was measured.
    wire_send: Option<u64>,
    wire_recv: Option<u64>,
    /// Addresses with ports at the other end.
    peers: usize,
    flows: u64,
    begun: u64,
    failed: u64,
    badges: Vec<&'static str>,
}

impl Program {
    fn size(&self) -> (u64, u64) {
        (self.send.saturating_add(self.recv), self.flows)
    }
}

#[derive(Debug, Default)]
struct Gathered {
    program: Program,
    several_users: bool,
    several_units: bool,
    peers: HashSet<(Option<IpAddr>, u16)>,
}

/// What is not told one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Others {
    /// How many programs, as far as they were told apart.
    programs: u64,
    send: u64,
    recv: u64,
    flows: u64,
}

impl Others {
    fn add(&mut self, send: u64, recv: u64, flows: u64) {
        self.send = self.send.saturating_add(send);
        self.recv = self.recv.saturating_add(recv);
        self.flows = self.flows.saturating_add(flows);
    }
}

/// When a sample was taken.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Moment {
    /// Unix seconds.
    pub(super) time: f64,
    /// Seconds since the sample before.
    pub(super) interval: f64,
}

/// A sample.
#[derive(Debug, Serialize)]
pub(super) struct Tick<'a> {
    #[serde(flatten)]
    moment: Moment,
    send: u64,
    recv: u64,
    programs: Vec<&'a Program>,
    others: Others,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<Vec<&'a FlowEvent>>,
}

/// The sample that is being told.
#[derive(Debug, Default)]
pub(super) struct Sample {
    programs: HashMap<Key, Gathered>,
    /// Of programs that somebody looks at.
    flows: Vec<FlowEvent>,
    beyond: Others,
}

/// A sample that is complete.
#[derive(Debug)]
pub(super) struct Whole {
    programs: Vec<Program>,
    flows: Vec<FlowEvent>,
    beyond: Others,
    moment: Moment,
    /// As the daemon counts it.
    totals: (u64, u64),
}

impl Sample {
    /// Adds a flow; `kept` if somebody looks at its program.
    pub(super) fn add(&mut self, mut flow: FlowEvent, kept: bool) {
        let key = Key {
            exe: std::mem::take(&mut flow.exe),
            script: std::mem::take(&mut flow.script),
            container: std::mem::take(&mut flow.container),
        };
        let full = self.programs.len() >= MOST;
        if full && !self.programs.contains_key(&key) {
            self.beyond.add(flow.send, flow.recv, 1);
            return;
        }
        let gathered = self.programs.entry(key.clone()).or_default();
        gathered.add(&flow);
        if kept {
            (flow.exe, flow.script, flow.container) = (key.exe, key.script, key.container);
            let mut labels: Vec<&str> = flow.domain.split('.').collect();
            labels.reverse();
            flow.domain = labels.join(".");
            self.flows.push(flow);
        }
    }

    /// Ends the sample and begins the next.
    pub(super) fn finish(
        &mut self,
        (moment, totals): (Moment, (u64, u64)),
        news: &News,
        user: impl Fn(u32) -> String,
    ) -> Whole {
        let Self { programs, flows, beyond } = std::mem::take(self);
        let mut programs: Vec<Program> =
            programs.into_iter().map(|(key, gathered)| gathered.finish(key, news, &user)).collect();
        programs.sort_by(|one, other| {
            other.size().cmp(&one.size()).then_with(|| one.exe.cmp(&other.exe))
        });
        Whole { programs, flows, beyond, moment, totals }
    }
}

impl Gathered {
    fn add(&mut self, flow: &FlowEvent) {
        let program = &mut self.program;
        if program.flows == 0 {
            program.name.clone_from(&flow.name);
            program.unit.clone_from(&flow.unit);
            program.uid = Some(flow.uid);
        }
        self.several_users |= program.uid != Some(flow.uid);
        self.several_units |= program.unit != flow.unit;
        // What is found out while it runs stands in the latest.
        program.sha256.clone_from(&flow.sha256);
        program.package.clone_from(&flow.package);
        program.package_state.clone_from(&flow.package_state);
        program.send = program.send.saturating_add(flow.send);
        program.recv = program.recv.saturating_add(flow.recv);
        let add = |sum: &mut Option<u64>, more: Option<u64>| {
            *sum = sum.map_or(more, |sum| Some(sum.saturating_add(more.unwrap_or(0))));
        };
        add(&mut program.wire_send, flow.wire_send);
        add(&mut program.wire_recv, flow.wire_recv);
        program.flows += 1;
        program.begun = program.begun.saturating_add(flow.begun);
        program.failed = program.failed.saturating_add(flow.failed);
        if self.peers.len() < MOST_PEERS {
            self.peers.insert((flow.raddr, flow.rport));
        }
    }

    fn finish(self, key: Key, news: &News, user: &impl Fn(u32) -> String) -> Program {
        let mut program = self.program;
        program.peers = self.peers.len();
        if self.several_users {
            program.uid = None;
        }
        if self.several_units {
            program.unit.clear();
        }
        program.user = program.uid.map(user).unwrap_or_default();
        let modified = program.package_state == "modified" || news.is_modified(&key.exe);
        let badges = [
            (news.is_new(&key.exe), "new"),
            (modified, "modified"),
            (program.package_state == "not packaged", "not packaged"),
            (!key.container.is_empty(), "container"),
            (!key.script.is_empty(), "script"),
        ];
        program.badges =
            badges.into_iter().filter(|(holds, _)| *holds).map(|(_, badge)| badge).collect();
        (program.exe, program.script, program.container) = (key.exe, key.script, key.container);
        program
    }
}

impl Whole {
    /// For those who watch everything.
    pub(super) fn all(&self) -> Tick<'_> {
        let mut others = self.beyond;
        let mut all = self.beyond;
        for (at, program) in self.programs.iter().enumerate() {
            all.add(program.send, program.recv, program.flows);
            if at >= MOST_TOLD {
                others.programs += 1;
                others.add(program.send, program.recv, program.flows);
            }
        }
        // The daemon may have left out flows for which there was no room; its sums have them.
        let (send, recv) = (self.totals.0.max(all.send), self.totals.1.max(all.recv));
        others.add(send - all.send, recv - all.recv, 0);
        Tick {
            moment: self.moment,
            send,
            recv,
            programs: self.programs.iter().take(MOST_TOLD).collect(),
            others,
            flows: None,
        }
    }

    /// For those who watch one program.
    pub(super) fn of(&self, exe: &str) -> Tick<'_> {
        let programs: Vec<&Program> =
            self.programs.iter().filter(|program| program.exe == exe).take(MOST_TOLD).collect();
        let mut flows: Vec<&FlowEvent> = self.flows.iter().filter(|it| it.exe == exe).collect();
        flows.sort_by_key(|flow| std::cmp::Reverse(flow.send.saturating_add(flow.recv)));
        let mut others = Others::default();
        for left_out in flows.iter().skip(MOST_FLOWS) {
            others.add(left_out.send, left_out.recv, 1);
        }
        flows.truncate(MOST_FLOWS);
        let sum = |of: fn(&Program) -> u64| {
            programs.iter().fold(0_u64, |sum, program| sum.saturating_add(of(program)))
        };
        Tick {
            moment: self.moment,
            send: sum(|program| program.send),
            recv: sum(|program| program.recv),
            programs,
            others,
            flows: Some(flows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment { time: 5.0, interval: 1.0 };

    fn flow(exe: &str, send: u64, port: u16) -> FlowEvent {
        FlowEvent {
            exe: exe.into(),
            send,
            recv: 1,
            rport: port,
            raddr: Some([192, 0, 2, 1].into()),
            domain: "org.example.www".into(),
            ..FlowEvent::default()
        }
    }

    fn told(tick: &Tick<'_>) -> serde_json::Value {
        serde_json::to_value(tick).unwrap()
    }

    #[test]
    fn flows_become_programs_and_the_next_sample_is_empty() {
        let mut sample = Sample::default();
        sample.add(flow("/bin/a", 10, 80), false);
        sample.add(flow("/bin/b", 100, 80), true);
        sample.add(FlowEvent { uid: 7, ..flow("/bin/a", 5, 80) }, false);
        sample.add(FlowEvent { unit: "x".into(), ..flow("/bin/a", 5, 81) }, false);
        let boxed = FlowEvent { container: "c".into(), wire_send: Some(9), ..flow("/bin/a", 1, 1) };
        sample.add(boxed, false);
        let whole = sample.finish((NOW, (0, 0)), &News::default(), |uid| format!("u{uid}"));
        let all = told(&whole.all());
        assert_eq!(
            (&all["time"], &all["send"], &all["recv"]),
            (&5.0.into(), &121.into(), &5.into())
        );
        let programs = all["programs"].as_array().unwrap();
        assert_eq!(programs.len(), 3);
        assert_eq!((&programs[0]["exe"], &programs[0]["user"]), (&"/bin/b".into(), &"u0".into()));
        assert_eq!((&programs[1]["send"], &programs[1]["peers"]), (&20.into(), &2.into()));
        assert_eq!((&programs[1]["user"], &programs[1]["unit"]), (&"".into(), &"".into()));
        assert_eq!(programs[2]["badges"], serde_json::json!(["container"]));
        assert_eq!(programs[2]["wire_send"], 9);
        let one = told(&whole.of("/bin/b"));
        assert_eq!(one["flows"][0]["domain"], "www.example.org");
        assert_eq!((&one["send"], one["programs"].as_array().unwrap().len()), (&100.into(), 1));
        let next = sample.finish((NOW, (0, 0)), &News::default(), |_| String::new());
        assert!(next.all().programs.is_empty());
    }

    #[test]
    fn many_programs_are_summed_up_and_nothing_is_lost() {
        let mut sample = Sample::default();
        for at in 0..MOST + 10 {
            sample.add(flow(&format!("/bin/{at}"), 2, 80), false);
        }
        let whole = sample.finish((NOW, (0, 0)), &News::default(), |_| String::new());
        let all = whole.all();
        assert_eq!(all.programs.len(), MOST_TOLD);
        assert_eq!(all.send, 2 * (MOST as u64 + 10));
        assert_eq!(all.others.send, all.send - 2 * MOST_TOLD as u64);
        assert_eq!(all.others.programs, (MOST - MOST_TOLD) as u64);
    }
}
