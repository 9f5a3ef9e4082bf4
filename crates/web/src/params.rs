//! What is asked for: the part of an address behind `?`.

use std::time::{SystemTime, UNIX_EPOCH};

use femtosnitch_store::{Bucket, Dimension, Filter, Query};

use crate::answer::Refusal;
use crate::settings::ReadTime;

/// Answers unless `limit` says otherwise.
const LIMIT: usize = 50;
/// Answers at most.
const MOST: usize = 1_000;
/// Parameters at most.
const MOST_PARAMS: usize = 100;
/// Dimensions of one question at most.
const MOST_BY: usize = 12;
/// What is asked about unless `since` says otherwise.
const SINCE: &str = "24h";

/// Parameters that are taken out one by one; what nobody takes is an error.
#[derive(Debug)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    now: i64,
    read_time: ReadTime,
}

/// Seconds since 1970-01-01 UTC; the epoch itself for a clock set before it.
pub(crate) fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

impl Params {
    /// Takes an address apart.
    pub(crate) fn new(query: Option<&str>, read_time: ReadTime) -> Result<Self, Refusal> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let pairs: Vec<(String, String)> =
            pairs.take(MOST_PARAMS + 1).map(|(name, value)| (name.into(), value.into())).collect();
        if pairs.len() > MOST_PARAMS {
            let message = format!("give {MOST_PARAMS} parameters at most");
            return Err(Refusal::bad("too_many_parameters", message));
        }
        Ok(Self { pairs, now: now(), read_time })
    }

    /// A parameter that may be given once.
    pub(crate) fn one(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let mut values = self.all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(Refusal::bad("bad_parameter", format!("give `{name}` once"))),
        }
    }

    /// A parameter that may be given several times.
    pub(crate) fn all(&mut self, name: &str) -> Vec<String> {
        let taken = self.pairs.extract_if(.., |(given, _)| given == name);
        taken.map(|(_, value)| value).collect()
    }

    /// A whole number.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            Refusal::bad("bad_parameter", format!("`{name}` is a whole number, not `{text}`"))
        })
    }

    /// Nothing else was given.
    pub(crate) fn end(self) -> Result<(), Refusal> {
        match self.pairs.first() {
            Some((name, _)) => Err(Refusal::bad(
                "unknown_parameter",
                format!("`{name}` means nothing here; /api/v1/openapi.json lists what does"),
            )),
            None => Ok(()),
        }
    }

    fn time(&mut self, name: &str, default: &str) -> Result<Option<i64>, Refusal> {
        let text = self.one(name)?;
        let text = text.as_deref().filter(|text| !text.is_empty()).unwrap_or(default);
        (self.read_time)(text, self.now)
            .map_err(|message| Refusal::bad("bad_time", format!("{name}: {message}")))
    }

    /// `since` and `until`.
    pub(crate) fn span(&mut self) -> Result<(Option<i64>, Option<i64>), Refusal> {
        let (since, until) = (self.time("since", SINCE)?, self.time("until", "all")?);
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            let message = "`since` is not before `until`, so nothing lies between";
            return Err(Refusal::bad("bad_time", message));
        }
        Ok((since, until))
    }

    /// `since`, `until`, `filter` and `limit`.
    pub(crate) fn query(&mut self) -> Result<Query, Refusal> {
        let (since, until) = self.span()?;
        let filters = self.all("filter").into_iter().map(|text| {
            text.parse::<Filter>().map_err(|error| Refusal::bad("bad_filter", error.to_string()))
        });
        let filters = filters.collect::<Result<_, _>>()?;
        let limit = match self.number("limit")? {
            None => LIMIT,
            Some(limit) => {
                usize::try_from(limit).ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(
                    || Refusal::bad("bad_limit", format!("`limit` is a number from 1 to {MOST}")),
                )?
            }
        };
        Ok(Query { since, until, by: Vec::new(), filters, limit: Some(limit) })
    }

    /// `by`, a list of dimensions.
    pub(crate) fn by(&mut self, name: &str, default: &str) -> Result<Vec<Dimension>, Refusal> {
        let text = self.one(name)?.unwrap_or_else(|| default.to_owned());
        let mut by: Vec<Dimension> = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let dimension = part
                .parse()
                .map_err(|error| Refusal::bad("bad_dimension", format!("{name}: {error}")))?;
            if by.contains(&dimension) {
                let message = format!("{name}: name `{part}` once");
                return Err(Refusal::bad("bad_dimension", message));
            }
            by.push(dimension);
        }
        if by.len() > MOST_BY {
            let message = format!("{name}: give {MOST_BY} dimensions at most");
            return Err(Refusal::bad("bad_dimension", message));
        }
        Ok(by)
    }

    /// `offset`: seconds that local time is ahead of UTC.
    pub(crate) fn offset(&mut self) -> Result<i64, Refusal> {
        let offset = self.number("offset")?.unwrap_or(0);
        if !(-86_400..=86_400).contains(&offset) {
            let message = "`offset` is how many seconds local time is ahead of UTC, at most a day";
            return Err(Refusal::bad("bad_parameter", message));
        }
        Ok(offset)
    }

    /// `bucket` and `offset`. With a series the time asked for ends now, not when the day does.
    pub(crate) fn bucket(&mut self, query: &mut Query) -> Result<Option<Bucket>, Refusal> {
        let text = self.one("bucket")?;
        // Steps begin at local midnight: so many seconds before that of UTC.
        let offset = self.offset()?.saturating_neg();
        let bucket = match text.as_deref() {
            None | Some("none" | "") => return Ok(None),
            Some("auto") => Bucket::Auto { offset },
            Some(width) => {
                let width = width.parse().ok().filter(|width| (1..=31_622_400).contains(width));
                let width = width.ok_or_else(|| {
                    Refusal::bad("bad_bucket", "`bucket` is auto, none, or a number of seconds")
                })?;
                Bucket::Seconds { width, offset: offset.rem_euclid(width) }
            }
        };
        query.until = query.until.or(Some(self.now.saturating_add(1)));
        Ok(Some(bucket))
    }
}
