//! A host's name: what it may look like, and what it is within.

use std::fmt;
use std::sync::Arc;

/// The longest name without its trailing dot (RFC 1035 §2.3.4: 255 bytes on the wire).
const MAX_NAME: usize = 253;

/// The longest label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// Why something is no host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing, or nothing between two dots, or a dot at the end.
    #[error("a name and each of its labels need at least one character")]
    Empty,
    /// More than 253 characters, or a label of more than 63.
    #[error("a name has at most 253 characters, a label at most 63")]
    TooLong,
    /// Something that is no letter, digit, `-` or `_`, or a `-` at a label's edge.
    #[error("a label has only letters, digits, `_`, and `-` in its midst")]
    Character,
    /// An IPv4 address, or what some resolvers take for one.
    #[error("an address is no name")]
    Address,
}

/// A host's name: small letters, digits, `-`, `_` and single dots, no dot at the end, 253
/// characters at most. International names are as on the wire (`xn--`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Arc<str>);

impl HostName {
    /// A name as RFC 6066 §3 has it: no address, no trailing dot. Underscores are let through,
    /// for there are hosts that have them. Errors say which rule is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadName> {
        if bytes.len() > MAX_NAME {
            return Err(BadName::TooLong);
        }
        let mut last: &[u8] = b"";
        for label in bytes.split(|&byte| byte == b'.') {
            check_label(label)?;
            last = label;
        }
        if is_number(last) {
            return Err(BadName::Address);
        }
        let text: String = bytes.iter().map(|&b| char::from(b.to_ascii_lowercase())).collect();
        Ok(Self(text.into()))
    }

    /// As `www.example.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the history has it: `com.example.www`.
    #[must_use]
    pub fn reversed(&self) -> String {
        reversed(&self.0)
    }

    /// Whether this is `domain` or a name below it.
    #[must_use]
    pub fn is_within(&self, domain: &Self) -> bool {
        is_within(&self.0, &domain.0)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for HostName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::parse(text.as_bytes())
    }
}

/// Labels in the opposite order.
#[must_use]
pub fn reversed(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (position, label) in name.rsplit('.').enumerate() {
        if position > 0 {
            text.push('.');
        }
        text.push_str(label);
    }
    text
}

/// Whether `name` is `domain` or below it, label by label: `notexample.com` is not within
/// `example.com`. Both in small letters and without a trailing dot; nothing is within an empty
/// `domain`.
#[must_use]
pub fn is_within(name: &str, domain: &str) -> bool {
    !domain.is_empty()
        && name
            .strip_suffix(domain)
            .is_some_and(|before| before.is_empty() || (before.len() > 1 && before.ends_with('.')))
}

fn check_label(label: &[u8]) -> Result<(), BadName> {
    let (Some(first), Some(last)) = (label.first(), label.last()) else {
        return Err(BadName::Empty);
    };
    if label.len() > MAX_LABEL {
        return Err(BadName::TooLong);
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !label.iter().all(plain) || *first == b'-' || *last == b'-' {
        return Err(BadName::Character);
    }
    Ok(())
}

/// Whether a last label makes an address of the name for inet_aton(3) and browsers: `1.2.3.4`,
/// `127.1`, `0x7f000001`.
fn is_number(label: &[u8]) -> bool {
    let hexadecimal = label.strip_prefix(b"0x").or_else(|| label.strip_prefix(b"0X"));
    label.iter().all(u8::is_ascii_digit)
        || hexadecimal.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostName {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_small_and_turn_round() {
        assert_eq!(name("WWW.Example.COM").as_str(), "www.example.com");
        assert_eq!(name("www.example.com").reversed(), "com.example.www");
        assert_eq!(name("localhost").reversed(), "localhost");
        assert_eq!(name("_dns.xn--bcher-kva.example").to_string(), "_dns.xn--bcher-kva.example");
        assert_eq!(reversed("a\\046b.example"), "example.a\\046b");
    }

    #[test]
    fn what_is_no_name_says_why() {
        let long = [&"a.".repeat(126)[..], "ab"].concat();
        assert_eq!(long.len(), 254);
        let cases = [
            ("", BadName::Empty),
            (".", BadName::Empty),
            ("a..b", BadName::Empty),
            ("example.org.", BadName::Empty),
            (".org", BadName::Empty),
            (&long, BadName::TooLong),
            (&"a".repeat(64), BadName::TooLong),
            ("a b", BadName::Character),
            ("-a.org", BadName::Character),
            ("a-.org", BadName::Character),
            ("b\u{fc}cher.example", BadName::Character),
            ("a\0.org", BadName::Character),
            ("[::1]", BadName::Character),
            ("192.0.2.1", BadName::Address),
            ("127.1", BadName::Address),
            ("0x7F000001", BadName::Address),
            ("a.0x", BadName::Address),
        ];
        for (text, why) in cases {
            assert_eq!(HostName::parse(text.as_bytes()), Err(why), "{text}");
        }
        assert!(HostName::parse(&long.as_bytes()[..253]).is_ok());
        assert!(HostName::parse("a".repeat(63).as_bytes()).is_ok());
    }

    #[test]
    fn within_means_whole_labels() {
        let domain = name("example.com");
        assert!(name("example.com").is_within(&domain));
        assert!(name("a.b.example.com").is_within(&domain));
        assert!(!name("notexample.com").is_within(&domain));
        assert!(!name("example.com.evil.org").is_within(&domain));
        assert!(!name("com").is_within(&domain));
        assert!(!is_within("example.com", ""));
        assert!(!is_within(".example.com", "example.com"));
    }
}
