//! Text of a database or a file beside it, made fit to be shown.

use std::borrow::Cow;

/// Longest name of an organisation that is handed out, in bytes.
pub(crate) const NAME: usize = 128;

/// `text` without what harms a terminal, cut to `most` bytes; borrowed where nothing is to be
/// done, as nearly always. What is taken out leaves one `�` a character.
pub(crate) fn clean(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most && !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().min(most));
    for ch in text.chars() {
        let ch = if is_harmful(ch) { char::REPLACEMENT_CHARACTER } else { ch };
        if out.len() + ch.len_utf8() > most {
            break;
        }
        out.push(ch);
    }
    Cow::Owned(out)
}

/// Control characters, and those that change how others are shown without being seen.
fn is_harmful(ch: char) -> bool {
    ch.is_control()
        || matches!(ch, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn plain_text_is_lent_and_the_rest_defused() {
        assert!(matches!(clean("Société 網路", 64), std::borrow::Cow::Borrowed(_)));
        assert_eq!(clean("a\u{1b}[2Jb\u{202e}c", 64), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(clean("ééé", 5), "éé");
    }
}
