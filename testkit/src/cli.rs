//! The command line.

mod names;

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use femtosnitch_testkit::nameless::Nameless;
use femtosnitch_testkit::nameless::Way;
use femtosnitch_testkit::peer::datagram::Medium;
use femtosnitch_testkit::peer::datagram::Receiving;
use femtosnitch_testkit::peer::stream::Dress;
use femtosnitch_testkit::peer::stream::Reading;
use femtosnitch_testkit::traffic::Plan;

pub(crate) use names::Names;

/// Makes traffic of exactly known volume and prints what each process moved, as JSON.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) job: Job,
}

/// How much, and under which mark.
#[derive(Debug, Args)]
pub(crate) struct Size {
    /// Shows in the arguments of every process of this run
    #[arg(long, default_value = "testkit")]
    pub(crate) tag: String,
    /// Bytes of the larger direction of a stream
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) bytes: u64,
    /// Bytes a call
    #[arg(long, default_value_t = 16_384, value_parser = clap::value_parser!(u64).range(1..1 << 24))]
    pub(crate) chunk: u64,
    /// Datagrams or connections
    #[arg(long, default_value_t = 40)]
    pub(crate) rounds: u64,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Between which addresses.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Named network namespace (`ip netns`) that the peer processes are started in
    #[arg(long, value_name = "NAME")]
    pub(crate) peer_netns: Option<String>,
    /// Where peers listen for IPv4
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv4Addr::LOCALHOST)]
    pub(crate) bind4: Ipv4Addr,
    /// Where peers listen for IPv6
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv6Addr::LOCALHOST)]
    pub(crate) bind6: Ipv6Addr,
}

impl Place {
    /// The same place as arguments.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let named = self.peer_netns.iter().map(|name| format!("--peer-netns={name}"));
        let bound = [format!("--bind4={}", self.bind4), format!("--bind6={}", self.bind6)];
        named.chain(bound).collect()
    }
}

impl Size {
    pub(crate) fn plan(&self) -> Plan {
        let chunk = usize::try_from(self.chunk).unwrap_or(usize::MAX);
        Plan {
            tag: self.tag.clone(),
            bytes: self.bytes,
            chunk,
            rounds: self.rounds,
            peer_netns: self.place.peer_netns.clone(),
            bind4: self.place.bind4,
            bind6: self.place.bind6,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// One kind of traffic (`kinds` lists them) between processes made for it
    Traffic {
        kind: String,
        #[command(flatten)]
        size: Size,
    },
    /// Lists the kinds of traffic
    Kinds,
    /// Runs every kind of traffic and checks that its ends agree
    Selftest {
        #[command(flatten)]
        size: Size,
    },
    /// Many short-lived processes that connect, send and exit
    Many {
        #[arg(long)]
        tag: String,
        #[arg(long, default_value_t = 1000)]
        processes: u64,
        #[arg(long, default_value_t = 1000)]
        bytes: u64,
        #[arg(long, default_value_t = 8)]
        at_once: usize,
    },
    /// A TCP connection that moves `UP DOWN` bytes for every such line of standard input
    Steps {
        #[arg(long)]
        tag: String,
        #[arg(long, default_value_t = 16_384)]
        chunk: usize,
        /// The first thread ends at once, another goes on
        #[arg(long)]
        leaderless: bool,
        /// The client reads by splice(2)
        #[arg(long)]
        splice: bool,
    },
    /// Starts `shortlived` as an orphaned grandchild
    Launch {
        #[arg(long)]
        tag: String,
        #[arg(long)]
        to: SocketAddr,
        #[arg(long)]
        bytes: u64,
    },
    /// A web server that answers every request with so many bytes
    Httpd {
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        #[arg(long)]
        bytes: usize,
        /// Bytes a second at most, sent evenly; 0 for no limit
        #[arg(long, default_value_t = 0)]
        rate: usize,
        #[arg(long, default_value = "")]
        tag: String,
    },
    /// Frames by the rings of an AF_XDP socket, which stays open until standard input closes
    Xdp {
        #[arg(long)]
        tag: String,
        #[arg(long, default_value_t = 0)]
        frames: u64,
    },
    /// A block device whose blocks the kernel fetches from a server (nbd)
    Nbd {
        #[arg(long)]
        tag: String,
        /// Has to be unused
        #[arg(long)]
        device: PathBuf,
        #[arg(long, default_value_t = 1_000_000)]
        bytes: u32,
    },
    /// A file system that shows one executable, mounted for a user; unmounted by whoever asked
    Fuse {
        /// The mount point
        #[arg(long)]
        at: PathBuf,
        /// What the executable holds
        #[arg(long)]
        file: PathBuf,
        /// What it is called there
        #[arg(long)]
        name: String,
        /// Whose file system it is: the server goes on as this user
        #[arg(long)]
        user: u32,
        /// Others may look at it as well
        #[arg(long)]
        shared: bool,
        /// Reads by who opens the file after this many times stay without an answer
        #[arg(long, default_value_t = u64::MAX)]
        answers: u64,
    },
    /// Executes the contents of a file that has no name by then
    Nameless {
        #[arg(long, value_enum)]
        what: Nameless,
        #[arg(long, value_enum)]
        by: Way,
        file: PathBuf,
    },
    /// Programs that know a host by its name
    Names {
        /// Shows in the arguments
        #[arg(long, default_value = "testkit")]
        tag: String,
        #[command(subcommand)]
        how: Names,
    },
    /// Loops and loads for measurements
    #[command(subcommand)]
    Bench(Bench),
    /// Runs a command without some capabilities (numbers as in linux/capability.h)
    DropCaps {
        #[arg(long, value_delimiter = ',')]
        caps: Vec<u32>,
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<String>,
    },
    /// Moves the machine's wall clock: only in a virtual machine made for it
    #[command(hide = true)]
    StepClock {
        #[arg(long, allow_hyphen_values = true)]
        seconds: i64,
    },
    /// The other end of some traffic, started by it
    #[command(hide = true, subcommand)]
    Peer(PeerKind),
    /// Connects, sends, is gone
    #[command(hide = true)]
    Shortlived {
        #[arg(long)]
        to: SocketAddr,
        #[arg(long)]
        bytes: u64,
        #[arg(long)]
        tag: String,
    },
    /// Uses a connection passed over standard input
    #[command(hide = true)]
    Taker {
        #[arg(long)]
        bytes: u64,
        #[arg(long)]
        chunk: usize,
        #[arg(long)]
        tag: String,
    },
    /// Second half of `traffic exec`
    #[command(hide = true)]
    AfterExec {
        #[arg(long)]
        tag: String,
    },
    /// Does nothing
    #[command(hide = true)]
    NoOp,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// A datagram there and back
    UdpPingpong {
        #[arg(long, default_value_t = 100_000)]
        rounds: u64,
        #[arg(long, default_value_t = 64)]
        size: usize,
        /// Each call names its peer
        #[arg(long)]
        unconnected: bool,
    },
    /// A message there and back
    TcpPingpong {
        #[arg(long, default_value_t = 100_000)]
        rounds: u64,
        #[arg(long, default_value_t = 64)]
        size: usize,
    },
    /// Bytes through one connection
    TcpBulk {
        #[arg(long, default_value_t = 4 << 30)]
        bytes: u64,
        #[arg(long, default_value_t = 131_072)]
        chunk: usize,
    },
    /// Connections of one byte each way
    ConnectClose {
        #[arg(long, default_value_t = 10_000)]
        rounds: u64,
    },
    /// Programs started
    ExecRate {
        #[arg(long, default_value_t = 1000)]
        rounds: u64,
    },
    /// Programs that differ, each of which sends a datagram
    Programs {
        #[arg(long)]
        directory: PathBuf,
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[arg(long)]
        count: u64,
        #[arg(long, default_value_t = 1)]
        runs: u64,
    },
    /// Sockets that are open until standard input closes
    IdleSockets {
        #[arg(long, default_value_t = 10_000)]
        count: u64,
        /// Bytes moved over each pair
        #[arg(long, default_value_t = 100)]
        bytes: usize,
        /// Pairs that move bytes every second
        #[arg(long, default_value_t = 0)]
        active: usize,
        /// TCP instead of UDP
        #[arg(long)]
        tcp: bool,
    },
    /// Datagrams that nobody reads
    UdpFlood {
        #[arg(long, default_value_t = 100_000)]
        total: u64,
        #[arg(long, default_value_t = 64)]
        size: usize,
        /// Datagrams a second, 0 for as many as possible
        #[arg(long, default_value_t = 0)]
        rate: u64,
    },
    /// Replies of a resolver, each taken before the next
    DnsReplies {
        #[arg(long, default_value_t = 100_000)]
        total: u64,
        /// Replies a second, 0 for as many as possible
        #[arg(long, default_value_t = 0)]
        rate: u64,
        /// Names that they are about
        #[arg(long, default_value_t = 1000)]
        names: u32,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PeerKind {
    /// One TCP connection
    Stream {
        #[arg(long)]
        bind: SocketAddr,
        #[arg(long, value_enum, default_value = "tcp")]
        dress: Dress,
        #[arg(long, value_enum, default_value = "plain")]
        reading: Reading,
        #[arg(long, default_value_t = 16_384)]
        chunk: usize,
        #[arg(long)]
        tag: String,
    },
    /// Many TCP connections
    Sink {
        #[arg(long)]
        bind: SocketAddr,
        /// The first packet may carry data
        #[arg(long)]
        fast_open: bool,
        #[arg(long)]
        tag: String,
    },
    /// A server of blocks (nbd)
    Blocks {
        #[arg(long)]
        bind: SocketAddr,
        #[arg(long)]
        bytes: usize,
        #[arg(long)]
        tag: String,
    },
    /// No TCP connection: a port where nobody listens
    Closed {
        #[arg(long)]
        bind: SocketAddr,
        #[arg(long)]
        tag: String,
    },
    /// Datagrams
    Datagram {
        #[arg(long, value_enum)]
        medium: Medium,
        #[arg(long)]
        bind: SocketAddr,
        #[arg(long, value_enum)]
        receiving: Receiving,
        /// Address of the interface where a multicast group is to be heard
        #[arg(long)]
        join: Option<Ipv4Addr>,
        #[arg(long)]
        tag: String,
    },
}
