//! Right answers of every schema and record size, and what is refused.

use std::net::IpAddr;

use femtosnitch_geo::Answer;
use femtosnitch_geo::Country;
use femtosnitch_geo::Database;
use femtosnitch_geo::Error;

use crate::fixture::flat;
use crate::fixture::put;
use crate::mmdb::Value;
use crate::mmdb::Writer;
use crate::mmdb::map;
use crate::mmdb::text;

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn open(writer: &Writer) -> Result<Database, Error> {
    let directory = tempfile::tempdir().unwrap();
    Database::open(&put(&directory.path().join("x.mmdb"), &writer.bytes()))
}

/// `DE 123 Name` with `-` for what is unknown.
fn shown(database: &Database, address: &str) -> String {
    let Answer { country, asn, org } = database.find(ip(address)).unwrap();
    let country = country.map_or("-".into(), |country| country.to_string());
    let asn = asn.map_or("-".into(), |asn| asn.to_string());
    format!("{country} {asn} {}", org.as_deref().unwrap_or("-"))
}

fn iso(code: &str) -> Value {
    // The key that is wanted behind others, some of them nested, as MaxMind has it.
    let names = map([("en", text("A name")), ("de", text("Ein Name"))]);
    map([("geoname_id", Value::U32(7)), ("iso_code", text(code)), ("names", names)])
}

#[test]
fn every_record_size_and_both_families() {
    for size in [24, 28, 32] {
        let writer = Writer::new(size, 6)
            .with("8.0.0.0/8", flat("US"))
            .with("8.8.8.8/32", flat("DE"))
            .with("2a00::/12", flat("FR"))
            .with("2a00:1450::1/128", flat("IE"));
        let database = open(&writer).unwrap();
        for (address, wanted) in [
            ("8.0.0.0", "US - -"),
            ("8.255.255.255", "US - -"),
            ("8.8.8.7", "US - -"),
            ("8.8.8.8", "DE - -"),
            ("8.8.8.9", "US - -"),
            ("7.255.255.255", "- - -"),
            ("9.0.0.0", "- - -"),
            ("2a00::", "FR - -"),
            ("2a0f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "FR - -"),
            ("2a10::", "- - -"),
            ("2a00:1450::1", "IE - -"),
            ("2a00:1450::2", "FR - -"),
        ] {
            assert_eq!(shown(&database, address), wanted, "{address}, {size} bits");
        }
        let four = open(&Writer::new(size, 4).with("8.0.0.0/8", flat("US"))).unwrap();
        assert_eq!(shown(&four, "8.1.2.3"), "US - -");
        assert_eq!(shown(&four, "2a00::1"), "- - -");
    }
}

#[test]
fn every_publishers_fields() {
    let number = |number| Value::U32(number);
    let writer = Writer::new(28, 4)
        .with("1.0.0.0/24", map([("continent", map([])), ("country", iso("SE"))]))
        .with("1.0.1.0/24", map([("country", iso("NO")), ("registered_country", iso("GB"))]))
        .with("1.0.2.0/24", map([("registered_country", iso("GB"))]))
        .with("1.0.3.0/24", map([("country", text("FI")), ("country_name", text("Finland"))]))
        .with(
            "1.0.4.0/24",
            map([
                ("asn", text("AS13335")),
                ("as_name", text("Example, Inc.")),
                ("as_domain", text("example.com")),
                ("country", text("Australia")),
                ("country_code", text("AU")),
            ]),
        )
        .with(
            "1.0.5.0/24",
            map([
                ("autonomous_system_number", number(4_294_967_295)),
                ("autonomous_system_organization", text("Größte\u{1b}[31m")),
                ("isp", text("Other")),
            ]),
        )
        .with("1.0.6.0/24", map([("asn", number(64500)), ("country_code", text(""))]))
        .with("1.0.7.0/24", map([("country_code", text("-")), ("asn", text(""))]))
        .with("1.0.8.0/24", map([("country_code", text("ZZ")), ("asn", number(0))]))
        .with("1.0.9.0/24", map([]))
        .with("1.0.10.0/24", map([("country", map([])), ("registered_country", iso("CH"))]))
        .with("1.0.11.0/24", map([("as_name", text(&"x".repeat(400))), ("asn", text("7"))]));
    let database = open(&writer).unwrap();
    for (third, wanted) in [
        (0, "SE - -"),
        (1, "NO - -"),
        (2, "GB - -"),
        (3, "FI - -"),
        (4, "AU 13335 Example, Inc."),
        (5, "- 4294967295 Größte\u{fffd}[31m"),
        (6, "- 64500 -"),
        (7, "- - -"),
        (8, "- - -"),
        (9, "- - -"),
        (10, "CH - -"),
        (11, &format!("- 7 {}", "x".repeat(128))),
    ] {
        assert_eq!(shown(&database, &format!("1.0.{third}.200")), wanted, "{third}");
    }
    assert!(database.about().has_countries && database.about().has_networks);
    let country = database.find(ip("1.0.0.1")).unwrap().country;
    assert_eq!(country.map(Country::code), Some(*b"SE"));
}

#[test]
fn a_record_that_means_nothing_is_refused_when_opened() {
    for (record, part) in [
        (flat("DEU"), "\"DEU\" is not two letters"),
        (flat("de"), "\"de\" is not two letters"),
        (map([("country", text("Germany"))]), "\"Germany\" is not two letters"),
        (map([("country_code", Value::U32(49))]), "type"),
        (map([("country", Value::U32(49))]), "country"),
        (map([("asn", text("ASx"))]), "not digits"),
        (map([("asn", text("AS4294967296"))]), "too large"),
        (map([("autonomous_system_number", Value::U64(1 << 32))]), "4294967296"),
        (text("DE"), "type"),
    ] {
        // Where nobody would look by chance.
        let writer = Writer::new(24, 4).with("8.0.0.0/8", flat("US")).with("9.9.9.9/32", record);
        let error = open(&writer).unwrap_err().to_string();
        assert!(error.contains("x.mmdb is no sound MaxMind DB file"), "{error}");
        assert!(error.contains("fetch it again") && error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_database_of_something_else_is_told_from_a_broken_one() {
    let error = open(&Writer::new(24, 4).with("8.0.0.0/8", map([("is_proxy", Value::U16(1))])));
    assert!(matches!(error, Err(Error::NothingInIt { .. })), "{error:?}");
    let directory = tempfile::tempdir().unwrap();
    let error = Database::open(directory.path());
    assert!(matches!(error, Err(Error::NotPlain { .. })), "{error:?}");
    let error = Database::open(&directory.path().join("none.mmdb"));
    assert!(matches!(error, Err(Error::Unreadable { .. })), "{error:?}");
    let large = directory.path().join("large.mmdb");
    std::fs::File::create(&large).unwrap().set_len((256 << 20) + 1).unwrap();
    let error = Database::open(&large);
    assert!(matches!(error, Err(Error::TooLarge { .. })), "{error:?}");
}

#[test]
fn it_says_what_it_is_and_whose() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dbip-country.mmdb");
    let said = map([("de", text("Länder")), ("en", text("Countries"))]);
    let writer = Writer::new(24, 4).named("DBIP-Country", said).with("8.0.0.0/8", flat("US"));
    put(&path, &writer.bytes());
    std::fs::write(path.with_extension("attribution"), "IP Geolocation by DB-IP\n").unwrap();
    std::fs::write(path.with_extension("LICENSE"), "Free\r\nto \u{1b}[2Juse\n\n").unwrap();
    std::fs::write(directory.path().join("LICENSE"), "of another database").unwrap();
    let about = Database::open(&path).unwrap().about().clone();
    assert_eq!(about.path, path);
    assert_eq!(about.name, "DBIP-Country");
    assert_eq!(about.built, 1_780_000_000);
    assert_eq!(about.description.as_deref(), Some("Countries"));
    assert_eq!(about.attribution.as_deref(), Some("IP Geolocation by DB-IP"));
    assert_eq!(about.licence.as_deref(), Some("Free\nto \u{fffd}[2Juse"));
    assert!(about.has_countries && !about.has_networks);

    // Without such a file, what the publisher's terms ask for.
    let writer =
        Writer::new(24, 4).named("GeoLite2-Country", map([])).with("8.0.0.0/8", flat("US"));
    let attribution = open(&writer).unwrap().about().attribution.clone().unwrap();
    assert!(attribution.contains("MaxMind"), "{attribution}");

    // ip-location-db says nothing at all.
    let writer = Writer::new(24, 4).named("country", map([])).with("8.0.0.0/8", flat("US"));
    let about = open(&writer).unwrap().about().clone();
    assert_eq!((about.description, about.attribution, about.licence), (None, None, None));
}
