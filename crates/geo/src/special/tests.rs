//! Every range by its first and last address and their neighbours; all addresses against what the
//! standard library says of some.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::Class;
use super::Kind;
use super::Scope;
use super::classify;
use super::kind;
use super::table;

/// First, last, name; names of the neighbours before and after. `-`: global; `.`: none.
const V4: [(&str, &str, &str, &str, &str); 21] = [
    ("0.0.0.0", "0.0.0.0", "unspecified", ".", "this-network"),
    ("0.0.0.1", "0.255.255.255", "this-network", "unspecified", "-"),
    ("10.0.0.0", "10.255.255.255", "private", "-", "-"),
    ("100.64.0.0", "100.127.255.255", "shared", "-", "-"),
    ("127.0.0.0", "127.255.255.255", "loopback", "-", "-"),
    ("169.254.0.0", "169.254.255.255", "link-local", "-", "-"),
    ("172.16.0.0", "172.31.255.255", "private", "-", "-"),
    ("192.0.0.0", "192.0.0.255", "protocol", "-", "-"),
    ("192.0.2.0", "192.0.2.255", "documentation", "-", "-"),
    ("192.88.99.0", "192.88.99.255", "6to4", "-", "-"),
    ("192.168.0.0", "192.168.255.255", "private", "-", "-"),
    ("198.18.0.0", "198.19.255.255", "benchmarking", "-", "-"),
    ("198.51.100.0", "198.51.100.255", "documentation", "-", "-"),
    ("203.0.113.0", "203.0.113.255", "documentation", "-", "-"),
    ("224.0.0.0", "224.0.0.255", "multicast link", "-", "multicast global"),
    ("224.0.1.0", "238.255.255.255", "multicast global", "multicast link", "multicast admin"),
    (
        "239.0.0.0",
        "239.191.255.255",
        "multicast admin",
        "multicast global",
        "multicast organization",
    ),
    (
        "239.192.0.0",
        "239.195.255.255",
        "multicast organization",
        "multicast admin",
        "multicast admin",
    ),
    ("239.255.0.0", "239.255.255.255", "multicast realm", "multicast admin", "reserved"),
    ("240.0.0.0", "255.255.255.254", "reserved", "multicast realm", "broadcast"),
    ("255.255.255.255", "255.255.255.255", "broadcast", "reserved", "."),
];

const LAST: &str = "ffff:ffff:ffff:ffff:ffff:ffff:ffff";

fn v6() -> Vec<(String, String, &'static str, &'static str, &'static str)> {
    // The last address, where it is the first's groups and then nothing but ones.
    let upto = |groups: &str| {
        let left = 8 - groups.split(':').count();
        format!("{groups}{}", ":ffff".repeat(left))
    };
    let row = |first: &str, last: String, name, before, after| {
        (first.to_owned(), last, name, before, after)
    };
    vec![
        row("::", "::".into(), "unspecified", ".", "loopback"),
        row("::1", "::1".into(), "loopback", "unspecified", "reserved"),
        row("64:ff9b:1::", upto("64:ff9b:1"), "nat64", "reserved", "reserved"),
        row("100::", upto("100:0:0:1"), "discard", "reserved", "reserved"),
        row("2001:1::", upto("2001:1"), "protocol", "teredo", "benchmarking"),
        row("2001:2::", upto("2001:2:0"), "benchmarking", "protocol", "protocol"),
        row("2001:3::", upto("2001:3"), "-", "protocol", "protocol"),
        row("2001:4:112::", upto("2001:4:112"), "-", "protocol", "protocol"),
        row("2001:10::", upto("2001:3f"), "identifier", "protocol", "protocol"),
        row("2001:40::", upto("2001:1ff"), "protocol", "identifier", "-"),
        row("2001:db8::", upto("2001:db8"), "documentation", "-", "-"),
        row("3fff::", upto("3fff:fff"), "documentation", "-", "-"),
        row("3fff:1000::", upto("3fff"), "-", "documentation", "reserved"),
        row("5f00::", upto("5f00"), "srv6", "reserved", "reserved"),
        row("fc00::", upto("fdff"), "unique-local", "reserved", "reserved"),
        row("fe80::", upto("febf"), "link-local", "reserved", "site-local"),
        row("fec0::", upto("feff"), "site-local", "link-local", "multicast undefined"),
        row("ff01::", upto("ff01"), "multicast interface", "multicast undefined", "multicast link"),
        row("ff02::", upto("ff02"), "multicast link", "multicast interface", "multicast realm"),
        row("ff03::", upto("ff03"), "multicast realm", "multicast link", "multicast admin"),
        row("ff04::", upto("ff04"), "multicast admin", "multicast realm", "multicast site"),
        row("ff05::", upto("ff05"), "multicast site", "multicast admin", "multicast undefined"),
        row(
            "ff38::",
            upto("ff38"),
            "multicast organization",
            "multicast undefined",
            "multicast undefined",
        ),
        row(
            "ff7e::",
            upto("ff7e"),
            "multicast global",
            "multicast undefined",
            "multicast undefined",
        ),
        row("ffff::", format!("ffff:{LAST}"), "multicast undefined", "multicast global", "."),
    ]
}

fn shown(address: IpAddr) -> String {
    match kind(address) {
        None => "-".into(),
        Some(Kind::Multicast(scope)) => format!("multicast {}", scope.name()),
        Some(kind) => kind.name().into(),
    }
}

#[test]
fn ranges_of_ipv4_begin_and_end_where_the_registry_says() {
    for (first, last, name, before, after) in V4 {
        let first: Ipv4Addr = first.parse().unwrap();
        let last: Ipv4Addr = last.parse().unwrap();
        assert_eq!(shown(first.into()), name, "{first}");
        assert_eq!(shown(last.into()), name, "{last}");
        if before != "." {
            let neighbour = Ipv4Addr::from_bits(first.to_bits() - 1);
            assert_eq!(shown(neighbour.into()), before, "{neighbour}");
        }
        if after != "." {
            let neighbour = Ipv4Addr::from_bits(last.to_bits() + 1);
            assert_eq!(shown(neighbour.into()), after, "{neighbour}");
        }
    }
}

#[test]
fn ranges_of_ipv6_begin_and_end_where_the_registry_says() {
    for (first, last, name, before, after) in v6() {
        let first: Ipv6Addr = first.parse().unwrap();
        let last: Ipv6Addr = last.parse().unwrap();
        assert_eq!(shown(first.into()), name, "{first}");
        assert_eq!(shown(last.into()), name, "{last}");
        if before != "." {
            let neighbour = Ipv6Addr::from_bits(first.to_bits() - 1);
            assert_eq!(shown(neighbour.into()), before, "{neighbour}");
        }
        if after != "." {
            let neighbour = Ipv6Addr::from_bits(last.to_bits() + 1);
            assert_eq!(shown(neighbour.into()), after, "{neighbour}");
        }
    }
}

#[test]
fn every_row_names_its_source() {
    let sources = table::V4.iter().map(|row| row.source);
    for source in sources.chain(table::V6.iter().map(|row| row.source)) {
        let number = source.strip_prefix("RFC ").unwrap();
        assert!(number.parse::<u16>().is_ok(), "{source}");
    }
}

/// The address by which `address` is looked up, or its kind.
fn found(address: &str) -> String {
    match classify(address.parse().unwrap()) {
        Class { kind: None, located_by: Some(by) } => by.to_string(),
        Class { kind: Some(kind), located_by: None } => kind.to_string(),
        other => panic!("{address} is both or neither: {other:?}"),
    }
}

#[test]
fn ipv4_within_ipv6_is_found() {
    for (address, by) in [
        ("8.8.8.8", "8.8.8.8"),
        ("2a00:1450::1", "2a00:1450::1"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("::ffff:10.1.2.3", "private"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::8.8.8.8", "8.8.8.8"),
        ("64:ff9b::192.168.1.1", "private"),
        ("64:ff9b::1:0:0", "reserved"),
        ("64:ff9b:1::808:808", "nat64"),
        // 8.8.8.8 in bytes 2-5.
        ("2002:808:808::1", "8.8.8.8"),
        ("2002:a00:1::1", "6to4"),
        ("2002:e000:1::1", "6to4"),
        // RFC 4380's example: client 192.0.2.45, server 65.54.227.120.
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "teredo"),
        // Server 65.54.227.120 and client 8.8.8.8.
        ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", "8.8.8.8"),
        // IPv4-compatible: nobody's since RFC 4291.
        ("::8.8.8.8", "reserved"),
        // Translated (SIIT), not mapped.
        ("::ffff:0:8.8.8.8", "reserved"),
        ("4000::1", "reserved"),
        // AS112: many places, but somebody's.
        ("192.175.48.1", "192.175.48.1"),
        ("2620:4f:8000::1", "2620:4f:8000::1"),
    ] {
        assert_eq!(found(address), by, "{address}");
    }
}

/// Addresses, half of them near the beginning or end of a range.
fn v4_addresses() -> impl Strategy<Value = Ipv4Addr> {
    let edges: Vec<u32> = V4
        .iter()
        .flat_map(|(first, last, ..)| {
            [first, last].map(|a| a.parse::<Ipv4Addr>().unwrap().to_bits())
        })
        .collect();
    let near = (prop::sample::select(edges), -300_i64..300);
    let near = near.prop_map(|(edge, by)| edge.wrapping_add_signed(i32::try_from(by).unwrap()));
    prop_oneof![any::<u32>(), near].prop_map(Ipv4Addr::from_bits)
}

fn v6_addresses() -> impl Strategy<Value = Ipv6Addr> {
    let edges: Vec<u128> = v6()
        .iter()
        .flat_map(|(first, last, ..)| {
            [first, last].map(|a| a.parse::<Ipv6Addr>().unwrap().to_bits())
        })
        .collect();
    let near = (prop::sample::select(edges), -70_000_i128..70_000);
    let near = near.prop_map(|(edge, by)| edge.wrapping_add_signed(by));
    let mapped = any::<u32>().prop_map(|v4| 0xffff_u128 << 32 | u128::from(v4));
    prop_oneof![any::<u128>(), near, mapped].prop_map(Ipv6Addr::from_bits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn ipv4_is_what_the_standard_library_says(address in v4_addresses()) {
        let kind = kind(address.into());
        prop_assert_eq!(kind == Some(Kind::Unspecified), address.is_unspecified());
        prop_assert_eq!(kind == Some(Kind::Private), address.is_private());
        prop_assert_eq!(kind == Some(Kind::Loopback), address.is_loopback());
        prop_assert_eq!(kind == Some(Kind::LinkLocal), address.is_link_local());
        prop_assert_eq!(matches!(kind, Some(Kind::Multicast(_))), address.is_multicast());
        prop_assert_eq!(kind == Some(Kind::Broadcast), address.is_broadcast());
        prop_assert_eq!(kind == Some(Kind::Documentation), address.is_documentation());
        prop_assert_eq!(classify(address.to_ipv6_mapped().into()), classify(address.into()));
    }

    #[test]
    fn ipv6_is_what_the_standard_library_says(address in v6_addresses()) {
        let class = classify(address.into());
        if let Some(inner) = address.to_ipv4_mapped() {
            prop_assert_eq!(class, classify(inner.into()));
            return Ok(());
        }
        let kind = class.kind;
        prop_assert_eq!(kind == Some(Kind::Unspecified), address.is_unspecified());
        prop_assert_eq!(kind == Some(Kind::Loopback), address.is_loopback());
        prop_assert_eq!(kind == Some(Kind::UniqueLocal), address.is_unique_local());
        prop_assert_eq!(kind == Some(Kind::LinkLocal), address.is_unicast_link_local());
        prop_assert_eq!(matches!(kind, Some(Kind::Multicast(_))), address.is_multicast());
        prop_assert_eq!(kind.is_some(), class.located_by.is_none());
    }
}

#[test]
fn scopes_have_names_of_their_own() {
    use Scope::{Admin, Global, Interface, Link, Organization, Realm, Site, Undefined};
    let names: std::collections::HashSet<_> =
        [Interface, Link, Realm, Admin, Site, Organization, Global, Undefined]
            .map(Scope::name)
            .into();
    assert_eq!(names.len(), 8);
}
