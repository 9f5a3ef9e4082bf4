//! Files: what is shown as a table, and the rows behind it.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_DISPOSITION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use femtosnitch_store::{Query, Reader, Report, Users};
use futures_util::stream;
use tokio::sync::mpsc;

use super::history;
use crate::answer::{Answer, Refusal, encode, with_type};
use crate::app::App;
use crate::export::{ExportFormat, RowSink};
use crate::params::Params;

/// Pieces of a download that wait for the network.
const PIECES: usize = 4;
/// Bytes of a piece.
const PIECE: usize = 64 << 10;
/// How long the network may take nothing of a download, looked at this often.
const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

fn attachment(mut response: Response, end: &str) -> Response {
    let name = format!("attachment; filename=\"femtosnitch.{end}\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    response
}

pub(super) async fn report_json(app: Arc<App>, params: Params) -> Answer {
    let (_, report) = history::answer(&app, params).await?;
    Ok(attachment(with_type(encode(&report)?, "application/json"), "json"))
}

pub(super) async fn report_csv(app: Arc<App>, params: Params) -> Answer {
    let (query, report) = history::answer(&app, params).await?;
    Ok(attachment(with_type(csv(&query, &report), "text/csv; charset=utf-8"), "csv"))
}

/// The table, with all others in the last line but one and the total in the last.
fn csv(query: &Query, report: &Report) -> String {
    let mut out = String::new();
    for by in &query.by {
        out.push_str(by.name());
        out.push(',');
    }
    out.push_str("send,recv,wire_send,wire_recv,events,connections,failed,retrans,rtt_us\r\n");
    for answer in &report.answers {
        for key in &answer.keys {
            out.push_str(&quoted(&history::text(key)));
            out.push(',');
        }
        let known = |number: Option<u64>| number.map_or_else(String::new, |it| it.to_string());
        out.push_str(&format!(
            "{},{},{},{},{},{},{},{},{}\r\n",
            answer.send,
            answer.recv,
            known(answer.wire_send),
            known(answer.wire_recv),
            answer.events,
            answer.connections,
            answer.failed,
            answer.retrans,
            known(answer.rtt_us),
        ));
    }
    out
}

/// As RFC 4180 has it. What a spreadsheet would take for a formula, which a program or a remote
/// host may have chosen, becomes text by a `'` in front.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

pub(super) async fn export(app: Arc<App>, mut params: Params) -> Answer {
    let format = params.one("format")?.unwrap_or_else(|| "csv".to_owned());
    let format = ExportFormat::of(&format).ok_or_else(|| {
        Refusal::bad("bad_format", format!("format is csv, ndjson or parquet, not `{format}`"))
    })?;
    // All rows of the time: a part of them would look like all.
    drop(params.all("limit"));
    let query = Query { limit: None, ..params.query()? };
    params.end()?;
    let permit = Arc::clone(&app.exports).try_acquire_owned().map_err(|_| {
        let message = "two downloads are running; wait for one of them to end";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    })?;
    let (send, receive) = mpsc::channel(PIECES);
    let make = app.settings.export;
    let database = app.pool.database().to_owned();
    let users = Arc::clone(&app.settings.users);
    // In a thread with a reader of its own: it may last for minutes.
    let (opened, was_opened) = tokio::sync::oneshot::channel();
    let run = move || {
        let broken = send.clone();
        let pipe = Box::new(Pipe { send, piece: Vec::new() });
        let begun = Reader::open(&database).map_err(Refusal::from).and_then(|reader| {
            Ok((reader, make(format, pipe).map_err(|error| not_begun(&error))?))
        });
        match begun {
            Ok((reader, sink)) => {
                drop(opened.send(Ok(())));
                if let Err(error) = write(&reader, &query, &*users, sink) {
                    tracing::info!(%error, "a download ended early");
                    // So that nobody takes it for whole. Nobody may be there any more.
                    drop(broken.blocking_send(Err(error)));
                }
                drop(permit);
            }
            Err(refusal) => drop(opened.send(Err(refusal))),
        }
    };
    let thread = thread::Builder::new().name("export".to_owned()).spawn(run);
    thread.map_err(|error| {
        let message = format!("the download cannot begin: {error}");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    })?;
    was_opened.await.map_err(|_| Refusal::busy())??;
    let body = Body::from_stream(stream::unfold(receive, |mut receive| async move {
        let piece: io::Result<Bytes> = receive.recv().await?;
        Some((piece, receive))
    }));
    Ok(attachment(with_type(body, format.mime()), format.name()))
}

fn not_begun(error: &io::Error) -> Refusal {
    let message = match error.kind() {
        io::ErrorKind::Unsupported => {
            "this femtosnitch was built without Parquet; take csv or ndjson".to_owned()
        }
        _ => format!("the download cannot begin: {error}"),
    };
    Refusal::new(StatusCode::NOT_IMPLEMENTED, "bad_format", message)
}

/// Until all is written or nobody reads it.
fn write(
    reader: &Reader,
    query: &Query,
    users: &dyn Users,
    mut sink: Box<dyn RowSink>,
) -> io::Result<()> {
    let mut result = Ok(());
    let exported = reader.rows(query, users, &mut |slice| {
        result = sink.rows(slice.rows);
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    exported.map_err(io::Error::other)?;
    result?;
    sink.finish()
}

/// Hands bytes to the task that sends them.
struct Pipe {
    send: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Pipe {
    fn pass(&mut self, piece: io::Result<Bytes>) -> io::Result<()> {
        let mut piece = piece;
        let mut waited = Duration::ZERO;
        loop {
            match self.send.try_send(piece) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Closed(_)) => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                Err(mpsc::error::TrySendError::Full(back)) => piece = back,
            }
            if waited >= PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(LOOK);
            waited += LOOK;
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        self.pass(Ok(piece.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_text_to_a_spreadsheet() {
        assert_eq!(quoted("/bin/a"), "/bin/a");
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(quoted("=cmd()"), "'=cmd()");
        assert_eq!(quoted("@x,y"), "\"'@x,y\"");
    }
}
