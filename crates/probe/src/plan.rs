//! Which programs to load on this kernel, and why. Pure: tested with invented kernels.

use crate::ProbeError;
use crate::support::Facts;

/// How a program gets at what it hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attach {
    Tracepoint,
    Function,
    Cgroup,
    Iterator,
    /// Functions of C libraries, one by one as these are found.
    Library,
}

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sees socket calls, for one of the fronts.
    Calls(Front),
    /// Sees calls that the tracepoint front's programs missed.
    Again,
    /// Sees addresses that the tracepoint front does not.
    Peers,
    /// Not attached from the start, but once it is wanted.
    OnDemand,
    /// Tells at once of a socket whose bytes pass no call.
    Rings,
    /// Without it nothing works.
    Core,
    /// Tells when a socket ends.
    Release,
    /// Sees what C libraries tell of names.
    Lookups,
    /// Runs on demand.
    Walk,
}

/// What follows if a program cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Numbers would be wrong: do not start.
    Required,
    /// Required if the kernel has what it hooks at all.
    IfPresent,
    /// Less detail; the text says which.
    Optional(&'static str),
}

/// One program of the BPF object.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) attach: Attach,
    pub(crate) role: Role,
    pub(crate) need: Need,
}

const fn program(
    name: &'static str,
    attach: Attach,
    target: &'static str,
    role: Role,
    need: Need,
) -> Program {
    Program { name, target, attach, role, need }
}

const NO_PEERS: &str = "the peers of unconnected UDP sockets stay unknown";
const NO_TRACING: &str = "peers of raw and ping sockets, and senders that recv(2) does not ask for, \
                          stay unknown";
const NO_RINGS: &str = "AF_XDP sockets that make no call are found by looking every half minute";
const NO_RELEASE: &str = "closed sockets of datagrams are noticed by the next sweep only";
const NO_LOOKUPS: &str =
    "names that C libraries tell are known only as far as they are seen on the wire";

/// Every program, in the order of the report.
pub(crate) const PROGRAMS: &[Program] = &{
    use Attach::{Cgroup, Function, Iterator, Library, Tracepoint};
    use Need::{IfPresent, Optional, Required};
    use Role::{Again, Calls, Core, Lookups, OnDemand, Peers, Release, Rings, Walk};
    const TP: Role = Calls(Front::Tracepoint);
    const FX: Role = Calls(Front::Fexit);
    [
        program("fs_send", Tracepoint, "sock_send_length", TP, Required),
        program("fs_recv", Tracepoint, "sock_recv_length", TP, Required),
        program("fs_send_again", Tracepoint, "sock_send_length", Again, Required),
        program("fs_recv_again", Tracepoint, "sock_recv_length", Again, Required),
        program("fs_inet_sendmsg", Function, "inet_sendmsg", FX, Required),
        program("fs_inet6_sendmsg", Function, "inet6_sendmsg", FX, IfPresent),
        program("fs_inet_recvmsg", Function, "inet_recvmsg", FX, Required),
        program("fs_inet6_recvmsg", Function, "inet6_recvmsg", FX, IfPresent),
        program("fs_common_recvmsg", Function, "sock_common_recvmsg", FX, IfPresent),
        program("fs_packet_sendmsg", Function, "packet_sendmsg", FX, IfPresent),
        program("fs_packet_recvmsg", Function, "packet_recvmsg", FX, IfPresent),
        program("fs_inet_sendpage", Function, "inet_sendpage", FX, IfPresent),
        program("fs_xdp_sendmsg", Function, "xsk_sendmsg", FX, IfPresent),
        program("fs_xdp_bind", Function, "xsk_bind", Rings, Optional(NO_RINGS)),
        program("fs_tcp_read", Tracepoint, "tcp_rcv_space_adjust", OnDemand, Required),
        program("fs_tcp_state", Tracepoint, "inet_sock_set_state", Core, Required),
        program("fs_tcp_state_again", Tracepoint, "inet_sock_set_state", Again, Required),
        program("fs_tcp_destroy", Tracepoint, "tcp_destroy_sock", Core, Required),
        program("fs_exec", Tracepoint, "sched_process_exec", Core, Required),
        program("fs_fork", Tracepoint, "sched_process_fork", Core, Required),
        program("fs_exit", Tracepoint, "sched_process_exit", Core, Required),
        program("fs_peer_send4", Cgroup, "cgroup/sendmsg4", Peers, Optional(NO_PEERS)),
        program("fs_peer_send6", Cgroup, "cgroup/sendmsg6", Peers, Optional(NO_PEERS)),
        program("fs_peer_recv4", Cgroup, "cgroup/recvmsg4", Peers, Optional(NO_PEERS)),
        program("fs_peer_recv6", Cgroup, "cgroup/recvmsg6", Peers, Optional(NO_PEERS)),
        program("fs_raw_send4", Function, "raw_sendmsg", Peers, Optional(NO_TRACING)),
        program("fs_raw_send6", Function, "rawv6_sendmsg", Peers, Optional(NO_TRACING)),
        program("fs_raw_recv4", Function, "raw_recvmsg", Peers, Optional(NO_TRACING)),
        program("fs_raw_recv6", Function, "rawv6_recvmsg", Peers, Optional(NO_TRACING)),
        program("fs_ping_send4", Function, "ping_v4_sendmsg", Peers, Optional(NO_TRACING)),
        program("fs_ping_send6", Function, "ping_v6_sendmsg", Peers, Optional(NO_TRACING)),
        program("fs_ping_recv", Function, "ping_recvmsg", Peers, Optional(NO_TRACING)),
        program("fs_received", Function, "__skb_recv_udp", OnDemand, Optional(NO_TRACING)),
        program("fs_sent4", Function, "ip_send_skb", OnDemand, Optional(NO_TRACING)),
        program("fs_sent6", Function, "ip6_send_skb", OnDemand, Optional(NO_TRACING)),
        program("fs_release", Cgroup, "cgroup/sock_release", Release, Optional(NO_RELEASE)),
        program("fs_asked", Library, "entry of getaddrinfo", Lookups, Optional(NO_LOOKUPS)),
        program("fs_told", Library, "end of getaddrinfo", Lookups, Optional(NO_LOOKUPS)),
        program("fs_iter_tasks", Iterator, "iter/task", Walk, Required),
        program(
            "fs_iter_files",
            Iterator,
            "iter/task_file",
            Walk,
            Optional("what older TCP connections read by splice is counted late, or not at all"),
        ),
        program(
            "fs_iter_rings",
            Iterator,
            "iter/task_file",
            Walk,
            Optional("AF_XDP sockets that make no call stay unseen"),
        ),
        program(
            "fs_iter_sockets",
            Iterator,
            "iter/bpf_sk_storage_map",
            Walk,
            Optional("flows of sockets that end unseen (AF_PACKET, AF_XDP) are not given back"),
        ),
    ]
};

/// A set of hooks that sees every socket call once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// `sock_send_length` and `sock_recv_length` (Linux 6.3 and later).
    Tracepoint,
    /// Exits of the protocol families' entry points.
    Fexit,
}

impl Plan {
    /// True if this program is to be loaded.
    pub(crate) fn loads(&self, name: &str) -> bool {
        self.choices.iter().any(|choice| choice.load && choice.program.name == name)
    }
}

impl Front {
    /// As the configuration spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tracepoint => "tracepoint",
            Self::Fexit => "fexit",
        }
    }
}

/// Which front to use.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum FrontChoice {
    /// The tracepoint front where the kernel has it, the other one elsewhere.
    #[default]
    Auto,
    /// This one or none.
    Only(Front),
}

/// When to find out who sent a datagram that a program receives without asking for the sender.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Senders {
    /// Once a program does so: the first of its senders stay unknown.
    #[default]
    Auto,
    /// From the start.
    Always,
    /// Never.
    Never,
}

/// When to watch TCP where it is read by other means than calls that receive: `splice(2)`, zero
/// copy.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Splices {
    /// Once some program does so: of the first such connections the bytes are told late, at the
    /// latest when they end, and all for who began to use them.
    #[default]
    Auto,
    /// From the start.
    Always,
}

/// What became of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookState {
    /// Loaded and attached.
    Attached,
    /// Not wanted on this kernel.
    NotNeeded,
    /// Wanted, and the kernel said no.
    Refused,
}

/// One line of the report of what was chosen and why.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Program in the BPF object.
    pub program: &'static str,
    /// What it hooks.
    pub target: &'static str,
    /// What became of it.
    pub state: HookState,
    /// Why, for a person.
    pub why: String,
}

/// The decision for one program.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) program: &'static Program,
    pub(crate) load: bool,
    pub(crate) why: String,
}

/// The decision for all.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) front: Front,
    /// Functions of one library are hooked all at once.
    pub(crate) hooks_many: bool,
    pub(crate) choices: Vec<Choice>,
}

/// What does not depend on the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    /// There is a cgroup v2 hierarchy.
    pub(crate) cgroup: bool,
    /// Names are wanted.
    pub(crate) names: bool,
}

/// Decides.
pub(crate) fn plan(facts: &Facts, choice: FrontChoice, given: Given) -> Result<Plan, ProbeError> {
    let front = choose_front(facts, choice)?;
    let choices = PROGRAMS.iter().map(|program| choose(facts, front, given, program)).collect();
    Ok(Plan { front, hooks_many: facts.hooks_many, choices })
}

fn choose_front(facts: &Facts, choice: FrontChoice) -> Result<Front, ProbeError> {
    let candidates: &[Front] = match choice {
        FrontChoice::Auto => &[Front::Tracepoint, Front::Fexit],
        FrontChoice::Only(Front::Tracepoint) => &[Front::Tracepoint],
        FrontChoice::Only(Front::Fexit) => &[Front::Fexit],
    };
    let mut missing = Vec::new();
    for front in candidates {
        let absent: Vec<_> = PROGRAMS
            .iter()
            .filter(|p| p.role == Role::Calls(*front) && p.need == Need::Required)
            .filter(|p| !facts.present.contains(p.name))
            .map(|p| p.target)
            .collect();
        if absent.is_empty() {
            return Ok(*front);
        }
        missing.extend(absent);
    }
    Err(ProbeError::NoFront { release: facts.release.clone(), missing: missing.join(", ") })
}

fn choose(facts: &Facts, front: Front, given: Given, program: &'static Program) -> Choice {
    let yes = |why: &str| Choice { program, load: true, why: why.to_owned() };
    let no = |why: &str| Choice { program, load: false, why: why.to_owned() };
    if !facts.present.contains(program.name) {
        return no("this kernel does not have it");
    }
    if program.attach == Attach::Cgroup && !given.cgroup {
        return no("there is no cgroup v2 hierarchy");
    }
    if program.role == Role::Lookups && !given.names {
        return no("names are switched off");
    }
    match program.role {
        Role::Calls(of) if of == front => match front {
            Front::Tracepoint => yes("sees every socket call of every family"),
            Front::Fexit => yes("this kernel lacks the socket length tracepoints (Linux 6.3)"),
        },
        Role::Calls(_) => no("the other front sees the same calls"),
        Role::Again if front == Front::Fexit => no("the fexit front has none"),
        Role::Again if facts.preemptible => {
            yes("this kernel may preempt the first one (Linux 7.0)")
        }
        Role::Again => no("this kernel does not preempt the first one"),
        Role::Peers if front == Front::Fexit => no("the fexit front sees addresses itself"),
        Role::Peers if program.attach == Attach::Function => yes("addresses of raw datagrams"),
        Role::Peers => yes("addresses of datagrams"),
        Role::Rings => yes("AF_XDP sockets, whose bytes pass no call"),
        Role::Core if program.name == "fs_tcp_state" => yes("begin and end of TCP connections"),
        Role::Core if program.name == "fs_tcp_destroy" => yes("ends of TCP sockets"),
        Role::Core => yes("program runs and their lineage"),
        Role::OnDemand if program.name == "fs_tcp_read" => {
            yes("attached once TCP is read by splice or zero copy")
        }
        Role::OnDemand if program.name == "fs_received" => {
            yes("attached once datagrams are received without asking for the sender")
        }
        Role::OnDemand => yes("attached once a socket that is bound to no address sends datagrams"),
        Role::Lookups => yes("attached once a C library is found"),
        Role::Release => yes("ends of other sockets"),
        Role::Walk => yes("runs at start and on demand"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Given = Given { cgroup: true, names: true };
    const NO_CGROUP: Given = Given { cgroup: false, names: true };

    fn kernel(without: &[&str]) -> Facts {
        Facts {
            preemptible: false,
            hooks_many: true,
            present: PROGRAMS
                .iter()
                .filter(|p| !without.contains(&p.target))
                .map(|p| p.name)
                .collect(),
            release: "0.0-test".to_owned(),
        }
    }

    fn loaded(plan: &Plan) -> Vec<&'static str> {
        plan.choices.iter().filter(|c| c.load).map(|c| c.program.name).collect()
    }

    #[test]
    fn a_new_kernel_gets_the_tracepoint_front_with_peer_hooks() {
        let plan = plan(&kernel(&["inet_sendpage"]), FrontChoice::Auto, ALL).unwrap();
        assert_eq!(plan.front, Front::Tracepoint);
        let names = loaded(&plan);
        assert!(names.contains(&"fs_send") && names.contains(&"fs_peer_recv6"));
        assert!(!names.contains(&"fs_inet_sendmsg") && !names.contains(&"fs_xdp_sendmsg"));
        assert!(names.contains(&"fs_xdp_bind"));
    }

    #[test]
    fn where_programs_are_preempted_each_has_a_second() {
        let facts = Facts { preemptible: true, ..kernel(&[]) };
        let doubled = loaded(&plan(&facts, FrontChoice::Auto, ALL).unwrap());
        assert!(doubled.contains(&"fs_send_again") && doubled.contains(&"fs_recv_again"));
        let single = loaded(&plan(&kernel(&[]), FrontChoice::Auto, ALL).unwrap());
        assert!(!single.contains(&"fs_send_again"));
        let fexit = plan(&facts, FrontChoice::Only(Front::Fexit), ALL).unwrap();
        assert!(!loaded(&fexit).contains(&"fs_send_again"));
    }

    #[test]
    fn an_old_kernel_gets_the_fexit_front_without_peer_hooks() {
        let facts = kernel(&["sock_send_length", "sock_recv_length"]);
        let plan = plan(&facts, FrontChoice::Auto, ALL).unwrap();
        assert_eq!(plan.front, Front::Fexit);
        let names = loaded(&plan);
        assert!(names.contains(&"fs_inet_sendpage"));
        assert!(names.contains(&"fs_xdp_bind") && names.contains(&"fs_xdp_sendmsg"));
        assert!(!names.contains(&"fs_send") && !names.contains(&"fs_peer_send4"));
        assert!(!names.contains(&"fs_raw_send4"));
    }

    #[test]
    fn the_two_fronts_never_load_together() {
        for choice in [
            FrontChoice::Auto,
            FrontChoice::Only(Front::Tracepoint),
            FrontChoice::Only(Front::Fexit),
        ] {
            let plan = plan(&kernel(&[]), choice, ALL).unwrap();
            let fronts: std::collections::BTreeSet<_> = plan
                .choices
                .iter()
                .filter(|c| c.load)
                .filter_map(|c| match c.program.role {
                    Role::Calls(front) => Some(front.name()),
                    _ => None,
                })
                .collect();
            assert_eq!(fronts.len(), 1, "{choice:?}");
        }
    }

    #[test]
    fn without_either_front_the_error_names_what_is_missing() {
        let facts = kernel(&["sock_send_length", "inet_sendmsg"]);
        let error = plan(&facts, FrontChoice::Auto, ALL).unwrap_err().to_string();
        assert!(error.contains("sock_send_length") && error.contains("inet_sendmsg"), "{error}");
    }

    #[test]
    fn without_cgroups_sockets_end_by_the_second_choice() {
        let plan = plan(&kernel(&[]), FrontChoice::Auto, NO_CGROUP).unwrap();
        let names = loaded(&plan);
        assert!(names.contains(&"fs_tcp_destroy") && !names.contains(&"fs_release"));
    }

    #[test]
    fn without_names_c_libraries_are_left_alone() {
        let named = plan(&kernel(&[]), FrontChoice::Auto, ALL).unwrap();
        assert!(named.loads("fs_asked") && named.loads("fs_told"));
        let given = Given { names: false, ..ALL };
        let nameless = plan(&kernel(&[]), FrontChoice::Auto, given).unwrap();
        assert!(!nameless.loads("fs_asked") && !nameless.loads("fs_told"));
    }
}
