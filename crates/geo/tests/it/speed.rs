//! How fast a real database answers. By hand:
//!
//! ```sh
//! cargo xtask geoip
//! cargo test --release -p femtosnitch-geo --test it -- --ignored --nocapture a_million
//! ```
//!
//! `FEMTOSNITCH_GEO_DATABASE` names another file with countries.

use std::hint::black_box;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Instant;

use femtosnitch_geo::Choice;
use femtosnitch_geo::Databases;
use femtosnitch_geo::Search;

/// Where a real database should be: what was named, or what `cargo xtask geoip` fetched.
pub(crate) fn database() -> PathBuf {
    match std::env::var_os("FEMTOSNITCH_GEO_DATABASE") {
        Some(path) => path.into(),
        None => {
            // TARGET/debug/deps/it-…
            let test = std::env::current_exe().unwrap();
            test.ancestors().nth(3).unwrap().join("share/femtosnitch/dbip-country.mmdb")
        }
    }
}

/// Addresses without an order, every fourth of IPv6 within what is handed out.
pub(crate) fn addresses(count: usize) -> Vec<IpAddr> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut address = |index: usize| -> IpAddr {
        if index.is_multiple_of(4) {
            let (high, low) = (next(), next());
            // 2000::/4, most of which somebody has within the first bits.
            let high = high >> 12 & 0x000f_ffff_ffff_ffff | 0x2 << 60 | (next() & 0xf) << 56;
            Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into()
        } else {
            Ipv4Addr::from_bits(u32::try_from(next() >> 32).unwrap()).into()
        }
    };
    (0..count).map(&mut address).collect()
}

#[test]
#[ignore = "a measurement on a database that is not in the repository"]
fn a_million_look_ups() {
    let path = database();
    let begun = Instant::now();
    let search = Search { country: Choice::File(path), directories: vec![], ..Search::default() };
    let places = Databases::open(&search).places();
    println!("opened and checked in {:?}", begun.elapsed());
    let addresses = addresses(1_000_000);
    for round in 0..3 {
        let begun = Instant::now();
        let mut known = 0_usize;
        for address in &addresses {
            let place = places.find(black_box(*address)).unwrap();
            known += usize::from(place.answer.country.is_some());
        }
        let took = begun.elapsed();
        println!("round {round}: 1,000,000 look-ups in {took:?}, {known} with a country");
        assert!(known > 500_000, "{known}");
    }
}
