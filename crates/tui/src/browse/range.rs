//! From when to when.

use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// Nobody looks closer than this.
pub(crate) const SHORTEST: i64 = 60;

/// Where a time begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So many seconds before its end.
    Ago(i64),
    /// At this unix second.
    At(i64),
    /// With the history.
    All,
}

/// A time that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// Its beginning.
    pub(crate) since: Since,
    /// Up to, not including, this unix second; `None` for now, whenever that is.
    pub(crate) until: Option<i64>,
}

/// A time to choose: how it is called where there is little room, in words, and where it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preset {
    pub(crate) title: &'static str,
    pub(crate) long: &'static str,
    pub(crate) since: Since,
}

const fn preset(title: &'static str, long: &'static str, since: Since) -> Preset {
    Preset { title, long, since }
}

/// As the dashboard offers them, in the order of their keys from `1` on.
pub(crate) const PRESETS: [Preset; 7] = [
    preset("15 min", "the last 15 minutes", Since::Ago(900)),
    preset("1 h", "the last hour", Since::Ago(3_600)),
    preset("6 h", "the last 6 hours", Since::Ago(21_600)),
    preset("24 h", "the last 24 hours", Since::Ago(86_400)),
    preset("7 d", "the last 7 days", Since::Ago(604_800)),
    preset("30 d", "the last 30 days", Since::Ago(2_592_000)),
    preset("All", "all that is kept", Since::All),
];

impl Default for Range {
    fn default() -> Self {
        Self::last(86_400)
    }
}

impl Range {
    /// The last so many seconds.
    pub(crate) fn last(seconds: i64) -> Self {
        Self { since: Since::Ago(seconds), until: None }
    }

    /// From one unix second until another, which is not included.
    pub(crate) fn between(since: i64, until: i64) -> Self {
        Self { since: Since::At(since), until: Some(until.max(since.saturating_add(SHORTEST))) }
    }

    /// Whether it goes on while time passes.
    pub(crate) fn goes_on(self) -> bool {
        self.until.is_none()
    }

    /// What to ask for: unix seconds, the end not included. `now` is part of a time that goes on.
    pub(crate) fn bounds(self, now: i64) -> (Option<i64>, i64) {
        let until = self.until.unwrap_or(now.saturating_add(1));
        let since = match self.since {
            Since::Ago(seconds) => Some(until.saturating_sub(seconds)),
            Since::At(since) => Some(since),
            Since::All => None,
        };
        (since, until)
    }

    /// The span as it is asked for; of all that is kept it begins where the answer `told` begins.
    pub(crate) fn span(self, told: Option<i64>, now: i64) -> (i64, i64) {
        let (since, until) = self.bounds(now);
        let since = since.or(told).unwrap_or(until.saturating_sub(86_400));
        (since.min(until.saturating_sub(1)), until)
    }

    /// The span of the same length `steps` before (less than 0) or after `span`. One that would
    /// end later than now is the last of that length, and goes on.
    pub(crate) fn shifted(span: (i64, i64), steps: i64, now: i64) -> Self {
        let length = span.1.saturating_sub(span.0).max(SHORTEST);
        let until = span.1.saturating_add(steps.saturating_mul(length));
        if until > now {
            return Self::last(length);
        }
        Self::between(until.saturating_sub(length), until)
    }

    /// `times` as long (half as long with 0.5) around `at`, or around the middle.
    pub(crate) fn zoomed(span: (i64, i64), longer: bool, at: Option<i64>, now: i64) -> Self {
        let length = span.1.saturating_sub(span.0).max(SHORTEST);
        let new = if longer { length.saturating_mul(2) } else { (length / 2).max(SHORTEST) };
        let middle = at.unwrap_or(span.0.saturating_add(length / 2));
        let since = middle.saturating_sub(new / 2);
        let until = since.saturating_add(new);
        if until > now {
            // What ends now still does when looked at from further off.
            return if longer { Self::last(new) } else { Self::between(now - new, now) };
        }
        Self::between(since, until)
    }

    /// Which of [`PRESETS`] it is.
    pub(crate) fn preset(self) -> Option<usize> {
        let since = self.goes_on().then_some(self.since)?;
        PRESETS.iter().position(|preset| preset.since == since)
    }
}

/// Reads one point in time as the command line does: `15m` (ago), `all`, unix seconds, RFC 3339;
/// `None` for `all`.
pub(crate) type ReadTime = fn(&str, i64) -> Result<Option<i64>, String>;

/// Reads `FROM..UNTIL`, also with `to` or `–` between, or `FROM` alone, which lasts until now. Each
/// is a time of the local clock (`2026-11-28 14:00`; `14:00` of today, or of the day on which it
/// begins), `now`, or what `read` understands.
///
/// # Errors
/// In words, with what would be right.
pub(crate) fn read(text: &str, now: i64, zone: &TimeZone, read: ReadTime) -> Result<Range, String> {
    let text = text.trim();
    let cut = ["..", " to ", "–", " - "].into_iter().find_map(|sign| text.split_once(sign));
    let (from, to) = cut.unwrap_or((text, "now"));
    let (from, to) = (from.trim(), to.trim());
    let moment = |text: &str, near: i64| match local(text, near, zone) {
        Some(second) => Ok(Some(second)),
        None => read(text, now),
    };
    let since = moment(from, now)?;
    // A time of the day alone is one of the day on which it all begins.
    let near = since.unwrap_or(now);
    let until = if to.is_empty() || to == "now" { None } else { moment(to, near)? };
    match (since, until) {
        (None, until) => Ok(Range { since: Since::All, until }),
        (Some(since), until) if since >= until.unwrap_or(now) => {
            Err("the first time is not before the second, so nothing lies between".to_owned())
        }
        (Some(since), Some(until)) => Ok(Range::between(since, until)),
        // What was asked for as so long ago goes on as so long.
        (Some(since), None) if local(from, now, zone).is_none() && is_ago(from) => {
            Ok(Range::last((now - since).max(SHORTEST)))
        }
        (Some(since), None) => Ok(Range { since: Since::At(since), until: None }),
    }
}

fn is_ago(text: &str) -> bool {
    text.ends_with(|ch: char| ch.is_ascii_lowercase())
}

/// A time of the local clock, without a day on that of `near`.
fn local(text: &str, near: i64, zone: &TimeZone) -> Option<i64> {
    let at = |moment: DateTime| {
        moment.to_zoned_datetime(zone.clone()).ok().map(|zoned| zoned.timestamp().as_second())
    };
    // A plain number is unix seconds, whatever else it could be.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Ok(moment) = DateTime::strptime("%Y-%m-%d %H:%M", text) {
        return at(moment);
    }
    if let Ok(moment) = DateTime::strptime("%Y-%m-%d %H:%M:%S", text) {
        return at(moment);
    }
    if let Ok(day) = Date::strptime("%Y-%m-%d", text) {
        return at(day.at(0, 0, 0, 0));
    }
    let day = jiff::Timestamp::from_second(near).ok()?.to_zoned_datetime(zone.clone()).date();
    let time = Time::strptime("%H:%M", text).or_else(|_| Time::strptime("%H:%M:%S", text)).ok()?;
    at(day.to_datetime(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000; // 2023-11-14 22:13:20 UTC

    fn as_the_command_line(text: &str, now: i64) -> Result<Option<i64>, String> {
        match text {
            "all" => Ok(None),
            "1h" => Ok(Some(now - 3_600)),
            _ => text.parse().map(Some).map_err(|_| format!("{text:?} is not a time")),
        }
    }

    fn said(text: &str) -> Result<Range, String> {
        read(text, NOW, &TimeZone::UTC, as_the_command_line)
    }

    #[test]
    fn times_of_the_local_clock_are_read() {
        assert_eq!(
            said("2023-11-01 .. 2023-11-02 06:30"),
            Ok(Range::between(1_698_796_800, 1_698_906_600))
        );
        assert_eq!(
            said("21:00 to 22:00"),
            Ok(Range::between(NOW - 4_400, NOW - 800)),
            "of today, which is the 14th"
        );
        assert_eq!(
            said("2023-11-01 04:00..06:30"),
            Ok(Range::between(1_698_811_200, 1_698_820_200)),
            "of the same day"
        );
        assert_eq!(said("1h"), Ok(Range::last(3_600)));
        assert_eq!(said("all"), Ok(Range { since: Since::All, until: None }));
        assert_eq!(said("1699990000"), Ok(Range { since: Since::At(1_699_990_000), until: None }));
        let berlin = TimeZone::fixed(jiff::tz::offset(2));
        let there = read("2023-11-01 02:00..now", NOW, &berlin, as_the_command_line);
        assert_eq!(there, Ok(Range { since: Since::At(1_698_796_800), until: None }));
    }

    #[test]
    fn what_is_no_time_is_told_so() {
        assert!(said("yesterday").unwrap_err().contains("not a time"));
        assert!(said("22:00..21:00").unwrap_err().contains("not before"));
        assert!(said("2023-11-15").unwrap_err().contains("not before"), "it is yet to come");
        assert!(said("").is_err());
    }

    #[test]
    fn steps_lead_back_and_forth_and_end_now() {
        let day = Range::last(86_400);
        let before = Range::shifted(day.span(None, NOW), -1, NOW);
        assert_eq!(before.bounds(NOW), (Some(NOW + 1 - 2 * 86_400), NOW + 1 - 86_400));
        assert!(!before.goes_on());
        let again = Range::shifted(before.span(None, NOW), 1, NOW);
        assert_eq!(again, day);
        assert_eq!(Range::shifted(day.span(None, NOW), 1, NOW), day);
    }

    #[test]
    fn looking_closer_halves_and_never_ends() {
        let mut range = Range::between(0, 3_600);
        range = Range::zoomed(range.span(None, NOW), false, Some(600), NOW);
        assert_eq!(range.bounds(NOW), (Some(-300), 1_500));
        for _ in 0..99 {
            range = Range::zoomed(range.span(None, NOW), false, None, NOW);
        }
        let (since, until) = range.span(None, NOW);
        assert_eq!(until - since, SHORTEST);
        for _ in 0..99 {
            range = Range::zoomed(range.span(None, NOW), true, None, NOW);
        }
        assert!(range.goes_on());
    }

    #[test]
    fn presets_are_known_again() {
        for (at, preset) in PRESETS.iter().enumerate() {
            let range = Range { since: preset.since, until: None };
            assert_eq!(range.preset(), Some(at));
            assert_eq!(Range { until: Some(NOW), ..range }.preset(), None);
        }
        assert_eq!(PRESETS.get(3).map(|preset| preset.since), Some(Range::default().since));
    }
}
