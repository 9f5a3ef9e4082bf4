//! Points in time as they are asked for.

use std::str::FromStr;
use std::time::Duration;

use crate::config::parse_duration;

/// An end of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// No end on this side.
    All,
    /// So long before now.
    Ago(Duration),
    /// Seconds since 1970-01-01 UTC.
    At(i64),
}

impl When {
    /// Seconds since 1970-01-01 UTC, given what time it is now; `None` for [`When::All`].
    #[must_use]
    pub fn seconds(self, now: i64) -> Option<i64> {
        match self {
            Self::All => None,
            Self::Ago(ago) => {
                Some(now.saturating_sub(i64::try_from(ago.as_secs()).unwrap_or(i64::MAX)))
            }
            Self::At(seconds) => Some(seconds),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a time; write 15m, 1h or 7d (ago), all, unix seconds, \
                 or RFC 3339 such as 2026-01-31T18:00:00Z"
            )
        };
        if text == "all" {
            return Ok(Self::All);
        }
        if let Ok(seconds) = text.parse() {
            return Ok(Self::At(seconds));
        }
        if let Ok(ago) = parse_duration(text) {
            return Ok(Self::Ago(ago));
        }
        // More lenient than RFC 3339 alone: jiff also takes a space for the T.
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(time.as_second()));
        }
        if text.parse::<jiff::civil::DateTime>().is_ok() {
            return Err(format!(
                "{text:?} has no time zone; end it in Z for UTC or in an offset such as +02:00, \
                 and write the time of day: 2026-01-31T18:00:00Z"
            ));
        }
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, when) in [
            ("all", When::All),
            ("15m", When::Ago(Duration::from_secs(900))),
            ("7d", When::Ago(Duration::from_secs(604_800))),
            ("1700000000", When::At(1_700_000_000)),
            ("0", When::At(0)),
            ("2023-11-14T22:13:20Z", When::At(1_700_000_000)),
            ("2023-11-15T00:13:20.5+02:00", When::At(1_700_000_000)),
        ] {
            assert_eq!(text.parse(), Ok(when), "{text}");
        }
    }

    #[test]
    fn wrong_times_say_what_is_right() {
        for (text, part) in [
            ("yesterday", "7d (ago)"),
            ("", "7d (ago)"),
            ("2026-13-01T00:00:00Z", "RFC 3339"),
            ("2026-01-31", "no time zone"),
            ("2026-01-31T18:00:00", "no time zone"),
            ("99999999999999999999", "not a time"),
        ] {
            let message = text.parse::<When>().unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn the_distant_past_does_not_overflow() {
        assert_eq!(When::Ago(Duration::MAX).seconds(5), Some(5 - i64::MAX));
        assert_eq!(When::Ago(Duration::from_secs(60)).seconds(100), Some(40));
        assert_eq!(When::All.seconds(100), None);
    }
}
