//! What happened, and when nobody looked.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use femtosnitch_store::{Event, EventKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Shared, body, nothing};
use crate::answer::{Answer, Refusal, encode, json};
use crate::app::App;
use crate::live::Daemon;
use crate::params::{Params, now};
use crate::state::hex;

/// Events told at most; the latest.
const MOST: usize = 5_000;
/// Events acknowledged at a time.
const MOST_ACKNOWLEDGED: usize = 1_000;
/// An id has a time and sixteen digits.
const LONGEST_ID: usize = 40;

#[derive(Serialize)]
struct Told {
    id: String,
    acknowledged: bool,
    #[serde(flatten)]
    event: Event,
}

#[derive(Serialize)]
struct All {
    events: Vec<Told>,
    /// Earlier ones that found no room.
    left_out: usize,
}

pub(super) async fn events(app: Arc<App>, mut params: Params) -> Answer {
    let (since, until) = params.span()?;
    let kinds = params.one("kind")?.unwrap_or_default();
    let kinds = kinds.split(',').filter(|kind| !kind.is_empty()).map(str::parse::<EventKind>);
    let kinds = kinds
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Refusal::bad("bad_kind", format!("kind: {error}")))?;
    let exe = params.one("exe")?;
    // Asked like the others, though filters and limits mean nothing here.
    drop(params.all("filter"));
    let limit = params.number("limit")?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MOST).min(MOST);
    params.end()?;
    let acknowledged = app.acknowledged().all();
    let ask = app.pool.ask(move |reader, _| {
        let mut events = reader.events(since, until, &kinds)?;
        if let Some(exe) = exe {
            events.retain(|event| event.exe == exe);
        }
        let left_out = events.len().saturating_sub(limit);
        let latest = events.into_iter().skip(left_out);
        let events = latest.map(|event| tell(event, &acknowledged)).collect();
        encode(&All { events, left_out })
    });
    Ok(json(ask.await?))
}

fn tell(event: Event, acknowledged: &BTreeSet<String>) -> Told {
    let id = id(&event);
    Told { acknowledged: acknowledged.contains(&id), id, event }
}

/// The same for the same event, whatever becomes known of it later.
fn id(event: &Event) -> String {
    let mut hash = Sha256::new();
    // What is an upgrade today may have been a modification yesterday.
    let kind = match event.kind {
        EventKind::Upgraded => EventKind::Modified,
        kind => kind,
    };
    let process = event.process_id.to_string();
    for part in [kind.name(), &event.exe, &event.realm, &process, &event.detail] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hex(&hash.finalize());
    format!("{}-{}", event.at, digest.get(..16).unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    ids: Vec<String>,
}

pub(super) async fn acknowledge(State(app): Shared, request: Request) -> Answer {
    let Ids { ids } = body(request).await?;
    let good = |id: &String| {
        id.len() <= LONGEST_ID
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if ids.len() > MOST_ACKNOWLEDGED || !ids.iter().all(good) {
        let message =
            format!("`ids` are at most {MOST_ACKNOWLEDGED} ids as /api/v1/events has them");
        return Err(Refusal::bad("bad_body", message));
    }
    app.acknowledged().add(ids).map_err(|error| {
        let message = format!("cannot be kept: {error}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "state", message)
    })?;
    Ok(nothing())
}

pub(super) async fn gaps(app: Arc<App>, mut params: Params) -> Answer {
    let (since, until) = params.span()?;
    drop(params.all("filter"));
    drop(params.all("limit"));
    params.end()?;
    let ask = app.pool.ask(move |reader, _| Ok(reader.unwatched((since, until), now())?));
    let (mut all, last) = ask.await?;
    if let Some(last) = last
        // Who may not ask does not know: nothing is claimed then.
        && matches!(super::status::daemon(&app).await?, Daemon::Absent(_))
    {
        all.push(last);
    }
    Ok(json(encode(&all)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_keeps_its_id() {
        let event = |kind, exe: &str| Event {
            at: 1_800_000_000,
            until: None,
            kind,
            exe: exe.into(),
            name: String::new(),
            cmdline: String::new(),
            sha256: String::new(),
            old_sha256: String::new(),
            package: String::new(),
            version: String::new(),
            state: String::new(),
            old_version: String::new(),
            written_by: String::new(),
            container: String::new(),
            realm: String::new(),
            detail: String::new(),
            process_id: 3,
        };
        let one = id(&event(EventKind::Modified, "/bin/a"));
        let known = Event { sha256: "ab".into(), ..event(EventKind::Upgraded, "/bin/a") };
        assert_eq!(one, id(&known));
        assert_ne!(one, id(&event(EventKind::FirstSeen, "/bin/a")));
        assert_ne!(one, id(&event(EventKind::Modified, "/bin/b")));
        assert!(one.starts_with("1800000000-") && one.len() <= LONGEST_ID);
    }
}
