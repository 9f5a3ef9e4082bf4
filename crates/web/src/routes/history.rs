//! Questions to the history.

use std::sync::Arc;

use femtosnitch_store::{Dimension, Filter, Query, Report};
use serde_json::json;

use crate::answer::{Answer, Refusal, encode, json};
use crate::app::App;
use crate::params::Params;

/// Values that are looked through for the beginning of one.
const LOOKED_THROUGH: usize = 10_000;
/// Nodes of a tree at least.
const NODES: usize = 200;

/// Everything that can be asked by, in the order in which it is best listed.
pub(super) async fn dimensions(_app: Arc<App>, params: Params) -> Answer {
    params.end()?;
    let all: Vec<_> = Dimension::all()
        .map(|dimension| {
            let (title, about, numeric) = super::words::words(dimension);
            json!({ "name": dimension.name(), "title": title, "about": about, "numeric": numeric })
        })
        .collect();
    Ok(json(encode(&all)?))
}

/// `/report`, as it is and as a download.
pub(super) async fn answer(app: &App, mut params: Params) -> Result<(Query, Report), Refusal> {
    let mut query = params.query()?;
    query.by = params.by("by", "exe")?;
    let bucket = params.bucket(&mut query)?;
    params.end()?;
    let users = Arc::clone(&app.settings.users);
    app.pool
        .ask(move |reader, cancel| {
            let report = reader.report(&query, bucket, &*users, cancel)?;
            Ok((query, report))
        })
        .await
}

pub(super) async fn report(app: Arc<App>, mut params: Params) -> Answer {
    let mut query = params.query()?;
    query.by = params.by("by", "exe")?;
    let bucket = params.bucket(&mut query)?;
    params.end()?;
    let users = Arc::clone(&app.settings.users);
    let ask = app
        .pool
        .ask(move |reader, cancel| encode(&reader.report(&query, bucket, &*users, cancel)?));
    Ok(json(ask.await?))
}

pub(super) async fn detail(app: Arc<App>, mut params: Params) -> Answer {
    let mut query = params.query()?;
    query.by = params.by("by", "raddr,domain,country,rport,user,container")?;
    let bucket = params.bucket(&mut query)?;
    params.end()?;
    let users = Arc::clone(&app.settings.users);
    let ask = app
        .pool
        .ask(move |reader, cancel| encode(&reader.detail(&query, bucket, &*users, cancel)?));
    Ok(json(ask.await?))
}

/// The values of a dimension that have what somebody began to write in them.
pub(super) async fn values(app: Arc<App>, mut params: Params) -> Answer {
    let mut query = params.query()?;
    let dim = params.by("dim", "exe")?;
    let [dimension] = dim[..] else {
        return Err(Refusal::bad("bad_dimension", "dim: name one dimension"));
    };
    let wanted = params.one("prefix")?.unwrap_or_default().to_lowercase();
    params.end()?;
    let limit = query.limit.replace(LOOKED_THROUGH).unwrap_or(LOOKED_THROUGH);
    query.by = vec![dimension];
    // What is chosen already says nothing of what else could be.
    query.filters.retain(|filter| filter.dimension() != dimension);
    if !wanted.is_empty()
        && let Ok(filter) = Filter::like(dimension, false, &glob(&wanted))
    {
        query.filters.push(filter);
    }
    let users = Arc::clone(&app.settings.users);
    let ask = app.pool.ask(move |reader, cancel| {
        let mut report = reader.report(&query, None, &*users, cancel)?;
        report.answers.retain(|answer| {
            let text = answer.keys.first().map(text).unwrap_or_default();
            text.to_lowercase().contains(&wanted)
        });
        report.answers.truncate(limit);
        encode(&report)
    });
    Ok(json(ask.await?))
}

pub(super) fn text(key: &femtosnitch_store::Key) -> String {
    match key {
        femtosnitch_store::Key::Number(number) => number.to_string(),
        femtosnitch_store::Key::Text(text) => text.clone(),
    }
}

/// A glob for texts that have this in them, written small or not.
fn glob(wanted: &str) -> String {
    let mut glob = String::from("*");
    for ch in wanted.chars() {
        match ch {
            '*' | '?' | '[' => glob.extend(['[', ch, ']']),
            _ if ch.is_ascii_alphabetic() => {
                glob.extend(['[', ch.to_ascii_lowercase(), ch.to_ascii_uppercase(), ']']);
            }
            _ => glob.push(ch),
        }
    }
    glob.push('*');
    glob
}

pub(super) async fn tree(app: Arc<App>, mut params: Params) -> Answer {
    let mut query = params.query()?;
    query.limit = query.limit.map(|limit| limit.max(NODES));
    params.end()?;
    let users = Arc::clone(&app.settings.users);
    let ask = app.pool.ask(move |reader, cancel| encode(&reader.tree(&query, &*users, cancel)?));
    Ok(json(ask.await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_writes_is_no_pattern() {
        assert_eq!(glob("a*[1"), "*[aA][*][[]1*");
    }
}
