//! Recorded rows as they are handed out: every number and text in plain, for files and logs.

mod read;
mod texts;

use std::ops::ControlFlow;
use std::sync::Arc;

use femtosnitch_model::Executable;
use femtosnitch_model::Location;
use femtosnitch_model::Row;

use crate::Query;
use crate::Reader;
use crate::StoreError;
use crate::Users;
use crate::filter::reversed;

/// An executable; all '' where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportExe {
    /// Path, or in brackets why there is none.
    pub exe: String,
    /// Name of the process.
    pub name: String,
    /// Command line.
    pub cmdline: String,
    /// Digest of its contents in hexadecimal, or in brackets why there is none.
    pub sha256: String,
}

/// A container; all '' where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportContainer {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The image that it was made from.
    pub image: String,
    /// Kubernetes' name for its pod.
    pub pod: String,
}

/// One recorded row. Texts are '' where unknown or none; those from outside are as recorded, so
/// show them through [`femtosnitch_model::printable`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportRow {
    /// When the first of these bytes were seen, seconds since 1970-01-01 UTC.
    pub contime: i64,
    /// Application bytes sent.
    pub send: u64,
    /// Application bytes received.
    pub recv: u64,
    /// Bytes sent at the IP layer, `None` where not measured.
    pub wire_send: Option<u64>,
    /// Bytes received at the IP layer, `None` where not measured.
    pub wire_recv: Option<u64>,
    /// Send and receive calls.
    pub events: u64,
    /// Who began the conversation: [`femtosnitch_model::Direction::name`].
    pub direction: &'static str,
    /// Connections begun.
    pub begun: u64,
    /// Connections that ended, failed ones included.
    pub ended: u64,
    /// Attempts that never became a connection.
    pub failed: u64,
    /// Why: an errno, 0 for none.
    pub error: u64,
    /// Smoothed round-trip time in microseconds, `None` where not measured.
    pub rtt_us: Option<u64>,
    /// TCP segments sent again.
    pub retrans: u64,
    /// What moved the bytes.
    pub exe: Arc<ExportExe>,
    /// What launched it.
    pub parent: Arc<ExportExe>,
    /// What launched that.
    pub grandparent: Arc<ExportExe>,
    /// Real user id.
    pub uid: u32,
    /// Its name, or the number where it has none.
    pub user: Arc<str>,
    /// Who logged in, `None` if nobody did.
    pub login_uid: Option<u32>,
    /// Likewise by name, '' if nobody did.
    pub login: Arc<str>,
    /// Process id.
    pub pid: u32,
    /// Where it ran.
    pub container: Arc<ExportContainer>,
    /// systemd unit.
    pub unit: Arc<str>,
    /// Desktop application.
    pub app: Arc<str>,
    /// The script that an interpreter ran.
    pub script: Arc<str>,
    /// The package that the executable belongs to.
    pub package: Arc<str>,
    /// Whether it is what the package shipped.
    pub state: Arc<str>,
    /// Remote name, as `www.example.org`.
    pub domain: Arc<str>,
    /// How that is known: [`femtosnitch_model::NameSource::name`].
    pub name_source: &'static str,
    /// Remote address.
    pub raddr: Arc<str>,
    /// Remote port.
    pub rport: u16,
    /// Where that address was on the day of the traffic.
    pub location: Location,
    /// Local address.
    pub laddr: Arc<str>,
    /// Local port.
    pub lport: u16,
    /// `IPPROTO_*`, 0 unknown.
    pub protocol: u16,
    /// `AF_*`.
    pub family: u16,
    /// Network namespace inode.
    pub netns: u32,
}

impl ExportRow {
    /// A row as it is before it is written. Users are numbers, and what is only found out later
    /// (a digest, a package, what a container is called) is not there.
    #[must_use]
    pub fn of(row: &Row, location: Location) -> Self {
        let exe = |exe: &Executable| {
            Arc::new(ExportExe {
                exe: exe.image.path.clone(),
                name: exe.image.name.clone(),
                cmdline: exe.image.cmdline.clone(),
                sha256: exe.digest.to_string(),
            })
        };
        let maybe = |one: &Option<Executable>| one.as_ref().map(exe).unwrap_or_default();
        let text = |addr: Option<std::net::IpAddr>| -> Arc<str> {
            addr.map_or_else(Arc::default, |addr| addr.to_canonical().to_string().into())
        };
        let run = row.lineage.first();
        let place = run.map(|run| &run.process.place);
        let login_uid = run.and_then(|run| run.process.login_uid);
        let script = run.and_then(|run| run.script.as_ref());
        Self {
            contime: row.contime,
            send: row.send,
            recv: row.recv,
            wire_send: row.wire_send,
            wire_recv: row.wire_recv,
            events: row.events,
            direction: row.direction.name(),
            begun: row.connections.begun.into(),
            ended: row.connections.ended.into(),
            failed: row.connections.failed.into(),
            error: row.connections.error.into(),
            rtt_us: row.quality.rtt_us.map(u64::from),
            retrans: row.quality.retrans,
            exe: exe(&row.exe),
            parent: maybe(&row.parent),
            grandparent: maybe(&row.grandparent),
            uid: row.uid,
            user: row.uid.to_string().into(),
            login_uid,
            login: login_uid.map_or_else(Arc::default, |uid| uid.to_string().into()),
            pid: row.pid,
            container: Arc::new(ExportContainer {
                id: row.container.to_string(),
                ..ExportContainer::default()
            }),
            unit: place.map_or_else(Arc::default, |place| Arc::clone(&place.unit)),
            app: place.map_or_else(Arc::default, |place| Arc::clone(&place.app)),
            script: script.map_or_else(Arc::default, |script| script.image.path.as_str().into()),
            package: Arc::default(),
            state: Arc::default(),
            domain: reversed(&row.domain).into(),
            name_source: row.name_source.name(),
            raddr: text(row.raddr),
            rport: row.rport,
            location,
            laddr: text(row.laddr),
            lport: row.lport,
            protocol: row.protocol,
            family: row.family,
            netns: row.netns,
        }
    }
}

/// Some rows in the order of their times, and how far that is.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    /// The rows; none where a filter left nothing of a longer stretch.
    pub rows: &'a [ExportRow],
    /// Which part of the time asked for lies behind, 0 to 1.
    pub done: f64,
}

/// What was handed out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows.
    pub rows: u64,
    /// False if whoever took them had enough.
    pub complete: bool,
}

impl Reader {
    /// Hands out every recorded row that `query` is about (its `by` and `limit` mean nothing
    /// here), oldest first, some thousand at a time.
    ///
    /// No snapshot is held meanwhile, however long `each` takes: rows that the daemon writes or
    /// deletes after the beginning may be among them or not, but each row is whole. None is handed
    /// out twice. Memory is bounded whatever the history holds.
    ///
    /// # Errors
    /// As [`Reader::query`]. What was handed out before stays handed out.
    pub fn rows(
        &self,
        query: &Query,
        users: &dyn Users,
        each: &mut dyn FnMut(Slice<'_>) -> ControlFlow<()>,
    ) -> Result<Exported, StoreError> {
        let mut export = read::Export::new(self, query, users)?;
        let mut exported = Exported { rows: 0, complete: true };
        while let Some(done) = export.next(self)? {
            let rows = export.rows();
            exported.rows += u64::try_from(rows.len()).unwrap_or_default();
            if each(Slice { rows, done }).is_break() {
                return Ok(Exported { complete: false, ..exported });
            }
        }
        Ok(exported)
    }
}
