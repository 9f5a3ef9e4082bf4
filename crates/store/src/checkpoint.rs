//! What was committed goes from the journal into the database beside the writer.
//!
//! SQLite would do it at the end of the very transaction that makes the journal long, and wait for
//! the disk twice. Another connection may do it while the first writes on
//! (<https://sqlite.org/wal.html#concurrency>).

use std::ffi::c_int;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::TrySendError;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::StoreError;
use crate::classify::At;
use crate::classify::Sql;
use crate::open;

/// Pages of 4096 bytes in a journal that is long.
const LONG: c_int = 1_000;
/// Where it is so long that the writer waits: a thread that is always some pages late never gets
/// to its end, and only then does it begin anew.
const TOO_LONG: c_int = 16_384;

/// From now on transactions of `conn` end once they are in the journal.
pub(crate) fn install(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let mut beside = Beside { path: path.to_owned(), at_work: Arc::default(), thread: None };
    conn.wal_hook(Some(move |wal: &mut Wal, pages| {
        beside.note(wal, pages);
        // Any error would be told as one of a transaction that is committed.
        Ok(())
    }))
    .at(path)
}

/// Until this is over, what was begun is.
pub(crate) fn end(conn: &mut Connection) {
    let none: Option<fn(&mut Wal, c_int) -> Sql<()>> = None;
    if let Err(error) = conn.wal_hook(none) {
        tracing::debug!(%error, "cannot end the thread that empties the journal");
    }
}

/// The thread, from when it is needed first on: then those that start it have given up the
/// privileges that they do not need.
struct Beside {
    path: PathBuf,
    /// Held by whoever is at it.
    at_work: Arc<Mutex<()>>,
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Beside {
    fn note(&mut self, wal: &mut Wal, pages: c_int) {
        if pages < LONG {
            return;
        }
        if pages < TOO_LONG && self.ask() {
            return;
        }
        let _at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = wal.checkpoint() {
            tracing::debug!(%error, "the journal stays as it is");
        }
    }

    /// False if there is no thread.
    fn ask(&mut self) -> bool {
        if self.thread.is_none() {
            self.thread = self.start();
        }
        // One that is asked already need not be asked again.
        self.thread.as_ref().is_some_and(|(asked, _)| {
            !matches!(asked.try_send(()), Err(TrySendError::Disconnected(())))
        })
    }

    fn start(&self) -> Option<(SyncSender<()>, JoinHandle<()>)> {
        let (asked, asks) = sync_channel(1);
        let (path, at_work) = (self.path.clone(), Arc::clone(&self.at_work));
        let thread = std::thread::Builder::new().name("checkpoint".to_owned());
        match thread.spawn(move || run(&path, &asks, &at_work)) {
            Ok(thread) => Some((asked, thread)),
            Err(error) => {
                tracing::debug!(%error, "no thread that empties the journal");
                None
            }
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some((asked, thread)) = self.thread.take() {
            drop(asked);
            if thread.join().is_err() {
                tracing::error!("the thread that empties the journal panicked");
            }
        }
    }
}

fn run(path: &Path, asks: &Receiver<()>, at_work: &Mutex<()>) {
    let mut conn: Option<Connection> = None;
    while let Ok(()) = asks.recv() {
        let _at_work = at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match &conn {
            Some(conn) => empty(conn).at(path),
            None => open::connect(path).and_then(|new| empty(conn.insert(new)).at(path)),
        };
        if let Err(error) = done {
            tracing::debug!(%error, "the journal stays as it is");
            conn = None;
        }
    }
}

fn empty(conn: &Connection) -> Sql<()> {
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use std::time::Instant;

    fn rows(conn: &Connection, rows: i64) {
        let sql = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
                   WHERE i < ?1) SELECT randomblob(4000) FROM n";
        conn.execute(sql, [rows]).unwrap();
    }

    fn journal(path: &Path) -> Connection {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(b BLOB)").unwrap();
        conn
    }

    #[test]
    fn a_long_journal_is_emptied_by_another_thread() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let mut conn = journal(&path);
        install(&mut conn, &path).unwrap();
        let size = || std::fs::metadata(&path).unwrap().len();
        rows(&conn, 100);
        assert!(size() < 100_000, "it is short");
        rows(&conn, 1_000);
        let begun = Instant::now();
        while size() < 4_000_000 && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(size() >= 4_000_000);
        end(&mut conn);
        assert_eq!(conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(1_100));
    }

    #[test]
    fn whoever_writes_all_the_time_has_a_journal_that_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let mut conn = journal(&path);
        install(&mut conn, &path).unwrap();
        for _ in 0..60 {
            rows(&conn, 600);
        }
        end(&mut conn);
        let journal = std::fs::metadata(dir.path().join("a.db-wal")).unwrap().len();
        assert!(journal < 80 << 20, "{journal} bytes for 144 MB");
    }
}
