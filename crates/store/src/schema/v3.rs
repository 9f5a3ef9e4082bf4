//! Version 3: processes, places, versions of files, and events.

/// Which program runs moved the bytes, where they ran, what their files are, and what changed.
///
/// `processes` hold every run that moved bytes, and those that it descends from; a run's
/// `last_seen` is never later than that of the one that launched it. Its key is the kernel's (start
/// and pid and number of execs), within one boot of the machine.
///
/// `programs.path` and `versions.exe` are paths as [`program_path`](femtosnitch_model::program_path)
/// has them, or every start of an AppImage would be a program of its own. `programs.sha256` is the
/// latest contents that are known, as of the run `launched` last.
///
/// Whether a change was an upgrade is not stored: the view derives it from what is known of the
/// contents, which may come later than the change.
pub(super) const V3: &str = "
CREATE TABLE boots(id INTEGER PRIMARY KEY, boot_id TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO boots VALUES (0, '');

CREATE TABLE places(
    id INTEGER PRIMARY KEY,
    container_id INTEGER NOT NULL,
    unit TEXT NOT NULL,
    app TEXT NOT NULL,
    realm TEXT NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX places_by_key ON places(unit, container_id, app, realm);
INSERT INTO places VALUES (0, 0, '', '', '', 0);

CREATE TABLE processes(
    id INTEGER PRIMARY KEY,
    boot INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    exec_id INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    launched INTEGER NOT NULL,
    exe_id INTEGER NOT NULL,
    script_id INTEGER NOT NULL,
    parent_id INTEGER NOT NULL,
    place_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    login_uid INTEGER,
    session INTEGER,
    last_seen INTEGER NOT NULL,
    -- Launches above it in this table, as far as it was known when it was stored.
    depth INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX processes_by_key ON processes(boot, start_ns, pid, exec_id);
-- For executables that turn out to be others, and for retention.
CREATE INDEX processes_by_exe ON processes(exe_id);
CREATE INDEX processes_by_script ON processes(script_id) WHERE script_id <> 0;
CREATE INDEX processes_by_parent ON processes(parent_id) WHERE parent_id <> 0;
-- Not the start of any process.
INSERT INTO processes VALUES (0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, 0);

ALTER TABLE traffic ADD COLUMN process_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE containers ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE containers ADD COLUMN image TEXT NOT NULL DEFAULT '';
ALTER TABLE containers ADD COLUMN pod TEXT NOT NULL DEFAULT '';

DROP VIEW connections;
CREATE VIEW connections AS SELECT
    contime, send, recv, events, exe_id, pexe_id, gpexe_id, uid, family, protocol, lport, rport,
    laddr_id, raddr_id, domain_id, netns, wire_send, wire_recv, pid,
    (SELECT container FROM containers WHERE id = container_id) AS container,
    direction, begun, ended, failed, error, rtt_us, retrans, process_id,
    (SELECT unit FROM processes AS p JOIN places ON places.id = p.place_id WHERE p.id = process_id)
      AS unit,
    (SELECT app FROM processes AS p JOIN places ON places.id = p.place_id WHERE p.id = process_id)
      AS app
FROM traffic;

CREATE TABLE versions(
    id INTEGER PRIMARY KEY,
    exe TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    realm TEXT NOT NULL,
    package TEXT NOT NULL,
    version TEXT NOT NULL,
    state TEXT NOT NULL,
    build_id TEXT NOT NULL,
    privileges TEXT NOT NULL,
    verity TEXT NOT NULL,
    written_by TEXT NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX versions_by_key ON versions(exe, sha256, realm);

CREATE TABLE programs(
    id INTEGER PRIMARY KEY,
    realm TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    launched INTEGER NOT NULL,
    first_networked INTEGER,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX programs_by_key ON programs(path, realm);

-- Programs that moved bytes before are not new. Which run had which contents is not known: the
-- latest traffic counts.
INSERT INTO programs(realm, path, sha256, launched, first_networked, last_seen)
WITH used AS (
    SELECT exe_id, container_id, min(contime) AS first, max(contime) AS last FROM traffic
    GROUP BY exe_id, container_id
), named AS (
    SELECT container AS realm, program_path(exe) AS path, first, last,
      CASE WHEN sha256 LIKE '(%' THEN '' ELSE sha256 END AS sha256
    FROM used JOIN executables AS e ON e.id = exe_id JOIN containers AS c ON c.id = container_id
    WHERE exe <> '' AND exe NOT LIKE '(%'
), dated AS (
    SELECT realm, path, sha256, last, min(first) OVER (PARTITION BY realm, path) AS first
    FROM named
)
SELECT realm, path, sha256, max(last), first, last FROM dated GROUP BY realm, path;

CREATE TABLE event_log(
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    -- first-seen, changed, lost.
    kind TEXT NOT NULL,
    program_id INTEGER NOT NULL,
    exe_id INTEGER NOT NULL,
    process_id INTEGER NOT NULL,
    old_sha256 TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX event_log_by_time ON event_log(at);
CREATE INDEX event_log_by_exe ON event_log(exe_id);
CREATE INDEX event_log_by_old ON event_log(old_sha256) WHERE old_sha256 <> '';

CREATE VIEW events AS
SELECT log.at, NULL AS until,
    CASE WHEN log.kind <> 'changed' THEN log.kind
      WHEN new.state = 'intact' AND new.package <> '' THEN 'upgraded'
      ELSE 'modified' END AS kind,
    coalesce(exe.exe, '') AS exe, coalesce(exe.name, '') AS name,
    coalesce(exe.cmdline, '') AS cmdline, coalesce(exe.sha256, '') AS sha256, log.old_sha256,
    coalesce(new.package, '') AS package, coalesce(new.version, '') AS version,
    coalesce(new.state, '') AS state, coalesce(old.version, '') AS old_version,
    coalesce(new.written_by, '') AS written_by,
    coalesce(CASE log.process_id WHEN 0 THEN programs.realm ELSE containers.container END, '')
      AS container,
    coalesce(programs.realm, '') AS realm, log.detail, log.process_id
FROM event_log AS log
  LEFT JOIN programs ON programs.id = log.program_id
  LEFT JOIN executables AS exe ON exe.id = log.exe_id
  LEFT JOIN versions AS new
    ON new.exe = programs.path AND new.sha256 = exe.sha256 AND new.realm = programs.realm
  LEFT JOIN versions AS old
    ON old.exe = programs.path AND old.sha256 = log.old_sha256 AND old.realm = programs.realm
  LEFT JOIN processes ON processes.id = log.process_id
  LEFT JOIN places ON places.id = processes.place_id
  LEFT JOIN containers ON containers.id = places.container_id
UNION ALL
SELECT began, ended, 'gap', '', '', '', '', '', '', '', '', '', '', '', '', reason, 0 FROM gaps;
";
