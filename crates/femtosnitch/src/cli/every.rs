//! Widths of steps as they are asked for.

use std::str::FromStr;

use femtosnitch_store::Bucket;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::parse_duration;

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// 1970-01-05 was a Monday.
const MONDAY: i64 = 4 * DAY;
/// The widths, in seconds, that are good to look at; and how many steps.
const WIDTHS: [i64; 12] =
    [60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, DAY, WEEK, 30 * DAY, 365 * DAY];
const STEPS: i64 = 96;

/// How wide the steps are in which `query --every` shows how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// As is good to look at.
    Auto,
    /// So many seconds.
    Seconds(i64),
}

impl Every {
    /// What to ask the store for, about the time from `since` to `until`. Days begin at midnight
    /// where people are (as it was `until`), weeks on Monday.
    #[must_use]
    pub fn bucket(self, zone: &TimeZone, since: i64, until: i64) -> Bucket {
        let width = match self {
            Self::Auto => {
                let long = until.saturating_sub(since);
                let fits = |width: &i64| long / *width <= STEPS;
                WIDTHS.into_iter().find(fits).unwrap_or(365 * DAY)
            }
            Self::Seconds(width) => width,
        };
        let ahead = Timestamp::from_second(until).map_or(0, |at| zone.to_offset(at).seconds());
        let begins = if width % WEEK == 0 { MONDAY } else { 0 };
        let offset = begins.saturating_sub(i64::from(ahead)).rem_euclid(width.max(1));
        Bucket::Seconds { width, offset }
    }
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let width = parse_duration(text).map_err(|message| format!("{message}, or auto"))?;
        match i64::try_from(width.as_secs()) {
            Ok(seconds @ 1..) if width.subsec_nanos() == 0 => Ok(Self::Seconds(seconds)),
            _ => Err(format!("{text:?} is not a number of full seconds; write 1s or longer")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_read() {
        for (text, every) in [
            ("auto", Every::Auto),
            ("10m", Every::Seconds(600)),
            ("1d", Every::Seconds(DAY)),
            ("1h30m", Every::Seconds(5_400)),
        ] {
            assert_eq!(text.parse(), Ok(every), "{text}");
        }
        for (text, part) in [("", "or auto"), ("0s", "1s or longer"), ("1500ms", "full seconds")] {
            let message = text.parse::<Every>().unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn days_begin_at_midnight_and_weeks_on_monday() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let offset = |every: Every, zone: &TimeZone| match every.bucket(zone, 0, 1_800_000_000) {
            Bucket::Seconds { offset, .. } => offset,
            Bucket::Auto { .. } => -1,
        };
        assert_eq!(offset(Every::Seconds(DAY), &zone), DAY - 7_200);
        assert_eq!(offset(Every::Seconds(3_600), &zone), 0);
        assert_eq!(offset(Every::Seconds(WEEK), &TimeZone::UTC), MONDAY);
        assert_eq!(offset(Every::Seconds(7), &TimeZone::UTC), 0);
    }

    #[test]
    fn widths_are_chosen_by_the_length_of_the_time() {
        for (long, chosen) in [
            (3_600, 60),
            (DAY, 900),
            (WEEK, 10_800),
            (30 * DAY, 43_200),
            (400 * DAY, WEEK),
            (i64::MAX, 365 * DAY),
        ] {
            match Every::Auto.bucket(&TimeZone::UTC, 0, long) {
                Bucket::Seconds { width, .. } => assert_eq!(width, chosen),
                Bucket::Auto { .. } => panic!("{long}"),
            }
        }
    }
}
