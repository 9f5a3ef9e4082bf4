//! Text less what steers a terminal: a guest's firmware clears screens, test runners colour.

/// The line without escape sequences (`ESC [ … letter`, and `ESC` with one character).
pub(crate) fn plain(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            kept.push(character);
        } else if characters.next() == Some('[') {
            let _letter = characters.find(char::is_ascii_alphabetic);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn sequences_go_and_text_stays() {
        assert_eq!(plain("plain [text]"), "plain [text]");
        assert_eq!(plain("result: \u{1b}[32mok\u{1b}[0m."), "result: ok.");
        assert_eq!(plain("\u{1b}c\u{1b}[?7l\u{1b}[2J6.1.0"), "6.1.0");
        assert_eq!(plain("cut \u{1b}[3"), "cut ");
        assert_eq!(plain("cut \u{1b}"), "cut ");
    }
}
