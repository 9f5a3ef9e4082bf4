//! One program: what is known of it, and when it is active.

use std::sync::Arc;

use femtosnitch_store::{Bucket, Point};
use serde_json::json;

use crate::answer::{Answer, Refusal, encode, json};
use crate::app::App;
use crate::params::Params;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// Hours of a week.
const WEEK: usize = 7 * 24;

pub(super) async fn program(app: Arc<App>, mut params: Params) -> Answer {
    let exe = params.one("exe")?.filter(|exe| !exe.is_empty());
    params.end()?;
    let exe =
        exe.ok_or_else(|| Refusal::bad("bad_parameter", "exe: name a program by its path"))?;
    let ask = app.pool.ask(move |reader, _| encode(&reader.program(&exe)?));
    Ok(json(ask.await?))
}

/// Sums by weekday and hour. Where only days are kept, their traffic stands in the first hour, so
/// that time is left out.
pub(super) async fn heatmap(app: Arc<App>, mut params: Params) -> Answer {
    let mut query = params.query()?;
    let ahead = params.offset()?;
    params.end()?;
    query.until = query.until.or(Some(params_now()));
    query.limit = None;
    let users = Arc::clone(&app.settings.users);
    let ask = app.pool.ask(move |reader, cancel| {
        let hours = reader.levels()?.hours;
        query.since = query.since.max(hours.let_go);
        let bucket = Bucket::Seconds { width: HOUR, offset: (-ahead).rem_euclid(HOUR) };
        let report = reader.report(&query, Some(bucket), &*users, cancel)?;
        let mut cells = vec![Point::default(); WEEK];
        if let Some(series) = &report.series {
            let points = series.lines.iter().chain([&series.others]).flat_map(|line| {
                line.iter().enumerate().filter(|(_, point)| **point != Point::default())
            });
            for (at, point) in points {
                let begins = series.start + i64::try_from(at).unwrap_or(0) * series.width;
                if let Some(cell) = cells.get_mut(hour_of_week(begins + ahead)) {
                    cell.send = cell.send.saturating_add(point.send);
                    cell.recv = cell.recv.saturating_add(point.recv);
                    let measured = |sum: Option<u64>, more: Option<u64>| match (sum, more) {
                        (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
                        (sum, more) => sum.or(more),
                    };
                    cell.wire_send = measured(cell.wire_send, point.wire_send);
                    cell.wire_recv = measured(cell.wire_recv, point.wire_recv);
                    cell.connections = cell.connections.saturating_add(point.connections);
                }
            }
        }
        let days: Vec<&[Point]> = cells.chunks(24).collect();
        encode(&json!({ "days": days, "span": report.span, "offset": ahead }))
    });
    Ok(json(ask.await?))
}

fn params_now() -> i64 {
    crate::params::now().saturating_add(1)
}

/// Counted from Monday, midnight.
fn hour_of_week(local: i64) -> usize {
    // 1970-01-01 was a Thursday.
    let day = (local.div_euclid(DAY) + 3).rem_euclid(7);
    let hour = local.rem_euclid(DAY) / HOUR;
    usize::try_from(day * 24 + hour).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday() {
        assert_eq!(hour_of_week(0), 3 * 24);
        assert_eq!(hour_of_week(-1), 3 * 24 - 1);
        // 2026-11-23 is a Monday.
        assert_eq!(hour_of_week(1_795_392_000), 0);
        assert_eq!(hour_of_week(1_795_392_000 + 7 * DAY - 1), WEEK - 1);
    }
}
