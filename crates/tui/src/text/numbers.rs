//! Numbers for people, each with its unit: as web/src/lib/format.ts writes them.

/// What amounts are told in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    /// Powers of 1000 (kB) instead of 1024 (KiB).
    pub si: bool,
    /// Bits instead of bytes.
    pub bits: bool,
}

impl Units {
    /// The next of the four: KiB, kB, Kibit, kbit.
    #[must_use]
    pub fn next(self) -> Self {
        match (self.bits, self.si) {
            (false, false) => Self { si: true, bits: false },
            (false, true) => Self { si: false, bits: true },
            (true, false) => Self { si: true, bits: true },
            (true, true) => Self::default(),
        }
    }

    /// What they are called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match (self.bits, self.si) {
            (false, false) => "KiB",
            (false, true) => "kB",
            (true, false) => "Kibit",
            (true, true) => "kbit",
        }
    }

    fn names(self) -> [&'static str; 7] {
        match (self.bits, self.si) {
            (false, false) => ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"],
            (false, true) => ["B", "kB", "MB", "GB", "TB", "PB", "EB"],
            (true, false) => ["bit", "Kibit", "Mibit", "Gibit", "Tibit", "Pibit", "Eibit"],
            (true, true) => ["bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit", "Ebit"],
        }
    }
}

/// `12.4 MiB`.
#[must_use]
pub fn bytes(value: u64, units: Units) -> String {
    scaled(approximate(value), units)
}

/// `12.4 MiB/s`. What is no positive number counts as none.
#[must_use]
pub fn rate(per_second: f64, units: Units) -> String {
    let value = if per_second.is_finite() { per_second.max(0.0) } else { 0.0 };
    format!("{}/s", scaled(value.round(), units))
}

/// The exact number: `13,003,776 B`.
#[must_use]
pub fn exact_bytes(value: u64) -> String {
    format!("{} B", count(value))
}

/// A plain number with its thousands apart: `1,234,567`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1.2k`, where there is little room.
#[must_use]
pub fn short_count(n: u64) -> String {
    if n < 1000 {
        return n.to_string();
    }
    let mut rest = approximate(n);
    let mut name = "";
    for next in ["k", "M", "G", "T"] {
        if rest < 999.5 {
            break;
        }
        rest /= 1000.0;
        name = next;
    }
    if rest >= 100.0 { format!("{rest:.0}{name}") } else { format!("{rest:.1}{name}") }
}

/// `12.3 %`; what is not nothing is never shown as 0. '' of nothing.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    let value = 100.0 * approximate(part) / approximate(whole);
    if value > 0.0 && value < 0.1 {
        "<0.1 %".to_owned()
    } else if value >= 99.95 || value == 0.0 {
        format!("{value:.0} %")
    } else {
        format!("{value:.1} %")
    }
}

/// Microseconds as `23 ms`; in ASCII `us` stands for µs.
#[must_use]
pub fn round_trip(us: u32, ascii: bool) -> String {
    let ms = f64::from(us) / 1000.0;
    match us {
        0..1_000 if ascii => format!("{us} us"),
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{ms:.1} ms"),
        10_000..1_000_000 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

/// Seconds with their two leading units: `4s`, `3m 20s`, `5h 1m`, `12d 3h`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let pair = |big: u64, big_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{big}{big_unit}")
        } else {
            format!("{big}{big_unit} {small}{small_unit}")
        }
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => pair(seconds / 60, "m", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// Seconds in one unit: `4s`, `3m`, `23h`, `12d`.
#[must_use]
pub fn short_duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `2 min ago`.
#[must_use]
pub fn ago(seconds: u64) -> String {
    match seconds {
        0..5 => "just now".to_owned(),
        5..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

fn scaled(value: f64, units: Units) -> String {
    let base = if units.si { 1000.0 } else { 1024.0 };
    let mut rest = if units.bits { value * 8.0 } else { value };
    let mut name = "";
    for (at, next) in units.names().into_iter().enumerate() {
        if at > 0 {
            // 999.6 would become 1000: the next unit is taken before that.
            if rest < if at == 1 { base } else { 999.5 } {
                break;
            }
            rest /= base;
        }
        name = next;
    }
    // Parts of a byte are none.
    if name == "B" || name == "bit" || rest >= 100.0 {
        format!("{rest:.0} {name}")
    } else if rest >= 10.0 {
        format!("{rest:.1} {name}")
    } else {
        format!("{rest:.2} {name}")
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn approximate(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits() {
        let iec = Units::default();
        for (n, told) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1536, "1.50 KiB"),
            (102_400, "100 KiB"),
            (1_048_575, "1.00 MiB"),
            (5_368_709_120, "5.00 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(n, iec), told);
        }
        let si = Units { si: true, bits: false };
        assert_eq!((bytes(999, si), bytes(1000, si)), ("999 B".into(), "1.00 kB".into()));
        let bits = Units { si: true, bits: true };
        assert_eq!(rate(125_000_000.0, bits), "1.00 Gbit/s");
        assert_eq!((rate(f64::NAN, iec), rate(-1.0, iec)), ("0 B/s".into(), "0 B/s".into()));
    }

    #[test]
    fn units_go_round() {
        let mut units = Units::default();
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(units.name());
            units = units.next();
        }
        assert_eq!(seen, ["KiB", "kB", "Kibit", "kbit"]);
        assert_eq!(units, Units::default());
    }

    #[test]
    fn other_numbers() {
        let counts = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((short_count(999), short_count(1234)), ("999".into(), "1.2k".into()));
        assert_eq!(short_count(999_600), "1.0M");
        assert_eq!((percent(1, 100_000), percent(1, 8)), ("<0.1 %".into(), "12.5 %".into()));
        assert_eq!(
            (percent(0, 5), percent(5, 5), percent(1, 0)),
            ("0 %".into(), "100 %".into(), "".into())
        );
        assert_eq!(round_trip(850, false), "850 µs");
        assert_eq!(
            (round_trip(1_234, true), round_trip(23_456, true)),
            ("1.2 ms".into(), "23 ms".into())
        );
        assert_eq!((duration(59), duration(200)), ("59s".into(), "3m 20s".into()));
        assert_eq!(duration(1_047_600), "12d 3h");
        let short = [59, 200, 18_060, 1_047_600].map(short_duration);
        assert_eq!(short, ["59s", "3m", "5h", "12d"]);
        assert_eq!((ago(2), ago(130)), ("just now".into(), "2 min ago".into()));
    }
}
