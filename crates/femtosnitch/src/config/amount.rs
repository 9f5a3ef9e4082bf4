//! Lengths of time and sizes as people write them: `10s`, `1h30m`, `2MiB`.

use std::time::Duration;

const SIZES: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

const TIMES: [(&str, u64); 6] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// `250ms`, `0.5s`, `15m`, `1h30m`, `7d`: numbers with the units ms, s, m, h, d, w.
///
/// # Errors
/// Says what is wrong with the text and what would be right.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{text:?} is not a length of time; write one like \"10s\", \"15m\" or \"30d\" (units: ms, s, m, h, d, w)"
        )
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    if rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "{text:?} has no unit; write \"{rest}s\" for seconds (units: ms, s, m, h, d, w)"
        ));
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, unit, after) = amount(rest).ok_or_else(wrong)?;
        let (_, nanos) = TIMES.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let part = scale(number, *nanos).ok_or_else(wrong)?;
        total = total.checked_add(Duration::from_nanos(part)).ok_or_else(wrong)?;
        rest = after.trim_start();
    }
    Ok(total)
}

/// `512KiB`, `2 MiB`, `1048576` (bytes): a number with B, KiB, MiB, GiB or TiB.
///
/// # Errors
/// Says what is wrong with the text and what would be right.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "{text:?} is not a size; write one like \"512KiB\" or \"2MiB\" (units: B, KiB, MiB, GiB, TiB)"
        )
    };
    let (number, unit, after) = amount(text.trim()).ok_or_else(wrong)?;
    if !after.is_empty() {
        return Err(wrong());
    }
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit).ok_or_else(|| {
        // KB, MB, k, M… have two meanings each: name the one that is meant here.
        let initial = unit.chars().next().unwrap_or_default().to_ascii_uppercase();
        match SIZES.iter().find(|(name, _)| name.len() == 3 && name.starts_with(initial)) {
            Some((name, _)) => {
                format!("{text:?}: {unit:?} is not a unit here; write \"{number}{name}\"")
            }
            None => wrong(),
        }
    })?;
    scale(number, *factor).ok_or_else(wrong)
}

/// Splits `1.5h30m` into `1.5`, `h` and the rest.
fn amount(text: &str) -> Option<(&str, &str, &str)> {
    let end = text.find(|ch: char| !ch.is_ascii_digit() && ch != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    let rest = rest.trim_start();
    let end = rest.find(|ch: char| !ch.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at_checked(end)?;
    (!number.is_empty()).then_some((number, unit, after))
}

/// A decimal number times a factor in exact arithmetic; parts below 1 are cut off.
fn scale(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    // No unit is finer than a nanosecond, so digits beyond these cannot matter.
    let fraction = fraction.get(..12).unwrap_or(fraction);
    let digits = u32::try_from(fraction.len()).ok()?;
    let fraction = u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor);
    whole.checked_add(u64::try_from(fraction / 10_u128.pow(digits)).ok()?)
}

/// A length of time in the form in which it is configured, for messages.
pub(super) fn show_duration(time: Duration) -> String {
    let nanos = time.as_nanos();
    let exact = TIMES.iter().rev().find(|(_, unit)| nanos.is_multiple_of(u128::from(*unit)));
    match exact {
        Some((name, unit)) if nanos > 0 => format!("{}{name}", nanos / u128::from(*unit)),
        _ => format!("{}s", time.as_secs_f64()),
    }
}

/// A size in the form in which it is configured, for messages.
pub(super) fn show_size(size: u64) -> String {
    match SIZES.iter().rev().find(|(_, unit)| size.is_multiple_of(*unit)) {
        Some((name, unit)) if size > 0 && *unit > 1 => format!("{}{name}", size / unit),
        _ => format!("{size} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("250ms", 250),
            ("0.1s", 100),
            ("10s", 10_000),
            ("1.5h", 5_400_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("30d", 2_592_000_000),
            ("2w", 1_209_600_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn wrong_durations_say_what_is_right() {
        for (text, part) in [
            ("", "30d"),
            ("10", "\"10s\""),
            ("10 parsecs", "units: ms"),
            ("-5s", "units: ms"),
            ("1.2.3s", "units: ms"),
            ("s", "units: ms"),
            ("99999999999999999999d", "units: ms"),
            ("1h30", "units: ms"),
            ("١s", "units: ms"),
        ] {
            let message = parse_duration(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, size) in [
            ("4096", 4096),
            ("512KiB", 524_288),
            ("2 MiB", 2_097_152),
            ("0.5GiB", 536_870_912),
            ("7B", 7),
        ] {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
    }

    #[test]
    fn wrong_sizes_say_what_is_right() {
        for (text, part) in [
            ("2MB", "\"2MiB\""),
            ("2k", "\"2KiB\""),
            ("lots", "units: B"),
            ("", "units: B"),
            ("2MiB3", "units: B"),
            ("99999999999TiB", "units: B"),
        ] {
            let message = parse_size(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(ms in 1_u64..1 << 40, size in 1_u64..1 << 60) {
            let time = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&show_duration(time)), Ok(time));
            let shown = show_size(size);
            prop_assert_eq!(parse_size(shown.trim_end_matches(" bytes")), Ok(size));
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            drop(parse_duration(&text));
            drop(parse_size(&text));
        }
    }
}
