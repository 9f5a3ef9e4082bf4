//! Tables, one migration step per schema version.

mod v3;
mod v4;
mod v5;
mod v6;

use crate::migrate::Step;
use v3::V3;
use v4::V4;
use v5::V5;
use v6::V6;

/// `PRAGMA application_id`: "fems".
pub(crate) const APPLICATION_ID: i64 = 0x6665_6d73;

/// The schema version that this program reads and writes.
pub const SCHEMA_VERSION: i64 = 6;

/// How version 0 (empty) becomes 1, 1 becomes 2 and so on. Steps are never changed once released.
pub(crate) const STEPS: &[Step] =
    &[Step::sql(V1), Step::sql(V2), Step::sql(V3), Step::sql(V4), Step::sql(V5), V6];

const _: () = assert!(STEPS.len() as i64 == SCHEMA_VERSION, "one step per version");

/// What the newest schema must have.
pub(crate) const RELATIONS: &[&str] = &[
    "executables",
    "domains",
    "addresses",
    "containers",
    "traffic",
    "connections",
    "totals",
    "gaps",
    "heartbeat",
    "boots",
    "places",
    "processes",
    "versions",
    "programs",
    "event_log",
    "events",
    "name_sources",
    "locations",
    "actors",
    "peers",
    "blocks",
    "ordinals",
    "rollups",
    "levels",
    "imports",
];

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

/// What became of connections, and when nobody looked.
///
/// Rows of version 1 get "unknown" and "none". The new numbers are mostly 0, which costs one byte
/// each.
const V2: &str = "
ALTER TABLE traffic ADD COLUMN direction INTEGER NOT NULL DEFAULT 0;
ALTER TABLE traffic ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
ALTER TABLE traffic ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
ALTER TABLE traffic ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE traffic ADD COLUMN error INTEGER NOT NULL DEFAULT 0;
ALTER TABLE traffic ADD COLUMN rtt_us INTEGER;
ALTER TABLE traffic ADD COLUMN retrans INTEGER NOT NULL DEFAULT 0;

DROP VIEW connections;
CREATE VIEW connections AS SELECT
    contime, send, recv, events, exe_id, pexe_id, gpexe_id, uid, family, protocol, lport, rport,
    laddr_id, raddr_id, domain_id, netns, wire_send, wire_recv, pid,
    (SELECT container FROM containers WHERE id = container_id) AS container,
    direction, begun, ended, failed, error, rtt_us, retrans
FROM traffic;

-- Times (unix seconds, the end not included) in which nobody looked, and why.
CREATE TABLE gaps(
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL CHECK (ended > began),
    reason TEXT NOT NULL,
    PRIMARY KEY (began, ended, reason)
) STRICT, WITHOUT ROWID;

-- One row once a daemon has looked: until when everything that it saw is in `traffic`, and
-- whether it said goodbye then.
CREATE TABLE heartbeat(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL,
    clean INTEGER NOT NULL
) STRICT;
";

#[cfg(test)]
mod tests;
