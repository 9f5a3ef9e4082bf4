//! Databases as picosnitch makes them, and what is in them.

use std::net::IpAddr;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::params;

/// An executable in its four texts.
pub type Exe = [String; 4];

/// Traffic as picosnitch knows it.
#[derive(Debug, Clone)]
pub struct Theirs {
    pub contime: i64,
    pub send: i64,
    pub recv: i64,
    pub events: i64,
    pub who: [Exe; 3],
    pub uid: i64,
    pub family: i64,
    pub protocol: i64,
    pub lport: i64,
    pub rport: i64,
    pub laddr: String,
    pub raddr: String,
    pub domain: String,
    pub netns: i64,
}

pub fn exe(path: &str, cmdline: &str, sha256: &str) -> Exe {
    let name = path.rsplit('/').next().unwrap();
    [path, name, cmdline, sha256].map(str::to_owned)
}

pub fn nobody() -> Exe {
    ["", "", "", ""].map(str::to_owned)
}

/// Rows that repeat texts as real ones do. All of them make sense.
pub fn some(count: i64) -> Vec<Theirs> {
    let hash = |n: i64| format!("{:064x}", (n + 1) * 0x9e37_79b9_7f4a);
    let row = |n: i64| {
        let program = n * n % 131;
        let path = format!("/usr/bin/tool{program}");
        let (raddr, family): (IpAddr, i64) = if n % 3 == 0 {
            (format!("2001:db8::{:x}", n % 701).parse().unwrap(), 10)
        } else {
            (format!("198.51.{}.{}", n % 5, n % 211).parse().unwrap(), 2)
        };
        let laddr = if family == 2 { "192.0.2.1" } else { "2001:db8:1::1" };
        let domain =
            if n % 4 == 0 { raddr.to_string() } else { format!("org.example.h{}", n % 97) };
        Theirs {
            contime: 1_700_000_000 + n / 7,
            send: n * 31 % 10_007,
            recv: n * n % 1_000_003,
            events: 1 + n % 9,
            who: [
                exe(&path, &format!("tool{program} 'a b' --n {}", n % 3), &hash(program)),
                exe("/usr/bin/bash", "bash", &hash(1000)),
                if n % 2 == 0 {
                    exe("/usr/lib/systemd/systemd", "/sbin/init", &hash(1001))
                } else {
                    nobody()
                },
            ],
            uid: 1000 + n % 2,
            family,
            protocol: if n % 5 == 0 { 17 } else { 6 },
            lport: 32_768 + n % 20_000,
            rport: if n % 5 == 0 { 53 } else { 443 },
            laddr: laddr.to_owned(),
            raddr: raddr.to_string(),
            domain,
            netns: 4_026_531_840,
        }
    };
    (0..count).map(row).collect()
}

/// The schema of picosnitch 2: every text once.
pub fn version_4(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE executables(id INTEGER PRIMARY KEY, exe TEXT NOT NULL, name TEXT NOT NULL,
           cmdline TEXT NOT NULL, sha256 TEXT NOT NULL, UNIQUE(exe, name, cmdline, sha256)) STRICT;
         CREATE TABLE domains(id INTEGER PRIMARY KEY, domain TEXT NOT NULL UNIQUE) STRICT;
         CREATE TABLE addresses(id INTEGER PRIMARY KEY, addr TEXT NOT NULL UNIQUE) STRICT;
         CREATE TABLE connections(contime INTEGER NOT NULL, send INTEGER NOT NULL,
           recv INTEGER NOT NULL, events INTEGER NOT NULL,
           exe_id INTEGER NOT NULL REFERENCES executables(id),
           pexe_id INTEGER NOT NULL REFERENCES executables(id),
           gpexe_id INTEGER NOT NULL REFERENCES executables(id), uid INTEGER NOT NULL,
           family INTEGER NOT NULL, protocol INTEGER NOT NULL, lport INTEGER NOT NULL,
           rport INTEGER NOT NULL, laddr_id INTEGER NOT NULL REFERENCES addresses(id),
           raddr_id INTEGER NOT NULL REFERENCES addresses(id),
           domain_id INTEGER NOT NULL REFERENCES domains(id), netns INTEGER NOT NULL) STRICT;
         INSERT INTO executables VALUES (0, '', '', '', '');
         INSERT INTO domains VALUES (0, '');
         INSERT INTO addresses VALUES (0, '');
         CREATE INDEX idx_contime ON connections(contime);
         CREATE INDEX idx_exe_id_contime ON connections(exe_id, contime);
         CREATE INDEX idx_pexe_id_contime ON connections(pexe_id, contime);
         CREATE INDEX idx_gpexe_id_contime ON connections(gpexe_id, contime);
         PRAGMA user_version = 4;",
    )
    .unwrap();
    conn
}

pub fn add_4(conn: &mut Connection, rows: &[Theirs]) {
    let tx = conn.transaction().unwrap();
    let id = |table: &str, column: &str, text: &str| -> i64 {
        tx.prepare_cached(&format!("INSERT OR IGNORE INTO {table}({column}) VALUES (?1)"))
            .unwrap()
            .execute([text])
            .unwrap();
        tx.prepare_cached(&format!("SELECT id FROM {table} WHERE {column} = ?1"))
            .unwrap()
            .query_row([text], |row| row.get(0))
            .unwrap()
    };
    let exe = |texts: &Exe| -> i64 {
        tx.prepare_cached(
            "INSERT OR IGNORE INTO executables(exe, name, cmdline, sha256) VALUES (?1, ?2, ?3, ?4)",
        )
        .unwrap()
        .execute(texts.each_ref())
        .unwrap();
        let find = "SELECT id FROM executables
                    WHERE exe = ?1 AND name = ?2 AND cmdline = ?3 AND sha256 = ?4";
        tx.prepare_cached(find).unwrap().query_row(texts.each_ref(), |row| row.get(0)).unwrap()
    };
    for row in rows {
        let [own, parent, grandparent] = &row.who;
        let insert = "INSERT INTO connections VALUES
                      (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
        tx.prepare_cached(insert)
            .unwrap()
            .execute(params![
                row.contime,
                row.send,
                row.recv,
                row.events,
                exe(own),
                exe(parent),
                exe(grandparent),
                row.uid,
                row.family,
                row.protocol,
                row.lport,
                row.rport,
                id("addresses", "addr", &row.laddr),
                id("addresses", "addr", &row.raddr),
                id("domains", "domain", &row.domain),
                row.netns,
            ])
            .unwrap();
    }
    tx.commit().unwrap();
}

/// The schema of picosnitch before 2: one wide table, times in local time.
pub fn version_3(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "CREATE TABLE connections(contime text, send integer, recv integer, exe text, name text,
           cmdline text, sha256 text, pexe text, pname text, pcmdline text, psha256 text,
           uid integer, lport integer, rport integer, laddr text, raddr text, domain text);
         PRAGMA user_version = 3;",
    )
    .unwrap();
    conn
}

pub fn add_3(conn: &mut Connection, rows: &[Theirs]) {
    let tx = conn.transaction().unwrap();
    for row in rows {
        let [own, parent, _] = &row.who;
        tx.prepare_cached(
            "INSERT INTO connections VALUES (datetime(?1, 'unixepoch', 'localtime'),
               ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )
        .unwrap()
        .execute(params![
            row.contime,
            row.send,
            row.recv,
            own[0],
            own[1],
            own[2],
            own[3],
            parent[0],
            parent[1],
            parent[2],
            parent[3],
            row.uid,
            row.lport,
            row.rport,
            row.laddr,
            row.raddr,
            row.domain,
        ])
        .unwrap();
    }
    tx.commit().unwrap();
}
