//! Databases that several tests want.

use std::path::Path;
use std::path::PathBuf;

use crate::mmdb::Value;
use crate::mmdb::Writer;
use crate::mmdb::map;
use crate::mmdb::text;

/// A record as ip-location-db has it.
pub(crate) fn flat(code: &str) -> Value {
    map([("country_code", text(code))])
}

/// Countries, one of them everywhere in 8.0.0.0/8 and 2a00::/12.
pub(crate) fn countries(code: &str) -> Writer {
    Writer::new(24, 6)
        .with("8.0.0.0/8", flat(code))
        .with("2a00::/12", flat(code))
        .with("203.0.113.0/24", flat("AU"))
}

/// Autonomous systems: 8.8.8.0/24 is number `asn`.
pub(crate) fn systems(asn: u32) -> Writer {
    let record = map([
        ("autonomous_system_number", Value::U32(asn)),
        ("autonomous_system_organization", text("Example Networks")),
    ]);
    Writer::new(28, 4).with("8.8.8.0/24", record)
}

/// Writes beside `path` and renames, as updaters do.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> PathBuf {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, bytes).unwrap();
    std::fs::rename(&fresh, path).unwrap();
    path.to_owned()
}
