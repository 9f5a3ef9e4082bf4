//! Rows for tests that need some: a test says what matters to it with `Row { …, ..row(…) }`.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;

use femtosnitch_model::Connections;
use femtosnitch_model::Digest;
use femtosnitch_model::Direction;
use femtosnitch_model::Executable;
use femtosnitch_model::Image;
use femtosnitch_model::ImageId;
use femtosnitch_model::Lineage;
use femtosnitch_model::NameSource;
use femtosnitch_model::Quality;
use femtosnitch_model::Row;
use femtosnitch_model::Sha256;

/// A program of this path, named for its file and started as `NAME --flag`.
#[must_use]
pub fn image(id: u64, path: &str) -> Image {
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let cmdline = format!("{name} --flag");
    Image { id: ImageId(id), path: path.to_owned(), name, cmdline, file: None }
}

/// A hash, of this byte alone.
#[must_use]
pub fn sha(byte: u8) -> Digest {
    Digest::Known(Sha256([byte; 32]))
}

/// The program of [`image`], with this hash.
#[must_use]
pub fn executable(id: u64, path: &str, digest: Digest) -> Executable {
    Executable { image: Arc::new(image(id, path)), digest }
}

/// Traffic of `exe` at `contime` (unix seconds): 100 bytes sent and 1000 received over TCP, to port
/// 443 of www.example.org.
#[must_use]
pub fn row(contime: i64, exe: &Executable) -> Row {
    Row {
        contime,
        send: 100,
        recv: 1000,
        wire_send: Some(152),
        wire_recv: None,
        direction: Direction::default(),
        connections: Connections::default(),
        quality: Quality::default(),
        events: 2,
        exe: exe.clone(),
        parent: None,
        grandparent: None,
        lineage: Lineage::default(),
        uid: 1000,
        pid: 4242,
        family: 2,
        protocol: 6,
        laddr: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        raddr: Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7))),
        lport: 40_000,
        rport: 443,
        domain: "org.example.www".into(),
        name_source: NameSource::NONE,
        netns: 4_026_531_840,
        container: "".into(),
    }
}
