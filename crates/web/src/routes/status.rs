//! How daemon and history are doing.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;

use crate::answer::{Answer, Refusal, encode, json};
use crate::app::App;
use crate::live::{Daemon, told};
use crate::params::Params;

/// Asks the daemon, off the thread that serves.
pub(super) async fn daemon(app: &App) -> Result<Daemon, Refusal> {
    let hub = app.live.clone();
    tokio::task::spawn_blocking(move || hub.daemon()).await.map_err(|error| {
        let message = format!("the daemon could not be asked ({error})");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    })
}

pub(super) async fn status(app: Arc<App>, params: Params) -> Answer {
    params.end()?;
    let mut object = told(&daemon(&app).await?);
    let history = app.pool.ask(|reader, _| Ok((reader.stats()?, reader.levels()?))).await;
    let history = match history {
        Ok((stats, levels)) => json!({
            "rows": stats.rows,
            "oldest": stats.oldest,
            "newest": stats.newest,
            "bytes": stats.bytes,
            "levels": levels,
        }),
        Err(refusal) => json!({ "error": { "code": refusal.code, "message": refusal.message } }),
    };
    if let Some(fields) = object.as_object_mut() {
        fields.insert("history".to_owned(), history);
        let web = json!({ "version": app.settings.version, "viewers": app.live.viewers() });
        fields.insert("web".to_owned(), web);
    }
    Ok(json(encode(&object)?))
}
