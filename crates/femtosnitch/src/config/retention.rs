//! `[store]`: how long each level of the history is kept, and how large it may become.

use std::time::Duration;

use super::amount::show_duration;
use super::node::Value;
use super::section::{Section, read_duration, read_large_size};

/// At least.
const SHORTEST: Duration = Duration::from_secs(3_600);
/// A century: longer is meant to be for ever, and would overflow dates somewhere.
const LONGEST: Duration = Duration::from_secs(36_525 * 86_400);
/// What cannot be summed up any more (names, processes of a day) has to fit.
const SMALLEST: u64 = 64 << 20;
/// More than any disk.
const LARGEST: u64 = 1_024 << 40;

/// How long a level is kept; `None` for ever.
pub(super) type Length = Option<Duration>;

/// Levels that were read, the finest first.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// The last one that was not refused.
    finer: Option<(&'static str, Length)>,
}

impl Levels {
    /// Reads the next coarser level. It is kept as long as the one before at least: by default, and
    /// anything else is refused.
    pub(super) fn next(
        &mut self,
        keys: &mut Section<'_>,
        key: &'static str,
        default: Length,
    ) -> Length {
        let finer = self.finer;
        let default = match finer {
            Some((_, finer)) if is_shorter(default, finer) => finer,
            _ => default,
        };
        let mut refused = false;
        let length = keys.value(key, default, |value| {
            let checked = length(value, default).and_then(|length| match finer {
                Some((name, finer)) if is_shorter(length, finer) => {
                    Err(too_short(length, name, finer))
                }
                _ => Ok(length),
            });
            refused = checked.is_err();
            checked
        });
        if !refused {
            self.finer = Some((key, length));
        }
        length
    }
}

fn is_shorter(one: Length, other: Length) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one < other,
        (one, other) => one.is_some() && other.is_none(),
    }
}

fn too_short(length: Length, finer_key: &str, finer: Length) -> String {
    let enough = match finer {
        Some(finer) => format!("\"{}\" or longer", show_duration(finer)),
        None => "\"forever\"".to_owned(),
    };
    let (length, finer) = (show(length), show(finer));
    format!(
        "{length} is shorter than `{finer_key}` ({finer}), and no sums are kept shorter than what \
         they sum up; write {enough}, or shorten `{finer_key}` to \"{length}\" too"
    )
}

fn show(length: Length) -> String {
    length.map_or_else(|| "forever".to_owned(), show_duration)
}

fn length(value: &Value, example: Length) -> Result<Length, String> {
    if matches!(value, Value::Text(text) if text == "forever") {
        return Ok(None);
    }
    let example = example.unwrap_or(Duration::from_secs(400 * 86_400));
    read_duration(value, example, SHORTEST..=LONGEST)
        .map(Some)
        .map_err(|message| format!("{message}, or \"forever\" to delete nothing"))
}

/// How many bytes the history may take; `None` for any number.
pub(super) fn max_size(keys: &mut Section<'_>, default: Option<u64>) -> Option<u64> {
    keys.value("max_size", default, |value| {
        if matches!(value, Value::Text(text) if text == "unlimited") {
            return Ok(None);
        }
        read_large_size(value, default.unwrap_or(SMALLEST), SMALLEST..=LARGEST)
            .map(Some)
            .map_err(|message| format!("{message}, or \"unlimited\""))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Format, Store};

    fn store(keys: &str) -> Store {
        Config::parse(&format!("[store]\n{keys}"), Format::Toml).unwrap().store
    }

    fn days(store: &Store) -> [Option<u64>; 4] {
        [store.retention, store.retention_minutes, store.retention_hours, store.retention_days]
            .map(|length| length.map(|length| length.as_secs() / 86_400))
    }

    #[test]
    fn what_is_left_out_is_kept_as_long_as_what_is_finer() {
        for (keys, kept) in [
            ("", [Some(30), Some(30), Some(400), None]),
            ("retention = \"7d\"", [Some(7), Some(30), Some(400), None]),
            ("retention = \"60d\"", [Some(60), Some(60), Some(400), None]),
            ("retention = \"500d\"", [Some(500), Some(500), Some(500), None]),
            ("retention = \"forever\"", [None; 4]),
            ("retention_minutes = \"900d\"", [Some(30), Some(900), Some(900), None]),
            ("retention_days = \"400d\"", [Some(30), Some(30), Some(400), Some(400)]),
        ] {
            assert_eq!(days(&store(keys)), kept, "{keys}");
        }
    }

    #[test]
    fn mistakes_are_told_as_far_as_they_are_known() {
        let problems = |keys: &str| {
            let text = format!("[store]\n{keys}");
            Config::parse(&text, Format::Toml).map_err(|problems| problems.len())
        };
        // Nothing is known of what would be too short then.
        let broken = "retention = \"7\"\nretention_minutes = \"7d\"\nretention_hours = \"7d\"\n";
        assert_eq!(problems(broken), Err(1));
        let order = "retention = \"7d\"\nretention_minutes = \"6d\"\nretention_hours = \"5d\"\n";
        assert_eq!(problems(order), Err(2));
    }

    #[test]
    fn sizes_reach_beyond_32_bits() {
        assert_eq!(store("").max_size, Some(2 << 30));
        assert_eq!(store("max_size = \"unlimited\"").max_size, None);
        assert_eq!(store("max_size = \"64MiB\"").max_size, Some(64 << 20));
        assert_eq!(store("max_size = \"20GiB\"").max_size, Some(20 << 30));
    }
}
