//! Who is out there: 20,000 addresses, the 5,000 names that most of them have, and where they are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::Mutex;

use femtosnitch_model::Location;
use femtosnitch_store::Locate;
use femtosnitch_store::Locator;

use super::random::Random;
use super::random::Zipf;

/// Names.
pub const NAMES: usize = 5_000;
/// Addresses that are not of the local network.
pub const ADDRESSES: usize = 20_000;
/// Addresses without a name, among them.
const NAMELESS: usize = 2_000;
/// Most addresses of one name.
const ADDRESSES_OF_NAME: u32 = 8;
/// Autonomous systems.
const SYSTEMS: u16 = 1_200;
/// In the order of how much is there.
const COUNTRIES: &[&str] = &[
    "US", "DE", "IE", "NL", "FR", "GB", "SE", "FI", "CA", "JP", "SG", "CH", "AT", "PL", "IT", "ES",
    "CZ", "DK", "NO", "BE", "AU", "IN", "BR", "CN", "RU", "UA", "KR", "HK", "TW", "ZA", "MX", "AR",
    "CL", "RO", "BG", "HU", "PT", "GR", "TR", "IL", "AE", "TH", "VN", "ID", "MY", "PH", "NZ", "EE",
    "LV", "LT", "LU", "IS", "SK", "SI", "HR", "RS", "EG", "KE", "NG", "MA",
];
const SUFFIXES: &[&str] = &["com", "net", "org", "io", "de", "dev", "co.uk", "app", "cloud", "fr"];
const SUBDOMAINS: &[&str] = &["www", "api", "cdn", "static", "mail", "img", "auth", "eu", "a1", ""];

/// The other end of some conversations.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) addr: IpAddr,
    /// Typical round-trip time, microseconds.
    pub(crate) rtt_us: u32,
}

/// A name and its addresses.
#[derive(Debug)]
pub(crate) struct Site {
    /// In reverse notation.
    pub(crate) domain: Arc<str>,
    /// Places in [`Network::hosts`], the most used first.
    pub(crate) hosts: Vec<usize>,
}

/// Everybody out there.
#[derive(Debug)]
pub(crate) struct Network {
    /// The most visited first.
    pub(crate) sites: Vec<Site>,
    pub(crate) hosts: Vec<Host>,
    /// Where those without a name begin.
    pub(crate) nameless: usize,
    locations: HashMap<IpAddr, Location>,
}

impl Network {
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut locations = HashMap::with_capacity(ADDRESSES);
        let systems = systems(random);
        let zipf = Zipf::new(SYSTEMS.into(), 0.9);
        let mut hosts = Vec::with_capacity(ADDRESSES);
        while hosts.len() < ADDRESSES {
            let Some((block, place)) = systems.get(zipf.sample(random, systems.len())) else {
                break;
            };
            let addr = address(random, *block);
            if locations.insert(addr, place.clone()).is_none() {
                let rtt = random.log_normal(28_000.0, 0.7).clamp(1_500, 400_000);
                hosts.push(Host { addr, rtt_us: u32::try_from(rtt).unwrap_or(u32::MAX) });
            }
        }
        let nameless = ADDRESSES - NAMELESS;
        let sites = (0..NAMES).map(|at| site(random, at, nameless)).collect();
        Self { sites, hosts, nameless, locations }
    }

    /// The address of a host, if that is IPv4.
    pub(crate) fn v4(&self, host: usize) -> Option<Ipv4Addr> {
        match self.hosts.get(host)?.addr {
            IpAddr::V4(addr) => Some(addr),
            IpAddr::V6(_) => None,
        }
    }

    /// Tells where the addresses are, always the same.
    pub(crate) fn locator(&self) -> Locator {
        Arc::new(Mutex::new(Atlas(self.locations.clone())))
    }
}

/// First 16 bits of its addresses, and where it is.
fn systems(random: &mut Random) -> Vec<(u16, Location)> {
    let zipf = Zipf::new(u32::try_from(COUNTRIES.len()).unwrap_or(1), 1.1);
    (0..SYSTEMS)
        .map(|at| {
            let country = COUNTRIES.get(zipf.sample(random, COUNTRIES.len())).copied();
            let number = u32::from(at);
            let location = Location {
                country: country.unwrap_or_default().into(),
                asn: 1_000 + 37 * number,
                org: format!("Network {number} of {}", country.unwrap_or_default()).into(),
            };
            // 23.0.0.0 to 91.255.0.0, spread.
            (23 * 256 + at.wrapping_mul(7919) % (69 * 256), location)
        })
        .collect()
}

/// One in twelve is IPv6.
fn address(random: &mut Random, block: u16) -> IpAddr {
    let [low, high, more, ..] = random.number().to_le_bytes();
    let [first, second] = block.to_be_bytes();
    if random.chance(1.0 / 12.0) {
        let last = u16::from_le_bytes([low, high]);
        Ipv6Addr::new(0x2a02, block, more.into(), 0, 0, 0, 0, last).into()
    } else {
        Ipv4Addr::new(first, second, high, low).into()
    }
}

/// Each with 1 to 8 addresses: mostly of its own, some shared with many others as those of a CDN.
fn site(random: &mut Random, at: usize, nameless: usize) -> Site {
    let own = nameless / NAMES;
    let suffix = SUFFIXES.get(random.weighted(&[9.0, 3.0, 3.0, 2.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0]));
    let mut labels: Vec<String> =
        suffix.copied().unwrap_or("com").rsplit('.').map(str::to_owned).collect();
    // Three names in a domain, on average.
    labels.push(format!("site{}", at / 3));
    let subdomain = SUBDOMAINS.get((at + at / 3) % SUBDOMAINS.len()).copied().unwrap_or_default();
    if !subdomain.is_empty() {
        labels.push(subdomain.to_owned());
    }
    if at.is_multiple_of(17) {
        labels.push(format!("edge-{at}"));
    }
    let wanted = random.geometric(3.6).min(ADDRESSES_OF_NAME);
    let hosts = (0..wanted).map(|which| {
        let which = usize::try_from(which).unwrap_or(0);
        if which < own { at * own + which } else { random.below(nameless) }
    });
    Site { domain: labels.join(".").into(), hosts: hosts.collect() }
}

/// A database of countries that never changes.
#[derive(Debug)]
struct Atlas(HashMap<IpAddr, Location>);

impl Locate for Atlas {
    fn refresh(&mut self) -> bool {
        false
    }

    fn locate(&mut self, addr: IpAddr) -> Location {
        let set_aside = |name: &str| Location { country: name.into(), ..Location::default() };
        match addr {
            addr if addr.is_loopback() => set_aside("(loopback)"),
            IpAddr::V4(v4) if v4.is_private() => set_aside("(private)"),
            addr => self.0.get(&addr).cloned().unwrap_or_default(),
        }
    }
}
