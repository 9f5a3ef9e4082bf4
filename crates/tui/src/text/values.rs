//! Values from outside, as they are shown: the one place that makes hostile text harmless.

use femtosnitch_model::is_harmful;

/// Text that can neither move a cursor, nor set a title, nor hide, nor turn around what is read:
/// each character that could becomes U+FFFD, in ASCII (`ascii`) `?`, as does what is not ASCII.
/// Everything from outside that is drawn has been through here.
#[must_use]
pub fn shown(text: &str, ascii: bool) -> String {
    let harmless = |ch: char| match ch {
        ' '..='~' => ch,
        _ if ascii => '?',
        _ if is_harmful(ch) || is_hidden(ch) => '\u{fffd}',
        _ => ch,
    };
    text.chars().map(harmless).collect()
}

/// What would not be seen, as `HIDDEN` of web/src/lib/text.ts has it.
fn is_hidden(ch: char) -> bool {
    matches!(ch,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{e0000}'..='\u{e0fff}')
}

/// The last part of a path.
#[must_use]
pub fn base_name(path: &str) -> &str {
    match path.rfind('/') {
        Some(at) if at + 1 < path.len() => path.get(at + 1..).unwrap_or(path),
        _ => path,
    }
}

/// The path before that, with its slash.
#[must_use]
pub fn dir_name(path: &str) -> &str {
    path.get(..path.len() - base_name(path).len()).unwrap_or_default()
}

/// Enough of a digest to tell it from others; a bracketed reason as it is.
#[must_use]
pub fn short_digest(sha256: &str) -> String {
    let is_digest = sha256.len() == 64 && sha256.bytes().all(|it| it.is_ascii_hexdigit());
    match sha256.get(..12) {
        Some(head) if is_digest => head.to_owned(),
        _ => sha256.to_owned(),
    }
}

/// What a protocol is called.
#[must_use]
pub fn protocol_name(protocol: u16) -> String {
    match protocol {
        0 => "(unknown)".to_owned(),
        1 => "ICMP".to_owned(),
        6 => "TCP".to_owned(),
        17 => "UDP".to_owned(),
        58 => "ICMPv6".to_owned(),
        132 => "SCTP".to_owned(),
        262 => "MPTCP".to_owned(),
        other => format!("protocol {other}"),
    }
}

/// A value of a dimension (named as in `query --by`) as the dashboard shows it. `ascii` as in
/// [`shown`].
#[must_use]
pub fn key_text(dimension: &str, key: &str, ascii: bool) -> String {
    if let Ok(number) = key.parse::<u32>() {
        match (dimension, number) {
            ("protocol", _) => {
                return u16::try_from(number).map_or_else(|_| key.to_owned(), protocol_name);
            }
            ("family", 2) => return "IPv4".to_owned(),
            ("family", 10) => return "IPv6".to_owned(),
            ("family", 17) => return "packet".to_owned(),
            ("family", 44) => return "XDP".to_owned(),
            ("family", _) => return format!("family {number}"),
            ("rport" | "lport" | "pid", 0) => return "(none)".to_owned(),
            _ => {}
        }
    }
    if key.is_empty() {
        return unknown(dimension).to_owned();
    }
    match dimension {
        "country" => country_name(key),
        _ if dimension.ends_with("sha256") => short_digest(&shown(key, ascii)),
        _ => shown(key, ascii),
    }
}

/// What stands for nothing.
fn unknown(dimension: &str) -> &'static str {
    match dimension {
        "container" | "ctname" | "image" => "(no container)",
        "pod" => "(no pod)",
        "unit" => "(no unit)",
        "app" => "(no application)",
        "login" => "(no login)",
        "script" => "(no script)",
        "package" => "(not packaged)",
        "domain" => "(no name)",
        "outcome" => "(open, or none)",
        _ => "(unknown)",
    }
}

/// A country's code as it is (a terminal has no names of countries in the reader's language).
#[must_use]
pub fn country_name(code: &str) -> String {
    if code.is_empty() { "(unknown)".to_owned() } else { shown(code, true) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthChar;

    #[test]
    fn hostile_text_does_nothing() {
        for (text, told, in_ascii) in [
            ("/tmp/\x1b]0;pwned\x07x", "/tmp/\u{fffd}]0;pwned\u{fffd}x", "/tmp/?]0;pwned?x"),
            ("a\u{9b}31mb", "a\u{fffd}31mb", "a?31mb"),
            ("exe\u{202e}gpj", "exe\u{fffd}gpj", "exe?gpj"),
            ("a\u{200b}\u{fe0f}b", "a\u{fffd}\u{fffd}b", "a??b"),
            ("naïve 名", "naïve 名", "na?ve ?"),
        ] {
            assert_eq!(shown(text, false), told);
            assert_eq!(shown(text, true), in_ascii);
        }
    }

    proptest! {
        #[test]
        fn nothing_shown_is_a_control(text: String, ascii: bool) {
            let told = shown(&text, ascii);
            prop_assert!(!told.chars().any(is_harmful));
            prop_assert!(told.chars().all(|ch| ch.width().is_some()));
        }
    }

    #[test]
    fn values_read_as_in_the_dashboard() {
        for (dimension, key, told) in [
            ("protocol", "6", "TCP"),
            ("protocol", "99", "protocol 99"),
            ("family", "10", "IPv6"),
            ("rport", "0", "(none)"),
            ("rport", "443", "443"),
            ("domain", "", "(no name)"),
            ("exe", "", "(unknown)"),
            ("package", "", "(not packaged)"),
            ("country", "DE", "DE"),
            ("country", "(private)", "(private)"),
            ("sha256", "(pending)", "(pending)"),
            ("psha256", "\x1b[2J", "\u{fffd}[2J"),
        ] {
            assert_eq!(key_text(dimension, key, false), told);
        }
        assert_eq!(short_digest(&"ab".repeat(32)), "abababababab");
        assert_eq!((dir_name("/usr/bin/x"), base_name("/usr/bin/x")), ("/usr/bin/", "x"));
        assert_eq!((dir_name("x"), base_name("/")), ("", "/"));
    }
}
