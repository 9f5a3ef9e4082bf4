//! JSON that does no harm where it is read by a person.

use std::io;

use femtosnitch_model::is_harmful;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// Writes a value on one line. What could move a cursor or reorder what is read (control characters
/// beyond ASCII's, Unicode's bidirectional and invisible ones) is written as an escape: the value
/// stays the same.
///
/// # Errors
/// As `out` has them.
pub fn write(out: &mut impl io::Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Harmless)).map_err(io::Error::from)
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, ch)) = rest.char_indices().find(|(_, ch)| is_harmful(*ch)) {
            let (fine, after) = rest.split_at(at);
            out.write_all(fine.as_bytes())?;
            for unit in ch.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = after.get(ch.len_utf8()..).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(value: &impl Serialize) -> String {
        let mut out = Vec::new();
        write(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_could_harm_is_an_escape() {
        assert_eq!(written(&"a\u{9b}31m\u{7f}\u{202e}\n"), r#""a\u009b31m\u007f\u202e\n""#);
        assert_eq!(written(&["é", "名"]), r#"["é","名"]"#);
    }

    proptest! {
        #[test]
        fn the_value_stays(text: String, harmful in "[\u{0}-\u{9f}\u{200b}-\u{206f}\u{feff}]{0,8}") {
            let text = text + &harmful;
            let json = written(&text);
            prop_assert!(!json.chars().any(is_harmful));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
