//! What it looks like.

use super::*;

/// Each distinct look once, with the cells that have it: a picture of the colours.
fn colours(view: &View) -> String {
    let buf = picture(view);
    let mut out = String::new();
    for row in buf.content.chunks(usize::from(buf.area.width)) {
        let mut last = None;
        for cell in row {
            let look = (cell.fg, cell.bg, cell.modifier);
            if cell.symbol().trim().is_empty() && cell.bg == ratatui::style::Color::Reset {
                continue;
            }
            if last != Some(look) {
                out.push_str(&format!("{{{} {} {:?}}}", look.0, look.1, look.2));
                last = Some(look);
            }
            out.push_str(cell.symbol());
        }
        out.push('\n');
    }
    out
}

#[test]
fn at_80x24() {
    let mut view = view((80, 24));
    busy(&mut view);
    insta::assert_snapshot!(text(&view));
}

#[test]
fn at_120x40() {
    let mut view = view((120, 40));
    busy(&mut view);
    press(&mut view, 'j');
    insta::assert_snapshot!(text(&view));
}

#[test]
fn at_200x60_a_tree_of_processes() {
    let mut view = view((200, 60));
    busy(&mut view);
    press(&mut view, 't');
    press(&mut view, 'e');
    insta::assert_snapshot!(text(&view));
}

#[test]
fn at_40x10() {
    let mut view = view((40, 10));
    busy(&mut view);
    insta::assert_snapshot!(text(&view));
}

#[test]
fn help_tells_what_works_here() {
    let mut view = view((80, 24));
    busy(&mut view);
    press(&mut view, '?');
    insta::assert_snapshot!(text(&view));
}

#[test]
fn in_ascii() {
    let mut view = themed((80, 24), Theme::new(Depth::Sixteen, false));
    busy(&mut view);
    let text = text(&view);
    assert!(text.is_ascii(), "{text}");
    insta::assert_snapshot!(text);
    press(&mut view, '?');
    assert!(super::text(&view).is_ascii());
}

#[test]
fn colours_in_each_depth() {
    for (name, depth) in [
        ("true", Depth::True),
        ("256", Depth::Indexed),
        ("16", Depth::Sixteen),
        ("mono", Depth::Mono),
    ] {
        let mut view = themed((80, 24), Theme::new(depth, true));
        busy(&mut view);
        insta::assert_snapshot!(format!("colours_{name}"), colours(&view));
    }
}

#[test]
fn hostile_names_do_nothing() {
    for (depth, utf8) in [(Depth::True, true), (Depth::Mono, false)] {
        for size in [(40, 10), (80, 24), (120, 40), (300, 100)] {
            let mut view = themed(size, Theme::new(depth, utf8));
            let name = "/tmp/\u{1b}]0;pwned\u{7}\u{9b}2J\u{202e}\u{200b}名\u{fe0f}e\u{301}\r\n\t";
            let hostile = FlowEvent {
                exe: name.into(),
                script: name.into(),
                container: name.into(),
                unit: name.into(),
                package: name.into(),
                package_state: "not packaged".into(),
                pexe: name.into(),
                domain: name.into(),
                ..flow("x", 9, 1, 100, 100)
            };
            view.update(Input::Feed(Feed::Up { version: name.into() }));
            view.update(sample(1.0, vec![hostile]));
            view.update(Input::Feed(Feed::Warning(name.into())));
            for ch in ['t', 'e', 't', 'l'] {
                let buf = picture(&view);
                for cell in &buf.content {
                    assert!(!cell.symbol().chars().any(femtosnitch_model::is_harmful), "{cell:?}");
                    assert!(crate::text::width(cell.symbol()) <= 2);
                    assert!(utf8 || cell.symbol().is_ascii());
                }
                press(&mut view, ch);
            }
            assert!(text(&view).contains("]0;pwned"));
        }
    }
}

#[test]
fn before_anything_was_said() {
    let mut view = view((80, 24));
    assert!(text(&view).contains("connecting") && text(&view).contains("waiting"));
    view.update(Input::Feed(Feed::Up { version: "1".into() }));
    view.update(sample(1.0, Vec::new()));
    assert!(text(&view).contains("nothing has moved yet"));
    view.update(Input::Resize(20, 5));
    assert!(text(&view).contains("too small: 40x10"));
    assert_eq!(arc("x").len(), 1);
}
