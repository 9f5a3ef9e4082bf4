//! Under which names this server answers: a page that made its own name point here gets nothing.

use std::net::{IpAddr, SocketAddr};

/// Names that are answered.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// `localhost`, and names that the user gave.
    pub(crate) fn new(named: &[String]) -> Self {
        let named = named.iter().map(|name| plain(name));
        Self(named.chain(["localhost".to_owned()]).collect())
    }

    /// Whether a Host header names us: by a known name, or by the very address that the connection
    /// came to. The port is left out, since a proxy in front has another.
    pub(crate) fn allow(&self, header: &str, local: SocketAddr) -> bool {
        let Some(host) = without_port(header) else { return false };
        if let Ok(addr) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            // Addresses need no name server, so nobody can have them mean something else.
            let named = self.0.iter().any(|name| *name == addr.to_string());
            return named || addr.to_canonical() == local.ip().to_canonical();
        }
        self.0.contains(&plain(host))
    }
}

fn plain(name: &str) -> String {
    name.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// The host alone; `None` for what is no host.
fn without_port(header: &str) -> Option<&str> {
    let (host, port) = match header.strip_prefix('[') {
        Some(rest) => {
            let end = rest.find(']')?;
            let port = header.get(end + 2..)?;
            (header.get(..end + 2)?, port.strip_prefix(':').or(port.is_empty().then_some("0"))?)
        }
        None => header.split_once(':').unwrap_or((header, "0")),
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    let good = !host.is_empty() && host.bytes().all(allowed) && port.parse::<u16>().is_ok();
    good.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_and_addresses_are_answered() {
        let hosts = Hosts::new(&["Snitch.example.org".to_owned(), "192.0.2.9".to_owned()]);
        let four: SocketAddr = "127.0.0.1:5100".parse().unwrap();
        let six: SocketAddr = "[::1]:5100".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:5100".parse().unwrap();
        for (header, local) in [
            ("127.0.0.1:5100", four),
            ("127.0.0.1", four),
            ("localhost:5100", four),
            ("LOCALHOST", six),
            ("localhost.:5100", six),
            ("[::1]:5100", six),
            ("[0:0::1]", six),
            ("192.0.2.1:5100", mapped),
            ("snitch.example.org", four),
            ("snitch.example.org:443", four),
            ("192.0.2.9", four),
        ] {
            assert!(hosts.allow(header, local), "{header}");
        }
        for header in [
            "",
            ":5100",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "192.0.2.1",
            "[::1]",
            "[::1",
            "[::1]x",
            "127.0.0.1:port",
            "127.0.0.1:70000",
            "user@localhost",
            "localhost/..",
            "localhost, evil.example",
            "127.1",
            "2130706433",
            "0x7f000001",
        ] {
            assert!(!hosts.allow(header, four), "{header}");
        }
    }
}
