//! Amounts as people read them. Machines get plain numbers instead.

use std::time::Duration;

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Bytes in IEC units: `0 B`, `1023 B`, `1.0 KiB`, `12.3 MiB`, `456 GiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    if n < 1024 {
        return format!("{n} B");
    }
    let mut whole = n;
    let mut tenths = 0;
    let mut unit = "B";
    for name in UNITS {
        // Integers all the way: at 16 EiB a float would already have lost its last digits.
        tenths = (whole % 1024) * 10 / 1024;
        whole /= 1024;
        unit = name;
        if whole < 1024 {
            break;
        }
    }
    if whole < 100 { format!("{whole}.{tenths} {unit}") } else { format!("{whole} {unit}") }
}

/// Bytes per second: `1.5 MiB/s`. Anything that is not a positive number counts as none.
#[must_use]
pub fn rate(per_second: f64) -> String {
    // `as` saturates and turns NaN into 0, which is what is wanted here.
    #[expect(clippy::cast_possible_truncation, reason = "saturates on purpose")]
    #[expect(clippy::cast_sign_loss, reason = "negative rates count as none")]
    let whole = per_second.round() as u64;
    format!("{}/s", bytes(whole))
}

/// A length of time with its two leading units: `350ms`, `4.2s`, `3m 20s`, `5h 1m`, `12d 3h`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.subsec_millis()),
        1..10 => match time.subsec_millis() / 100 {
            0 => format!("{seconds}s"),
            tenths => format!("{seconds}.{tenths}s"),
        },
        _ => femtosnitch_tui::text::duration(seconds),
    }
}

/// A short time given in microseconds: `850 µs`, `12.3 ms`, `456 ms`, `1.5 s`.
#[must_use]
pub fn micros(us: u64) -> String {
    let (unit, name) = match us {
        0..1_000 => return format!("{us} µs"),
        1_000..1_000_000 => (1_000, "ms"),
        _ => (1_000_000, "s"),
    };
    let (whole, tenths) = (us / unit, us % unit * 10 / unit);
    if whole < 100 { format!("{whole}.{tenths} {name}") } else { format!("{whole} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_three_digits_and_never_round_up_to_the_next_unit() {
        for (n, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (102_399, "99.9 KiB"),
            (102_400, "100 KiB"),
            (1_048_575, "1023 KiB"),
            (1_048_576, "1.0 MiB"),
            (5_368_709_120, "5.0 GiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(bytes(n), shown);
        }
    }

    #[test]
    fn rates_survive_what_a_division_can_yield() {
        assert_eq!(rate(1_572_864.0), "1.5 MiB/s");
        assert_eq!(rate(0.4), "0 B/s");
        assert_eq!(rate(-5.0), "0 B/s");
        assert_eq!(rate(f64::NAN), "0 B/s");
        assert_eq!(rate(f64::INFINITY), "15.9 EiB/s");
    }

    #[test]
    fn durations_show_two_units_at_most() {
        for (ms, shown) in [
            (0, "0ms"),
            (350, "350ms"),
            (4_000, "4s"),
            (4_250, "4.2s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (200_000, "3m 20s"),
            (18_060_000, "5h 1m"),
            (1_047_600_000, "12d 3h"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), shown);
        }
    }

    #[test]
    fn short_times_keep_three_digits() {
        for (us, shown) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.0 ms"),
            (12_345, "12.3 ms"),
            (999_999, "999 ms"),
            (1_500_000, "1.5 s"),
            (u64::MAX, "18446744073709 s"),
        ] {
            assert_eq!(micros(us), shown);
        }
    }
}
