//! What a database says of an address.

use std::borrow::Cow;
use std::fmt;

/// A country's code, two letters `A`–`Z` (ISO 3166-1 alpha-2, or a publisher's like `XK`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// The country with this code; `None` if it is not two capital letters.
    #[must_use]
    pub fn new(code: &str) -> Option<Self> {
        let code: [u8; 2] = code.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }

    /// The two letters.
    #[must_use]
    pub fn code(self) -> [u8; 2] {
        self.0
    }

    /// The two letters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Letters of ASCII only: `new` has seen to it.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of an address; what is unknown is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Country in which the address is used or, where the database has no such, registered.
    pub country: Option<Country>,
    /// Number of the autonomous system that announces it.
    pub asn: Option<u32>,
    /// Who runs that system; at most 128 bytes, nothing in it that harms a terminal.
    pub org: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::Country;

    #[test]
    fn a_code_is_two_capital_letters() {
        assert_eq!(Country::new("DE").map(|country| country.to_string()).as_deref(), Some("DE"));
        for wrong in ["", "D", "DEU", "de", "D1", "é", "D ", "\0\0"] {
            assert_eq!(Country::new(wrong), None, "{wrong:?}");
        }
    }
}
