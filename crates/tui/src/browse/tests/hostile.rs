//! Names that would like to do more than be read.

use proptest::prelude::*;

use super::super::clipboard;
use super::desk::Desk;
use super::history::HOSTILE;
use crate::theme::Depth;
use crate::theme::Theme;

/// Nothing but what is meant to be seen.
fn is_harmless(desk: &mut Desk) {
    let buffer = desk.buffer();
    for cell in &buffer.content {
        let harm = cell.symbol().chars().any(femtosnitch_model::is_harmful);
        assert!(!harm, "{:?} on\n{}", cell.symbol(), desk.screen());
    }
}

#[test]
fn no_page_shows_them_as_they_are() {
    for ascii in [false, true] {
        let mut desk = Desk::new();
        desk.theme = Theme::new(Depth::True, !ascii);
        for size in [(80, 24), (200, 60)] {
            desk.resize(size.0, size.1);
            is_harmless(&mut desk);
            desk.press("i");
            is_harmless(&mut desk);
            desk.press("Backspace End i");
            assert!(desk.state.page.filters[0].to_string().contains('\u{1b}'));
            is_harmless(&mut desk);
            desk.press("Enter");
            for _ in 0..9 {
                is_harmless(&mut desk);
                desk.press("Tab");
            }
            desk.press("y");
            is_harmless(&mut desk);
            desk.press("D");
            desk.press("Esc Backspace D");
            is_harmless(&mut desk);
            desk.press("/");
            is_harmless(&mut desk);
            desk.press("Esc E");
            is_harmless(&mut desk);
            desk.press("Esc P F");
            is_harmless(&mut desk);
            desk.press("Esc");
        }
        if ascii {
            assert!(desk.screen().is_ascii(), "{}", desk.screen());
        }
    }
}

#[test]
fn what_is_copied_does_nothing_where_it_is_pasted() {
    let mut desk = Desk::new();
    desk.press("End y");
    assert!(desk.shows("copied, escaped: /tmp/"), "{}", desk.screen());
    let escaped = femtosnitch_model::escape_harmful(HOSTILE);
    assert!(!escaped.chars().any(|ch| ch.is_control()));
    assert_eq!(desk.copied, [clipboard::sequence(&escaped).unwrap()]);
}

#[test]
fn all_pages_are_ascii_where_nothing_else_is_shown() {
    let mut desk = Desk::new();
    desk.theme = Theme::new(Depth::Sixteen, false);
    for keys in ["b", "Esc t", "Esc / ", "Esc ?", "Esc Enter", "Right", "Esc E", "K", "Esc S", "s"]
    {
        desk.press(keys);
        let screen = desk.screen();
        assert!(screen.is_ascii(), "{keys}:\n{screen}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_keys_at_no_size_panic(
        keys in proptest::collection::vec(
            prop_oneof![
                "[ -~]".prop_map(|it| it),
                prop_oneof![
                    Just("Enter"), Just("Esc"), Just("Tab"), Just("Up"), Just("Down"), Just("Left"),
                    Just("Right"), Just("PgDn"), Just("End"), Just("Home"), Just("Backspace"),
                ].prop_map(str::to_owned),
            ], 0..25),
        size in (0_u16..130, 0_u16..50),
    ) {
        let mut desk = Desk::new();
        desk.resize(size.0, size.1);
        desk.buffer();
        for key in keys {
            desk.press(&key);
            if size.0 > 0 && size.1 > 0 {
                desk.buffer();
            }
        }
    }
}
