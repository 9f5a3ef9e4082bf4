//! What was committed goes from the journal into the database beside the writer.
//!
//! SQLite would do it at the end of the very transaction that makes the journal long, and wait for
//! the disk twice. Another connection may do it while the first writes on
//! (<https://sqlite.org/wal.html#concurrency>).

use std::ffi::c_int;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::StoreError;
use crate::classify::At;
use crate::classify::Sql;
use crate::open;

/// Pages of 4096 bytes in a journal that is long.
const LONG: c_int = 1_000;
/// Where whoever has time waits for the thread: one that is always some pages late never gets to
/// the end of the journal, and only then does this begin anew.
const MANY: c_int = 4_000;
/// Where the writer has to empty it itself.
const TOO_LONG: c_int = 16_384;

/// From now on transactions of `conn` end once they are in the journal.
pub(crate) fn install(conn: &mut Connection, path: &Path) -> Result<Journal, StoreError> {
    let journal = Journal(Arc::new(Shared {
        path: path.to_owned(),
        state: Mutex::default(),
        changed: Condvar::new(),
    }));
    let mut beside = Beside { shared: Arc::clone(&journal.0), thread: None };
    conn.wal_hook(Some(move |wal: &mut Wal, pages| {
        beside.note(wal, pages);
        // Any error would be told as one of a transaction that is committed.
        Ok(())
    }))
    .at(path)?;
    Ok(journal)
}

/// Until this is over, what was begun is.
pub(crate) fn end(conn: &mut Connection) {
    let none: Option<fn(&mut Wal, c_int) -> Sql<()>> = None;
    if let Err(error) = conn.wal_hook(none) {
        tracing::debug!(%error, "cannot end the thread that empties the journal");
    }
}

/// The writer's journal.
#[derive(Debug)]
pub(crate) struct Journal(Arc<Shared>);

impl Journal {
    /// For whoever could as well write later: if the journal has many pages, waits until the thread
    /// has been through it. False if it still is at it.
    pub(crate) fn settle(&self, patience: Duration) -> bool {
        let mut state = self.0.lock();
        if state.pages < MANY {
            return true;
        }
        state.asked = true;
        self.0.changed.notify_all();
        let busy = |state: &mut State| state.asked || state.at_work;
        let waited = self.0.changed.wait_timeout_while(state, patience, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// In the journal and not in the database, as far as is known.
    pages: c_int,
    /// The thread is to empty it.
    asked: bool,
    /// Somebody does.
    at_work: bool,
    /// The thread is to end.
    over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Once nobody is at it, and the state is `ready`, the caller is.
    fn begin(&self, ready: impl Fn(&State) -> bool) -> Work<'_> {
        let waits = |state: &mut State| state.at_work || !ready(state);
        let state = self.changed.wait_while(self.lock(), waits);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.at_work = true;
        Work(self)
    }
}

/// Held by whoever empties the journal.
struct Work<'a>(&'a Shared);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.lock().at_work = false;
        self.0.changed.notify_all();
    }
}

/// The thread, from when it is needed first on: then those that start it have given up the
/// privileges that they do not need.
struct Beside {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    fn note(&mut self, wal: &mut Wal, pages: c_int) {
        self.shared.lock().pages = pages;
        if pages < LONG {
            return;
        }
        if pages < TOO_LONG && self.ask() {
            return;
        }
        let _work = self.shared.begin(|_| true);
        match wal.checkpoint() {
            Ok(()) => self.shared.lock().pages = 0,
            Err(error) => tracing::debug!(%error, "the journal stays as it is"),
        }
    }

    /// False if there is no thread.
    fn ask(&mut self) -> bool {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            self.thread = self.start();
        }
        if self.thread.is_some() {
            self.shared.lock().asked = true;
            self.shared.changed.notify_all();
        }
        self.thread.is_some()
    }

    fn start(&self) -> Option<JoinHandle<()>> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("checkpoint".to_owned());
        thread
            .spawn(move || run(&shared))
            .inspect_err(|error| tracing::debug!(%error, "no thread that empties the journal"))
            .ok()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that empties the journal panicked");
        }
    }
}

fn run(shared: &Shared) {
    let mut conn: Option<Connection> = None;
    loop {
        let _work = shared.begin(|state| state.asked || state.over);
        let mut state = shared.lock();
        // What was asked for before the end is done.
        if !std::mem::take(&mut state.asked) {
            return;
        }
        drop(state);
        let path = &shared.path;
        let done = match &conn {
            Some(conn) => empty(conn).at(path),
            None => open::connect(path).and_then(|new| empty(conn.insert(new)).at(path)),
        };
        match done {
            Ok(left) => shared.lock().pages = left,
            Err(error) => {
                tracing::debug!(%error, "the journal stays as it is");
                conn = None;
            }
        }
    }
}

/// Tells how many pages are left.
fn empty(conn: &Connection) -> Sql<c_int> {
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let [pages, done]: [c_int; 2] = [row.get(1)?, row.get(2)?];
        Ok(pages.saturating_sub(done))
    })
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
    fn whoever_waits_for_the_thread_has_a_short_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let mut conn = journal(&path);
        let journal = install(&mut conn, &path).unwrap();
        assert!(journal.settle(Duration::ZERO), "there is none");
        for _ in 0..40 {
            rows(&conn, 600);
            assert!(journal.settle(Duration::from_secs(60)));
        }
        end(&mut conn);
        let bytes = std::fs::metadata(dir.path().join("a.db-wal")).unwrap().len();
        assert!(bytes < 24 << 20, "{bytes} bytes for 96 MB");
    }

    #[test]
    fn a_reader_in_the_way_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let mut conn = journal(&path);
        let journal = install(&mut conn, &path).unwrap();
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        rows(&conn, 5_000);
        assert!(journal.settle(Duration::from_secs(60)), "the thread was through");
        assert!(journal.0.lock().pages >= 5_000, "and the pages stay where they are");
        reader.execute_batch("COMMIT").unwrap();
        assert!(journal.settle(Duration::from_secs(60)));
        assert_eq!(journal.0.lock().pages, 0);
        end(&mut conn);
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
