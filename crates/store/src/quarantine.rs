//! Moving a damaged database out of the way without losing a byte of it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::StoreError;
use crate::place;

/// A damaged database that was moved aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Where it is now; its `-wal` and `-shm`, where it had any, lie beside it.
    pub path: PathBuf,
    /// What was wrong with it.
    pub reason: String,
}

/// Moves the database and its companions to a name that nothing has yet. No connection may be
/// open on it in this process.
pub(crate) fn move_aside(path: &Path, reason: &str) -> Result<Quarantined, StoreError> {
    let aside = free_name(path, seconds_now());
    // The journal first: if we are stopped in between, the next start finds the database still
    // damaged, never a new database with an old journal.
    for suffix in ["-shm", "-wal", ""] {
        let (from, to) = (place::beside(path, suffix), place::beside(&aside, suffix));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::from_io(from, &error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    place::sync_directory(path);
    tracing::warn!(
        database = %path.display(), moved_to = %aside.display(), reason,
        "the database is damaged: moved aside, a new one is started"
    );
    Ok(Quarantined { path: aside, reason: reason.to_owned() })
}

fn free_name(path: &Path, now: u64) -> PathBuf {
    let base = format!(".corrupt-{}", utc(now));
    let taken = |aside: &Path| {
        ["", "-wal", "-shm"]
            .iter()
            .any(|suffix| place::beside(aside, suffix).symlink_metadata().is_ok())
    };
    let mut aside = place::beside(path, &base);
    let mut count = 1_u32;
    while taken(&aside) {
        count += 1;
        aside = place::beside(path, &format!("{base}.{count}"));
    }
    aside
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `20261124T082305Z`: sorts by time and needs no quoting.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Gregorian date of a day counted from 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted in 400-year eras that begin on a 1 March, so that leap days come last.
    let shifted = days + 719_468;
    let (era, in_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(utc(0), "19700101T000000Z");
        assert_eq!(utc(951_782_400), "20000229T000000Z");
        assert_eq!(utc(951_868_799), "20000229T235959Z");
        assert_eq!(utc(951_868_800), "20000301T000000Z");
        assert_eq!(utc(1_798_761_599), "20261231T235959Z");
        assert_eq!(utc(4_107_542_400), "21000301T000000Z");
    }

    #[test]
    fn an_earlier_victim_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("f.db");
        let mut seen = std::collections::HashSet::new();
        for content in ["one", "two", "three"] {
            fs::write(&db, content).unwrap();
            fs::write(place::beside(&db, "-wal"), format!("wal of {content}")).unwrap();
            let moved = move_aside(&db, "test").unwrap();
            assert_eq!(fs::read_to_string(&moved.path).unwrap(), content);
            let wal = fs::read_to_string(place::beside(&moved.path, "-wal")).unwrap();
            assert_eq!(wal, format!("wal of {content}"));
            assert!(seen.insert(moved.path));
            assert!(!db.exists() && !place::beside(&db, "-wal").exists());
        }
        assert!(seen.iter().all(|path| path.exists()));
    }
}
