//! The system's resolvers: the servers whose replies are believed.

use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

use femtosnitch_engine::NameRules;

use crate::config;

/// Where they are listed; the second has those that systemd-resolved asks.
const LISTS: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// No such file is this long.
const LONGEST: u64 = 64 << 10;

/// What a list looked like when it was read.
type Stamp = Option<(SystemTime, u64)>;

/// Reads the lists, and again when they change.
#[derive(Debug)]
pub(super) struct Resolvers {
    config: config::Names,
    stamps: [Stamp; 2],
}

impl Resolvers {
    pub(super) fn new(config: config::Names) -> Self {
        Self { config, stamps: [None; 2] }
    }

    pub(super) fn set_config(&mut self, config: config::Names) {
        *self = Self::new(config);
    }

    /// The rules, if they are others than last time.
    pub(super) fn news(&mut self) -> Option<NameRules> {
        let stamps = LISTS.map(stamp);
        if self.stamps == stamps && self.stamps != [None; 2] {
            return None;
        }
        self.stamps = stamps;
        let mut resolvers = self.config.resolvers.clone();
        for list in LISTS {
            resolvers.extend(servers(&read(list)));
        }
        Some(NameRules { resolvers, ptr: self.config.ptr })
    }
}

fn stamp(path: &str) -> Stamp {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

fn read(path: impl AsRef<Path>) -> String {
    use std::io::Read;
    let mut text = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        // What cannot be read lists nobody: replies are then shown as by others.
        drop(file.take(LONGEST).read_to_end(&mut text));
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// resolv.conf(5).
fn servers(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        // An address of a link carries its name: fe80::1%eth0.
        let address = address.split('%').next()?;
        address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
    };
    text.lines().filter_map(server).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_from_a_list_of_any_kind() {
        let text = "# nameserver 192.0.2.9\nnameserver 192.0.2.53\n  nameserver\tfe80::1%eth0 # x\n\
                    search example.org\nnameserver\nnameserver nonsense\nnameserver ::ffff:192.0.2.7";
        let wanted: [IpAddr; 3] =
            ["192.0.2.53", "fe80::1", "192.0.2.7"].map(|it| it.parse().unwrap());
        assert_eq!(servers(text), wanted);
        assert_eq!(servers(""), [] as [IpAddr; 0]);
    }

    #[test]
    fn the_rules_are_told_once() {
        let config =
            config::Names { resolvers: vec!["192.0.2.1".parse().unwrap()], ..Default::default() };
        let mut resolvers = Resolvers::new(config.clone());
        assert!(resolvers.news().unwrap().resolvers.contains(&config.resolvers[0]));
        let any = LISTS.iter().any(|list| stamp(list).is_some());
        assert_eq!(resolvers.news().is_none(), any);
    }
}
