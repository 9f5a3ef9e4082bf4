//! The default database as another reader has it: Python's maxminddb.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use femtosnitch_geo::Database;

use crate::speed::addresses;
use crate::speed::database;

/// A Python that has maxminddb; the system's may not be the first on the path.
fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let mut import = Command::new(python);
        import.args(["-c", "import maxminddb"]).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    })
}

#[test]
fn the_default_database_answers_as_another_reader_says() {
    let path = database();
    if !path.exists() {
        println!("left out: no {}; `cargo xtask geoip` fetches it", path.display());
        return;
    }
    let Some(python) = python() else {
        println!("left out: no Python with maxminddb; `scripts/setup test` installs it");
        return;
    };
    let database = Database::open(&path).unwrap();
    let lines = addresses(10_000).into_iter().map(|address| {
        let country = database.find(address).unwrap().country;
        let country = country.map_or("-".into(), |country| country.to_string());
        format!("{address} {country}\n")
    });
    let directory = tempfile::tempdir().unwrap();
    let answers = directory.path().join("answers");
    std::fs::write(&answers, lines.collect::<String>()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compare.py");
    let output = Command::new(python).arg(script).args([&path, &answers]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", said.trim());
}
