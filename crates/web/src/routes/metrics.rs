//! For Prometheus: sums of a few kinds, with labels of which there are never many.

use std::sync::Arc;

use crate::answer::{Answer, with_type};
use crate::app::App;
use crate::live::Daemon;
use crate::params::Params;

/// Counters of the daemon that are told at most; it has some fifty.
const MOST: usize = 500;

/// One metric with its samples.
fn metric(out: &mut String, kind: &str, name: &str, help: &str, samples: &[(String, f64)]) {
    if samples.is_empty() {
        return;
    }
    out.push_str(&format!("# HELP femtosnitch_{name} {help}\n# TYPE femtosnitch_{name} {kind}\n"));
    for (labels, value) in samples {
        out.push_str(&format!("femtosnitch_{name}{labels} {value}\n"));
    }
}

fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{{name}=\"{value}\"}}")
}

#[expect(clippy::cast_precision_loss, reason = "what Prometheus has: 53 bits are enough")]
fn number(value: u64) -> f64 {
    value as f64
}

pub(super) async fn metrics(app: Arc<App>, params: Params) -> Answer {
    params.end()?;
    let mut out = String::new();
    let one = |value: f64| vec![(String::new(), value)];
    let daemon = super::status::daemon(&app).await?;
    let up = matches!(daemon, Daemon::Running(_));
    metric(&mut out, "gauge", "up", "1 if the daemon runs.", &one(f64::from(u8::from(up))));
    if let Daemon::Running(status) = daemon {
        let samples = |of: &dyn Fn(&str) -> bool| -> Vec<(String, f64)> {
            let some = status.counters.iter().filter(|(name, _)| of(name)).take(MOST);
            some.map(|(name, value)| (label("name", name), number(*value))).collect()
        };
        let help = "What the daemon counted since it started, by name; see femtosnitch status.";
        metric(&mut out, "counter", "events_total", help, &samples(&|_| true));
        let help = "Start of the daemon, unix seconds.";
        metric(&mut out, "gauge", "start_time_seconds", help, &one(status.since));
        let help = "Flows in memory.";
        metric(&mut out, "gauge", "flows", help, &one(number(status.flows.live)));
        let help = "Flows that there is room for.";
        metric(&mut out, "gauge", "flows_max", help, &one(number(status.flows.max)));
        let help = "Memory of the daemon, shared pages divided among their users.";
        metric(&mut out, "gauge", "memory_bytes", help, &one(number(status.memory.pss)));
        let help = "Warnings that femtosnitch status shows.";
        let warnings = number(u64::try_from(status.warnings.len()).unwrap_or(0));
        metric(&mut out, "gauge", "warnings", help, &one(warnings));
        if let Some(at) = status.database.last_write {
            let help = "Last write of the history, unix seconds.";
            metric(&mut out, "gauge", "history_last_write_seconds", help, &one(at));
        }
    }
    let history = app.pool.ask(|reader, _| {
        let total = reader.query(&femtosnitch_store::Query::default(), &femtosnitch_store::NoUsers);
        Ok((reader.stats()?, total?))
    });
    if let Ok((stats, total)) = history.await {
        let help = "Connections in the history.";
        metric(&mut out, "gauge", "history_rows", help, &one(number(stats.rows)));
        let help = "Bytes of the history on disk.";
        metric(&mut out, "gauge", "history_bytes", help, &one(number(stats.bytes)));
        if let Some(total) = total.first() {
            let help = "Application bytes in the history; less after retention let go of some.";
            let both = [
                (label("direction", "sent"), number(total.send)),
                (label("direction", "received"), number(total.recv)),
            ];
            metric(&mut out, "gauge", "history_traffic_bytes", help, &both);
        }
    }
    let help = "Those who watch the dashboard live.";
    let viewers = number(u64::try_from(app.live.viewers()).unwrap_or(0));
    metric(&mut out, "gauge", "web_viewers", help, &one(viewers));
    let help = "Requests and connections that the dashboard refused.";
    metric(&mut out, "counter", "web_refused_total", help, &one(number(app.refusals.count())));
    let help = "Questions to the history that wait.";
    let waiting = number(u64::try_from(app.pool.waiting()).unwrap_or(0));
    metric(&mut out, "gauge", "web_questions_waiting", help, &one(waiting));
    Ok(with_type(out, "text/plain; version=0.0.4; charset=utf-8"))
}
