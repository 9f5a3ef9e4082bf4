//! Version 5: rows in blocks, who and to whom stored once, and sums by minute, hour and day.

/// A digit of row `n.n` of a block.
macro_rules! digit {
    ($column:literal) => {
        concat!("(coalesce(unicode(substr(b.", $column, ", n.n, 1)), 1) - 1)")
    };
}

/// Three digits of it.
macro_rules! number {
    ($column:literal) => {
        concat!(
            "(",
            digit_of!($column, "0"),
            " + 127 * ",
            digit_of!($column, "1"),
            " + 7022465 * ",
            digit_of!($column, "2"),
            ")"
        )
    };
}

macro_rules! digit_of {
    ($column:literal, $place:literal) => {
        concat!("(coalesce(unicode(substr(b.", $column, $place, ", n.n, 1)), 1) - 1)")
    };
}

/// Four digits of it.
macro_rules! bytes {
    ($column:literal) => {
        concat!(
            "(",
            digit_of!($column, "0"),
            " + 127 * ",
            digit_of!($column, "1"),
            " + 7022465 * ",
            digit_of!($column, "2"),
            " + 388307202175 * ",
            digit_of!($column, "3"),
            ")"
        )
    };
}

/// A digit of the entry of a dictionary that row `n.n` refers to.
macro_rules! entry {
    ($index:literal, $column:literal) => {
        concat!(
            "(coalesce(unicode(substr(b.",
            $column,
            ", coalesce(unicode(substr(b.",
            $index,
            ", n.n, 1)), 1), 1)), 1) - 1)"
        )
    };
}

macro_rules! who {
    ($column:literal) => {
        concat!(
            "(",
            entry_of!($column, "0"),
            " + 127 * ",
            entry_of!($column, "1"),
            " + 7022465 * ",
            entry_of!($column, "2"),
            ")"
        )
    };
}

macro_rules! entry_of {
    ($column:literal, $place:literal) => {
        concat!(
            "(coalesce(unicode(substr(b.",
            $column,
            $place,
            ", coalesce(unicode(substr(b.who, n.n, 1)), 1), 1)), 1) - 1)"
        )
    };
}

/// Bytes on the wire, stored as how many more (or fewer) there are than bytes.
macro_rules! wire {
    ($wire:literal, $bytes:literal) => {
        concat!(
            "CASE WHEN ",
            bytes!($wire),
            " = 0 THEN NULL WHEN ",
            bytes!($wire),
            " % 2 = 1 THEN ",
            bytes!($bytes),
            " + (",
            bytes!($wire),
            " - 1) / 2 ELSE ",
            bytes!($bytes),
            " - ",
            bytes!($wire),
            " / 2 END"
        )
    };
}

/// The ports of a row: one may be the row's own, the others are the peer's.
macro_rules! ports {
    ($port:literal) => {
        concat!(
            "CASE q.loose WHEN 1 THEN ",
            number!($port),
            " ELSE q.lport END AS lport,
    CASE q.loose WHEN 2 THEN ",
            number!($port),
            " ELSE q.rport END AS rport,"
        )
    };
}

/// What `actors` (as a) and `peers` (as q) say of a row.
macro_rules! parties {
    () => {
        "a.exe_id, a.pexe_id, a.gpexe_id, a.uid, a.netns, a.container_id, a.place_id, a.script_id,
         a.login_uid, a.laddr_id, q.family, q.protocol, q.direction, q.raddr_id, q.domain_id,
         q.name_source,"
    };
}

/// The rows of a batch are a block of their own, until there are some thousand that wait: then they
/// are sealed, as full blocks and, in the same transaction, as sums in `rollups`. `staged` has the
/// rows of earlier versions until the writer has made blocks of them.
///
/// `actors` are who moved bytes and by which address of this machine, as far as that is the same for
/// many rows, `peers` to whom, but for one port: `loose` is 1 if that of this machine is the row's own, 2 if that of the other end is,
/// 0 if none. What of an executable is found out later is found out for all its actors, so that two
/// may read the same.
///
/// A row of `rollups` has all sums of one minute, hour or day; its key is
/// `(level * 8 + cube) << 40 | minute since 1970 at which it begins`. `levels` say since when each
/// is complete: 0 minutes, 1 hours, 2 days, 3 rows.
pub(super) const V5: &str = concat!(
    "
CREATE TABLE actors(
    -- Never given to another.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    exe_id INTEGER NOT NULL,
    pexe_id INTEGER NOT NULL,
    gpexe_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    netns INTEGER NOT NULL,
    container_id INTEGER NOT NULL,
    place_id INTEGER NOT NULL,
    script_id INTEGER NOT NULL,
    -- -1 where nobody logged in.
    login_uid INTEGER NOT NULL,
    laddr_id INTEGER NOT NULL,
    -- 1 where the run is known, and so whose path the executable's is.
    placed INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE INDEX actors_by_key ON actors(exe_id, pexe_id, place_id);

CREATE TABLE peers(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    family INTEGER NOT NULL,
    protocol INTEGER NOT NULL,
    direction INTEGER NOT NULL,
    raddr_id INTEGER NOT NULL,
    rport INTEGER NOT NULL,
    lport INTEGER NOT NULL,
    domain_id INTEGER NOT NULL,
    name_source INTEGER NOT NULL,
    loose INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE INDEX peers_by_key ON peers(raddr_id, domain_id, rport);

CREATE TABLE staged(
    id INTEGER PRIMARY KEY,
    contime INTEGER NOT NULL,
    actor_id INTEGER NOT NULL,
    process_id INTEGER NOT NULL,
    pid INTEGER,
    peer_id INTEGER NOT NULL,
    port INTEGER NOT NULL,
    send INTEGER NOT NULL,
    recv INTEGER NOT NULL,
    wire_send INTEGER,
    wire_recv INTEGER,
    events INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    error INTEGER NOT NULL,
    rtt_us INTEGER,
    retrans INTEGER NOT NULL
) STRICT;

CREATE TABLE blocks(
    -- Never given to another: exports know by it what came later.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 1 once its rows are in sums.
    sealed INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    -- Unix seconds of its oldest and its newest row.
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    time TEXT NOT NULL,
    who TEXT NOT NULL,
    fate TEXT NOT NULL,
    fate_begun TEXT NOT NULL,
    fate_ended TEXT NOT NULL,
    fate_failed TEXT NOT NULL,
    fate_error TEXT NOT NULL,
    who_actor0 TEXT NOT NULL, who_actor1 TEXT NOT NULL, who_actor2 TEXT NOT NULL,
    who_process0 TEXT NOT NULL, who_process1 TEXT NOT NULL, who_process2 TEXT NOT NULL,
    who_pid0 TEXT NOT NULL, who_pid1 TEXT NOT NULL, who_pid2 TEXT NOT NULL,
    peer0 TEXT NOT NULL, peer1 TEXT NOT NULL, peer2 TEXT NOT NULL,
    port0 TEXT NOT NULL, port1 TEXT NOT NULL, port2 TEXT NOT NULL,
    events0 TEXT NOT NULL, events1 TEXT NOT NULL, events2 TEXT NOT NULL,
    rtt0 TEXT NOT NULL, rtt1 TEXT NOT NULL, rtt2 TEXT NOT NULL,
    retrans0 TEXT NOT NULL, retrans1 TEXT NOT NULL, retrans2 TEXT NOT NULL,
    send0 TEXT NOT NULL, send1 TEXT NOT NULL, send2 TEXT NOT NULL, send3 TEXT NOT NULL,
    recv0 TEXT NOT NULL, recv1 TEXT NOT NULL, recv2 TEXT NOT NULL, recv3 TEXT NOT NULL,
    wire_send0 TEXT NOT NULL, wire_send1 TEXT NOT NULL, wire_send2 TEXT NOT NULL,
    wire_send3 TEXT NOT NULL,
    wire_recv0 TEXT NOT NULL, wire_recv1 TEXT NOT NULL, wire_recv2 TEXT NOT NULL,
    wire_recv3 TEXT NOT NULL
) STRICT;
CREATE INDEX blocks_by_time ON blocks(first, last) WHERE sealed = 1;
CREATE INDEX blocks_waiting ON blocks(first, last) WHERE sealed = 0;

CREATE TABLE ordinals(n INTEGER PRIMARY KEY) STRICT;
INSERT INTO ordinals
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 512)
SELECT n FROM counted;

CREATE TABLE rollups(key INTEGER PRIMARY KEY, sums BLOB NOT NULL) STRICT;

CREATE TABLE levels(
    level INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    -- Complete from this unix second on.
    since INTEGER NOT NULL
) STRICT;
INSERT INTO levels VALUES (0, 'minute', 9223372036854775807), (1, 'hour', -4611686018427387904),
    (2, 'day', -4611686018427387904), (3, 'row', -4611686018427387904);

-- How far other programs' histories were taken over.
CREATE TABLE imports(
    source TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    finished INTEGER NOT NULL
) STRICT;

CREATE INDEX event_log_by_process ON event_log(process_id);

CREATE TEMP TABLE old AS SELECT
    contime, seq, send, recv, wire_send, wire_recv, events, exe_id, pexe_id, gpexe_id, uid, pid,
    family, protocol, lport, rport, laddr_id, raddr_id, domain_id, netns, container_id, direction,
    begun, ended, failed, error, rtt_us, retrans, process_id, name_source,
    CASE WHEN direction > 1 THEN CASE WHEN rport >= 1024 THEN 2 ELSE 0 END
      WHEN direction = 0 AND rport >= 32768 AND lport < 32768 THEN 2
      WHEN lport >= 1024 THEN 1 ELSE 0 END AS loose,
    coalesce(run_place, -1) AS place_id, coalesce(run_script, 0) AS script_id,
    coalesce(run_login, -1) AS login_uid, process_id <> 0 AS placed
FROM traffic LEFT JOIN (SELECT id AS run_id, place_id AS run_place, script_id AS run_script,
    login_uid AS run_login FROM processes) ON run_id = process_id;

INSERT INTO actors(exe_id, pexe_id, gpexe_id, uid, netns, container_id, place_id, script_id,
    login_uid, laddr_id, placed, last_seen)
SELECT exe_id, pexe_id, gpexe_id, uid, netns, container_id, place_id, script_id, login_uid,
    laddr_id, placed, max(contime)
FROM old GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;

INSERT INTO peers(family, protocol, direction, raddr_id, rport, lport, domain_id, name_source,
    loose, last_seen)
SELECT family, protocol, direction, raddr_id, CASE loose WHEN 2 THEN 0 ELSE rport END AS there,
    CASE loose WHEN 1 THEN 0 ELSE lport END AS here, domain_id, name_source, loose, max(contime)
FROM old GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

INSERT INTO staged(contime, actor_id, process_id, pid, peer_id, port, send, recv, wire_send,
    wire_recv, events, begun, ended, failed, error, rtt_us, retrans)
SELECT contime, a.id, process_id, pid, q.id,
    CASE o.loose WHEN 1 THEN o.lport WHEN 2 THEN o.rport ELSE 0 END,
    send, recv, wire_send, wire_recv, events, begun, ended, failed, error, rtt_us, retrans
FROM old AS o
  CROSS JOIN actors AS a ON a.exe_id = o.exe_id AND a.pexe_id = o.pexe_id
    AND a.place_id = o.place_id AND a.gpexe_id = o.gpexe_id AND a.uid = o.uid
    AND a.netns = o.netns AND a.container_id = o.container_id AND a.script_id = o.script_id
    AND a.login_uid = o.login_uid AND a.laddr_id = o.laddr_id AND a.placed = o.placed
  CROSS JOIN peers AS q ON q.raddr_id = o.raddr_id AND q.domain_id = o.domain_id
    AND q.rport = CASE o.loose WHEN 2 THEN 0 ELSE o.rport END
    AND q.lport = CASE o.loose WHEN 1 THEN 0 ELSE o.lport END
    AND q.family = o.family AND q.protocol = o.protocol
    AND q.direction = o.direction AND q.name_source = o.name_source AND q.loose = o.loose
ORDER BY contime, seq;

DROP TABLE temp.old;
DROP VIEW connections;
DROP TABLE traffic;

-- One select from one table, so that SQLite reads only those columns that are asked for.
CREATE VIEW traffic AS
SELECT b.first + ",
    digit!("time"),
    " AS contime, ",
    bytes!("send"),
    " AS send, ",
    bytes!("recv"),
    " AS recv, ",
    number!("events"),
    " AS events,
    ",
    wire!("wire_send", "send"),
    " AS wire_send,
    ",
    wire!("wire_recv", "recv"),
    " AS wire_recv,
    ",
    parties!(),
    ports!("port"),
    "
    CASE ",
    who!("who_pid"),
    " WHEN 0 THEN (SELECT p.pid FROM processes AS p WHERE p.id = ",
    who!("who_process"),
    ") ELSE ",
    who!("who_pid"),
    " - 1 END AS pid, ",
    who!("who_process"),
    " AS process_id, ",
    entry!("fate", "fate_begun"),
    " AS begun, ",
    entry!("fate", "fate_ended"),
    " AS ended, ",
    entry!("fate", "fate_failed"),
    " AS failed, ",
    entry!("fate", "fate_error"),
    " AS error,
    nullif(",
    number!("rtt"),
    ", 0) - 1 AS rtt_us, ",
    number!("retrans"),
    " AS retrans, ",
    who!("who_actor"),
    " AS actor_id, ",
    number!("peer"),
    " AS peer_id
FROM blocks AS b CROSS JOIN ordinals AS n ON n.n <= b.rows
  LEFT JOIN actors AS a ON a.id = ",
    who!("who_actor"),
    "
  LEFT JOIN peers AS q ON q.id = ",
    number!("peer"),
    ";

CREATE VIEW connections AS SELECT
    contime, send, recv, events, exe_id, pexe_id, gpexe_id, uid, family, protocol, lport, rport,
    laddr_id, raddr_id, domain_id, netns, wire_send, wire_recv, pid,
    (SELECT container FROM containers WHERE id = container_id) AS container,
    direction, begun, ended, failed, error, rtt_us, retrans, process_id,
    (SELECT unit FROM places WHERE id = place_id) AS unit,
    (SELECT app FROM places WHERE id = place_id) AS app,
    coalesce((SELECT name FROM name_sources WHERE id = name_source), '') AS name_source
FROM traffic;
"
);
