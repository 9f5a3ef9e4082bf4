//! What dimensions are called, for people.

use femtosnitch_store::Dimension;

/// Title, what it is, and whether its values are numbers.
pub(super) fn words(dimension: Dimension) -> (&'static str, &'static str, bool) {
    match dimension {
        Dimension::Exe => ("Program", "Path of the executable that moved the bytes", false),
        Dimension::Name => ("Process name", "What the process calls itself", false),
        Dimension::Cmdline => ("Command line", "The program with its arguments", false),
        Dimension::Sha256 => ("Digest", "SHA-256 of the executable", false),
        Dimension::Pexe => ("Parent", "Path of the program that launched it", false),
        Dimension::Pname => ("Parent's name", "What the launching process calls itself", false),
        Dimension::Pcmdline => ("Parent's command line", "The launcher with its arguments", false),
        Dimension::Psha256 => ("Parent's digest", "SHA-256 of the launcher", false),
        Dimension::Gpexe => ("Grandparent", "Path of the program that launched the parent", false),
        Dimension::Gpname => {
            ("Grandparent's name", "What the parent's launcher calls itself", false)
        }
        Dimension::Gpcmdline => {
            ("Grandparent's command line", "The parent's launcher with its arguments", false)
        }
        Dimension::Gpsha256 => ("Grandparent's digest", "SHA-256 of the parent's launcher", false),
        Dimension::Uid => ("User id", "Number of the user that the process runs as", true),
        Dimension::User => ("User", "Name of the user that the process runs as", false),
        Dimension::Container => ("Container id", "Id of the container that it runs in", false),
        Dimension::Ctname => ("Container", "Name of the container that it runs in", false),
        Dimension::Image => ("Container image", "Image of the container that it runs in", false),
        Dimension::Pod => ("Pod", "Kubernetes pod that it runs in", false),
        Dimension::Unit => ("Unit", "systemd unit that it runs in", false),
        Dimension::App => ("Application", "Desktop application that it belongs to", false),
        Dimension::Login => ("Login", "Who logged in, whatever su and sudo did since", false),
        Dimension::Script => ("Script", "Script that the interpreter runs", false),
        Dimension::Package => ("Package", "Package that the executable belongs to", false),
        Dimension::State => {
            ("Package state", "Whether the executable is what its package shipped", false)
        }
        Dimension::Domain => ("Domain", "Name of the other end, where it is known", false),
        Dimension::Namesource => ("Name source", "How the domain is known", false),
        Dimension::Raddr => ("Remote address", "Address of the other end", false),
        Dimension::Rport => ("Remote port", "Port of the other end", true),
        Dimension::Country => ("Country", "Where the other end's address is registered", false),
        Dimension::Asn => ("Network", "Autonomous system of the other end", false),
        Dimension::Org => ("Network operator", "Who runs the other end's network", false),
        Dimension::Laddr => ("Local address", "Address of this machine", false),
        Dimension::Lport => ("Local port", "Port of this machine", true),
        Dimension::Protocol => ("Protocol", "IP protocol number: 6 TCP, 17 UDP, 1 ICMP", true),
        Dimension::Family => ("Address family", "AF number: 2 IPv4, 10 IPv6, 17 packet", true),
        Dimension::Netns => ("Network namespace", "Inode number of the namespace", true),
        Dimension::Pid => ("Process id", "Number of the process; kept with single rows only", true),
        Dimension::Direction => ("Direction", "Who began the conversation", false),
        Dimension::Outcome => ("Outcome", "What became of the connection", false),
        Dimension::Minute => ("Minute", "Unix second at which the minute begins", true),
        Dimension::Hour => ("Hour", "Unix second at which the hour begins (UTC)", true),
        Dimension::Day => ("Day", "Unix second at which the day begins (UTC)", true),
    }
}
