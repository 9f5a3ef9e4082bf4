//! Version 4: where addresses are, and how names are known.

/// `locations` hold what was known of addresses on the day of their traffic. An address of which
/// another is known later becomes another row of `addresses`: what is recorded stays as it was.
/// Those of earlier versions have location 0, unknown, as nobody looked then.
///
/// `name_sources` are the numbers of [`NameSource`](femtosnitch_model::NameSource) in words
/// (tested); a later version adds its own.
pub(super) const V4: &str = "
CREATE TABLE name_sources(id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
INSERT INTO name_sources VALUES
    (0, ''), (1, 'dns'), (2, 'other-dns'), (3, 'mdns'), (4, 'llmnr'), (5, 'getaddrinfo'),
    (6, 'resolved'), (7, 'tls'), (8, 'quic'), (9, 'ptr'),
    (33, 'host-dns'), (34, 'host-other-dns'), (35, 'host-mdns'), (36, 'host-llmnr'),
    (37, 'host-getaddrinfo'), (38, 'host-resolved'), (39, 'host-tls'), (40, 'host-quic'),
    (41, 'host-ptr');

ALTER TABLE traffic ADD COLUMN name_source INTEGER NOT NULL DEFAULT 0;

DROP VIEW connections;
CREATE VIEW connections AS SELECT
    contime, send, recv, events, exe_id, pexe_id, gpexe_id, uid, family, protocol, lport, rport,
    laddr_id, raddr_id, domain_id, netns, wire_send, wire_recv, pid,
    (SELECT container FROM containers WHERE id = container_id) AS container,
    direction, begun, ended, failed, error, rtt_us, retrans, process_id,
    (SELECT unit FROM processes AS p JOIN places ON places.id = p.place_id WHERE p.id = process_id)
      AS unit,
    (SELECT app FROM processes AS p JOIN places ON places.id = p.place_id WHERE p.id = process_id)
      AS app,
    coalesce((SELECT name FROM name_sources WHERE id = name_source), '') AS name_source
FROM traffic;

CREATE TABLE locations(
    id INTEGER PRIMARY KEY,
    -- ISO 3166-1 alpha-2, or in brackets for what an address is set aside.
    country TEXT NOT NULL,
    asn INTEGER NOT NULL,
    org TEXT NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX locations_by_key ON locations(asn, country, org);
INSERT INTO locations VALUES (0, '', 0, '', 0);

CREATE TABLE addresses_v4(
    id INTEGER PRIMARY KEY,
    addr TEXT NOT NULL,
    location_id INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
INSERT INTO addresses_v4 SELECT id, addr, 0, last_seen FROM addresses;
DROP TABLE addresses;
ALTER TABLE addresses_v4 RENAME TO addresses;
CREATE UNIQUE INDEX addresses_by_key ON addresses(addr, location_id);
";
