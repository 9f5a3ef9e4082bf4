//! Files that are found, replaced, broken and taken away while they are in use.

use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use femtosnitch_geo::Choice;
use femtosnitch_geo::Databases;
use femtosnitch_geo::Error;
use femtosnitch_geo::Keep;
use femtosnitch_geo::Places;
use femtosnitch_geo::Search;
use femtosnitch_geo::special::Kind;

use crate::fixture::countries;
use crate::fixture::put;
use crate::fixture::systems;
use crate::mmdb::Value;
use crate::mmdb::Writer;
use crate::mmdb::map;
use crate::mmdb::text;

/// Country and system of an address.
fn found(places: &Places, address: &str) -> (String, u32) {
    let place = places.find(address.parse().unwrap()).unwrap();
    let country = place.answer.country.map_or("-".into(), |country| country.to_string());
    (country, place.answer.asn.unwrap_or(0))
}

fn country(databases: &Databases) -> String {
    found(&databases.places(), "8.8.8.8").0
}

/// Whether the old one is kept, of each problem.
fn kept(databases: &Databases) -> Vec<bool> {
    databases.problems().map(|problem| problem.kept).collect()
}

fn named(country: &Path) -> Search {
    Search { country: Choice::File(country.into()), directories: vec![], ..Search::default() }
}

#[test]
fn a_replaced_file_is_picked_up_and_old_handles_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = put(&directory.path().join("x.mmdb"), &countries("US").bytes());
    let mut databases = Databases::open(&named(&path));
    let before = databases.places();
    assert_eq!(country(&databases), "US");
    assert!(!databases.refresh_if_changed());

    put(&path, &countries("DE").bytes());
    assert!(databases.refresh_if_changed());
    assert_eq!(country(&databases), "DE");
    assert_eq!(found(&before, "8.8.8.8").0, "US");
    assert!(!databases.refresh_if_changed());
    assert_eq!(kept(&databases), []);
}

#[test]
fn a_bad_replacement_is_refused_and_said_why_until_a_good_one_comes() {
    let directory = tempfile::tempdir().unwrap();
    let good = countries("US").bytes();
    let path = put(&directory.path().join("x.mmdb"), &good);
    let mut databases = Databases::open(&named(&path));

    let other = Writer::new(24, 4).with("8.0.0.0/8", map([("is_proxy", Value::U16(1))])).bytes();
    for bad in [&good[..good.len() / 2], b"", b"<html>404 Not Found</html>", &other] {
        put(&path, bad);
        for _ in 0..2 {
            assert!(!databases.refresh_if_changed());
            assert_eq!(country(&databases), "US");
            assert_eq!(kept(&databases), [true]);
        }
        let problem = databases.problems().next().unwrap().error.to_string();
        assert!(problem.contains("x.mmdb"), "{problem}");
    }

    std::fs::remove_file(&path).unwrap();
    assert!(!databases.refresh_if_changed());
    assert_eq!((country(&databases).as_str(), kept(&databases)), ("US", vec![true]));

    put(&path, &countries("FR").bytes());
    assert!(databases.refresh_if_changed());
    assert_eq!((country(&databases).as_str(), kept(&databases)), ("FR", vec![]));
}

#[test]
fn truncated_in_place_the_old_one_answers_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = put(&directory.path().join("x.mmdb"), &countries("US").bytes());
    let mut databases = Databases::open(&named(&path));
    let places = databases.places();
    // A mapping would end this process here.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    assert_eq!(found(&places, "8.8.8.8").0, "US");
    assert_eq!(found(&places, "2a00::1").0, "US");
    assert!(!databases.refresh_if_changed());
    assert_eq!((country(&databases).as_str(), kept(&databases)), ("US", vec![true]));
}

#[test]
fn what_is_good_is_kept_where_the_caller_says() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (countries("US").bytes(), countries("DE").bytes());
    let path = put(&directory.path().join("x.mmdb"), &first);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&kept);
    let keep = Keep::by(move |bytes| {
        let bytes = Arc::new(bytes);
        all.lock().unwrap().push(Arc::clone(&bytes));
        bytes
    });
    let mut databases = Databases::open_with(&named(&path), keep);
    assert_eq!(country(&databases), "US");
    put(&path, &second[..second.len() / 2]);
    assert!(!databases.refresh_if_changed());
    put(&path, &second);
    assert!(databases.refresh_if_changed());
    assert_eq!(country(&databases), "DE");
    let kept = kept.lock().unwrap();
    assert_eq!(kept.iter().map(|bytes| bytes.as_slice()).collect::<Vec<_>>(), [&first, &second]);
    assert_eq!(kept.iter().map(Arc::strong_count).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn as_large_and_as_old_it_is_still_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = put(&directory.path().join("x.mmdb"), &countries("US").bytes());
    let before = std::fs::metadata(&path).unwrap();
    let mut databases = Databases::open(&named(&path));
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let fresh = countries("DE").bytes();
    assert_eq!(fresh.len() as u64, before.len());
    // The clock of file systems moves in steps of some milliseconds.
    while std::fs::metadata(&path).unwrap().ctime_nsec() == before.ctime_nsec() {
        file.write_all_at(&fresh, 0).unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
    }
    assert!(databases.refresh_if_changed());
    assert_eq!(country(&databases), "DE");
}

#[test]
fn a_named_file_that_is_missing_is_told_and_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.mmdb");
    let mut databases = Databases::open(&named(&path));
    assert_eq!(kept(&databases), [false]);
    let problem = &databases.problems().next().unwrap().error;
    assert!(matches!(problem, Error::Unreadable { .. }), "{problem}");
    assert_eq!(found(&databases.places(), "8.8.8.8"), ("-".into(), 0));
    put(&path, &countries("US").bytes());
    assert!(databases.refresh_if_changed());
    assert_eq!((country(&databases).as_str(), kept(&databases)), ("US", vec![]));
}

#[test]
fn the_first_good_file_of_the_usual_places_is_used() {
    let root = tempfile::tempdir().unwrap();
    let directory = |name: &str| -> PathBuf {
        let path = root.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    };
    let (first, second) = (directory("first"), directory("second"));
    let fallback = put(&root.path().join("ours.mmdb"), &countries("US").bytes());
    let directories = vec![root.path().join("none"), first.clone(), second.clone()];
    let search = Search {
        directories,
        fallback: vec![root.path().join("none.mmdb"), fallback],
        ..Search::default()
    };
    let mut databases = Databases::open(&search);
    assert_eq!((country(&databases).as_str(), kept(&databases)), ("US", vec![]));

    // A distribution's is preferred to ours, a broken one passed over.
    put(&second.join("GeoLite2-Country.mmdb"), &countries("DE").bytes());
    assert!(databases.refresh_if_changed());
    assert_eq!(country(&databases), "DE");
    let broken = put(&first.join("dbip-country-lite.mmdb"), b"broken");
    assert!(!databases.refresh_if_changed());
    assert_eq!((country(&databases).as_str(), kept(&databases)), ("DE", vec![false]));
    put(&broken, &countries("FR").bytes());
    assert!(databases.refresh_if_changed());
    assert_eq!((country(&databases).as_str(), kept(&databases)), ("FR", vec![]));

    // In use and broken, it is kept; removed, the next one serves.
    put(&broken, b"broken");
    assert!(!databases.refresh_if_changed());
    assert_eq!((country(&databases).as_str(), kept(&databases)), ("FR", vec![true]));
    std::fs::remove_file(&broken).unwrap();
    assert!(databases.refresh_if_changed());
    assert_eq!((country(&databases).as_str(), kept(&databases)), ("DE", vec![]));
    let about: Vec<_> = databases.about().map(|about| about.path.clone()).collect();
    assert_eq!(about, [second.join("GeoLite2-Country.mmdb")]);
}

#[test]
fn countries_and_systems_from_two_files_or_one() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    put(&at("GeoLite2-Country.mmdb"), &countries("US").bytes());
    let usual = Search { directories: vec![directory.path().into()], ..Search::default() };
    let mut databases = Databases::open(&usual);
    assert_eq!(found(&databases.places(), "8.8.8.8"), ("US".into(), 0));
    put(&at("GeoLite2-ASN.mmdb"), &systems(15169).bytes());
    assert!(databases.refresh_if_changed());
    let places = databases.places();
    assert_eq!(found(&places, "8.8.8.8"), ("US".into(), 15169));
    assert_eq!(found(&places, "::ffff:8.8.8.8"), ("US".into(), 15169));
    assert_eq!(found(&places, "64:ff9b::8.8.8.8"), ("US".into(), 15169));
    assert_eq!(found(&places, "2002:808:808::1"), ("US".into(), 15169));
    let place = places.find("8.8.8.8".parse().unwrap()).unwrap();
    assert_eq!(place.answer.org.as_deref(), Some("Example Networks"));
    // The database has a country for it.
    let place = places.find("203.0.113.80".parse().unwrap()).unwrap();
    assert_eq!((place.kind, place.answer.country), (Some(Kind::Documentation), None));

    let none = Search { country: Choice::Nothing, ..usual.clone() };
    assert_eq!(found(&Databases::open(&none).places(), "8.8.8.8"), ("-".into(), 15169));
    let none = Search { asn: Choice::Nothing, ..usual };
    assert_eq!(found(&Databases::open(&none).places(), "8.8.8.8"), ("US".into(), 0));

    // One file for both is in memory once.
    let one = tempfile::tempdir().unwrap();
    let record = map([("asn", text("AS64500")), ("country_code", text("NL"))]);
    let lite = Writer::new(24, 4).with("8.0.0.0/8", record).bytes();
    put(&one.path().join("ipinfo_lite.mmdb"), &lite);
    let usual = Search { directories: vec![one.path().into()], ..Search::default() };
    let places = Databases::open(&usual).places();
    assert_eq!(found(&places, "8.8.8.8"), ("NL".into(), 64500));
    assert!(std::ptr::eq(places.country().unwrap(), places.asn().unwrap()));

    // Countries where systems are wanted.
    let path = at("GeoLite2-Country.mmdb");
    let search = Search { asn: Choice::File(path), directories: vec![], ..Search::default() };
    let databases = Databases::open(&search);
    let problem = databases.problems().next().unwrap().error.to_string();
    assert!(problem.contains("no autonomous system"), "{problem}");
}
