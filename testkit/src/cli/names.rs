//! The command line of `names`.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use clap::Args;
use clap::Subcommand;
use femtosnitch_testkit::names::Ask;
use femtosnitch_testkit::names::Asked;
use femtosnitch_testkit::names::Fetch;
use femtosnitch_testkit::names::Opening;
use femtosnitch_testkit::names::Over;
use femtosnitch_testkit::names::Taking;

/// What is done with the address of a name.
#[derive(Debug, Args)]
pub(crate) struct Then {
    /// Fetches from the web server at this port
    #[arg(long)]
    port: u16,
    /// Says when the name is resolved, and waits for a line of standard input
    #[arg(long)]
    hold: bool,
}

impl Then {
    pub(crate) fn fetch(&self) -> Fetch {
        Fetch { port: self.port, hold: self.hold }
    }
}

/// A question to a resolver.
#[derive(Debug, Args)]
pub(crate) struct Question {
    #[arg(long)]
    server: SocketAddr,
    #[arg(long)]
    name: String,
    /// What of the name
    #[arg(long = "type", value_enum, default_value = "a")]
    asked: Asked,
    #[arg(long, value_enum, default_value = "udp")]
    over: Over,
    /// The call that takes the reply
    #[arg(long, value_enum, default_value = "from")]
    taking: Taking,
}

impl Question {
    pub(crate) fn ask(self) -> Ask {
        let Self { server, name, asked, over, taking } = self;
        Ask { server, name, asked, over, taking }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Names {
    /// Asks a resolver by own messages, then fetches
    Resolve {
        #[command(flatten)]
        question: Question,
        #[command(flatten)]
        then: Then,
    },
    /// Asks getaddrinfo(3), then fetches
    Look {
        #[arg(long)]
        name: String,
        /// Milliseconds from its start until it asks
        #[arg(long, default_value_t = 0)]
        after: u64,
        #[command(flatten)]
        then: Then,
    },
    /// Fetches from an address
    Fetch {
        #[arg(long)]
        to: SocketAddr,
    },
    /// Fetches over TLS from an address, naming a host
    Tls {
        #[arg(long)]
        to: SocketAddr,
        #[arg(long)]
        name: String,
        /// Bytes of the first of two calls that send the hello
        #[arg(long)]
        split_at: Option<usize>,
    },
    /// Fetches over QUIC from an address, naming a host
    Quic {
        #[arg(long)]
        to: SocketAddr,
        #[arg(long)]
        name: String,
    },
    /// Begins a connection to a web server in an odd way
    Open {
        #[arg(long)]
        to: SocketAddr,
        #[arg(long = "with", value_enum)]
        opening: Opening,
    },
    /// Tells everybody by multicast DNS where a name is
    Tell {
        #[arg(long)]
        from: Ipv4Addr,
        #[arg(long)]
        name: String,
        #[arg(long)]
        address: IpAddr,
    },
    /// Hears such a message, then fetches from an address
    Overhear {
        #[arg(long)]
        here: Ipv4Addr,
        #[arg(long)]
        to: SocketAddr,
    },
    /// A resolver that knows a few names, over UDP and TCP
    ServeDns {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long = "record", value_name = "NAME=ADDRESS")]
        records: Vec<String>,
    },
    /// A web server over TLS that answers every request with so many bytes
    ServeTls {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        bytes: usize,
    },
    /// The same over QUIC
    ServeQuic {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        bytes: usize,
    },
}
