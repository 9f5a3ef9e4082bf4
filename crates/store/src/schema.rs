//! Tables, one migration step per schema version.

use crate::migrate::Step;

/// `PRAGMA application_id`: "fems".
pub(crate) const APPLICATION_ID: i64 = 0x6665_6d73;

/// The schema version that this program reads and writes.
pub const SCHEMA_VERSION: i64 = 1;

/// How version 0 (empty) becomes 1, 1 becomes 2 and so on. Steps are never changed once released.
pub(crate) const STEPS: &[Step] = &[Step { sql: V1 }];

const _: () = assert!(STEPS.len() as i64 == SCHEMA_VERSION, "one step per version");

/// What the newest schema must have.
pub(crate) const RELATIONS: &[&str] =
    &["executables", "domains", "addresses", "containers", "traffic", "connections", "totals"];

/// `traffic` is clustered by time (no rowid): 76 bytes a row against 86 with an index on time,
/// and range scans take 0.6 of the time. `seq` tells rows of the same second apart.
///
/// `last_seen` is the latest `contime` that refers to the row, rounded up to a full hour so that
/// it costs one update an hour: once it is older than everything kept, the row is an orphan.
const V1: &str = "
CREATE TABLE executables(
    id INTEGER PRIMARY KEY,
    exe TEXT NOT NULL,
    name TEXT NOT NULL,
    cmdline TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
-- Two versions of one file may wait for their digests at the same time.
CREATE UNIQUE INDEX executables_by_key ON executables(exe, name, cmdline, sha256)
    WHERE sha256 <> '(pending)';
CREATE INDEX executables_by_sha256 ON executables(sha256);

CREATE TABLE domains(
    id INTEGER PRIMARY KEY, domain TEXT NOT NULL UNIQUE, last_seen INTEGER NOT NULL
) STRICT;
CREATE TABLE addresses(
    id INTEGER PRIMARY KEY, addr TEXT NOT NULL UNIQUE, last_seen INTEGER NOT NULL
) STRICT;
CREATE TABLE containers(
    id INTEGER PRIMARY KEY, container TEXT NOT NULL UNIQUE, last_seen INTEGER NOT NULL
) STRICT;

INSERT INTO executables VALUES (0, '', '', '', '', 0, 0);
INSERT INTO domains VALUES (0, '', 0);
INSERT INTO addresses VALUES (0, '', 0);
INSERT INTO containers VALUES (0, '', 0);

CREATE TABLE traffic(
    contime INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    send INTEGER NOT NULL,
    recv INTEGER NOT NULL,
    wire_send INTEGER,
    wire_recv INTEGER,
    events INTEGER NOT NULL,
    exe_id INTEGER NOT NULL,
    pexe_id INTEGER NOT NULL,
    gpexe_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    family INTEGER NOT NULL,
    protocol INTEGER NOT NULL,
    lport INTEGER NOT NULL,
    rport INTEGER NOT NULL,
    laddr_id INTEGER NOT NULL,
    raddr_id INTEGER NOT NULL,
    domain_id INTEGER NOT NULL,
    netns INTEGER NOT NULL,
    container_id INTEGER NOT NULL,
    PRIMARY KEY (contime, seq)
) STRICT, WITHOUT ROWID;

CREATE VIEW connections AS SELECT
    contime, send, recv, events, exe_id, pexe_id, gpexe_id, uid, family, protocol, lport, rport,
    laddr_id, raddr_id, domain_id, netns, wire_send, wire_recv, pid,
    (SELECT container FROM containers WHERE id = container_id) AS container
FROM traffic;

-- Counting a clustered table reads all of it; this is kept in the same transactions instead.
CREATE TABLE totals(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO totals VALUES ('rows', 0);
";
