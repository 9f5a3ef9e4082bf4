//! What keys and the mouse do.

use super::*;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

fn mouse(view: &mut View, kind: MouseEventKind, column: u16, row: u16) {
    let modifiers = KeyModifiers::NONE;
    view.update(Input::Mouse(MouseEvent { kind, column, row, modifiers }));
}

fn ready() -> View {
    let mut view = view((120, 40));
    busy(&mut view);
    view
}

#[test]
fn the_cursor_goes_by_arrows_and_by_letters() {
    let mut view = ready();
    for (code, exe) in [
        (KeyCode::Down, "/opt/firefox/firefox"),
        (KeyCode::Char('j'), "/usr/sbin/sshd"),
        (KeyCode::Char('G'), "/usr/bin/python3.13"),
        (KeyCode::Char('j'), "/usr/bin/python3.13"),
        (KeyCode::Char('k'), "/usr/sbin/sshd"),
        (KeyCode::Home, "/usr/bin/curl"),
        (KeyCode::PageDown, "/usr/bin/python3.13"),
        (KeyCode::PageUp, "/usr/bin/curl"),
        (KeyCode::End, "/usr/bin/python3.13"),
        (KeyCode::Char('g'), "/usr/bin/curl"),
    ] {
        key(&mut view, code);
        assert_eq!(selected(&view), exe, "{code:?}");
    }
}

#[test]
fn the_cursor_stays_with_its_program() {
    let mut view = ready();
    press(&mut view, 'j');
    assert_eq!(selected(&view), "/opt/firefox/firefox");
    for second in 0..4 {
        let flows = vec![flow("/opt/firefox/firefox", 78, 2, 90_000_000, 1)];
        view.update(sample(1_005.0 + f64::from(second), flows));
    }
    assert_eq!(names(&view)[0], "firefox");
    assert_eq!(selected(&view), "/opt/firefox/firefox");
}

#[test]
fn a_filter_is_typed_kept_and_taken_away() {
    let mut view = ready();
    press(&mut view, '/');
    typed(&mut view, "fire");
    assert_eq!(names(&view), ["firefox"]);
    typed(&mut view, "q");
    assert!(view.rows().is_empty() && text(&view).contains("no program with that"));
    key(&mut view, KeyCode::Backspace);
    key(&mut view, KeyCode::Enter);
    assert_eq!(names(&view), ["firefox"]);
    assert!(text(&view).contains(" /fire "));
    // Now letters are keys again.
    assert_eq!(press(&mut view, 'q').1, Some(Effect::Quit));
    key(&mut view, KeyCode::Esc);
    assert_eq!(view.rows().len(), 4);
    press(&mut view, '/');
    typed(&mut view, "packaged not");
    assert_eq!(names(&view), ["firefox"], "badges and words in any order");
    key(&mut view, KeyCode::Esc);
    assert_eq!(view.rows().len(), 4);
    press(&mut view, '/');
    view.update(Input::Paste("ssh\x1bd".into()));
    assert_eq!(names(&view), ["sshd"]);
}

#[test]
fn connections_have_a_filter_of_their_own() {
    let mut view = ready();
    press(&mut view, 'j');
    key(&mut view, KeyCode::Enter);
    press(&mut view, '/');
    typed(&mut view, "refused");
    assert_eq!(view.peers().len(), 1);
    key(&mut view, KeyCode::Enter);
    assert_eq!(view.rows().len(), 4);
    key(&mut view, KeyCode::Esc);
    assert_eq!((view.peers().len(), view.focus), (2, Focus::Peers));
    key(&mut view, KeyCode::Esc);
    assert_eq!(view.focus, Focus::Programs);
}

#[test]
fn any_column_sorts_both_ways() {
    let mut view = ready();
    assert!(text(&view).contains("program "));
    press(&mut view, '>');
    assert_eq!((view.programs.by, names(&view)[0].as_str()), (By::Program, "sshd"));
    press(&mut view, 'r');
    assert_eq!(names(&view), ["firefox", "curl", "python3.13", "sshd"]);
    press(&mut view, 'r');
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(view.programs.by);
        press(&mut view, '>');
    }
    for by in [By::Badges, By::Rate(0, 0), By::Rate(1, 2), By::Total(1), By::Open, By::Peers] {
        assert!(seen.contains(&by), "{by:?}");
    }
    assert_eq!(view.programs.by, By::Peers);
    assert_eq!(names(&view)[..2], ["firefox", "curl"]);
    press(&mut view, '<');
    assert_eq!(view.programs.by, By::Open);
    for _ in 0..20 {
        press(&mut view, '<');
        if view.programs.by == By::Busy {
            break;
        }
    }
    assert_eq!((view.programs.by, names(&view)[0].as_str()), (By::Busy, "curl"));
    key(&mut view, KeyCode::Tab);
    for by in [PeerBy::Peer, PeerBy::Country, PeerBy::Port] {
        press(&mut view, '>');
        assert_eq!(view.connections.by, by);
    }
}

#[test]
fn a_pause_keeps_what_is_shown_and_loses_nothing() {
    let mut view = ready();
    press(&mut view, 'p');
    let before = text(&view);
    assert!(before.contains("paused"));
    let more = |time| sample(time, vec![flow("/bin/new", 99, 3, 500_000_000, 1)]);
    assert!(!view.update(more(1_005.0)).0, "nothing to draw");
    assert_eq!(text(&view), before);
    press(&mut view, 'j');
    assert_eq!(selected(&view), "/opt/firefox/firefox", "one can look around");
    press(&mut view, ' ');
    assert!(names(&view).contains(&"new".to_owned()) && text(&view).contains("live"));
}

#[test]
fn a_frozen_row_stays_on_top() {
    let mut view = ready();
    press(&mut view, 'G');
    press(&mut view, 'f');
    assert_eq!(names(&view), ["python3.13", "curl", "firefox", "sshd"]);
    assert_eq!(selected(&view), "/usr/bin/python3.13");
    for second in 0..4 {
        view.update(sample(1_005.0 + f64::from(second), vec![flow("/bin/x", 5, 1, 99, 9)]));
    }
    assert_eq!(names(&view)[0], "python3.13");
    press(&mut view, 'f');
    assert_ne!(names(&view)[0], "python3.13");
    press(&mut view, 'f');
    key(&mut view, KeyCode::Esc);
    assert_ne!(names(&view)[0], "python3.13");
}

#[test]
fn by_process_and_back() {
    let mut view = ready();
    press(&mut view, 'j');
    press(&mut view, 'j');
    assert_eq!(selected(&view), "/usr/sbin/sshd");
    press(&mut view, 'e');
    assert_eq!(view.rows().len(), 5);
    assert_eq!(selected(&view), "/usr/sbin/sshd");
    assert!(text(&view).contains("pid"));
    press(&mut view, '/');
    typed(&mut view, "80");
    assert_eq!(view.rows().iter().map(|row| row.pid).collect::<Vec<_>>(), [Some(80)]);
    assert_eq!(view.peers().len(), 1, "of this process alone");
    key(&mut view, KeyCode::Esc);
    press(&mut view, 'e');
    assert_eq!(view.rows().len(), 4);
}

#[test]
fn units_and_help() {
    let mut view = ready();
    assert!(text(&view).contains("12.4 MiB"));
    press(&mut view, 'u');
    assert!(text(&view).contains("13.0 MB"));
    press(&mut view, 'u');
    press(&mut view, 'u');
    assert!(text(&view).contains("104 Mbit"));
    press(&mut view, '?');
    let help = text(&view);
    assert!(help.contains("freeze this row") && !help.contains("back: no filter"));
    assert!(press(&mut view, 'f').1.is_none() && view.pinned.is_empty(), "not while reading");
    key(&mut view, KeyCode::Esc);
    assert!(!text(&view).contains("freeze this row on top"));
}

#[test]
fn keys_that_end_it() {
    let mut view = ready();
    let ctrl = |ch| Input::Key(KeyEvent::new(KeyCode::Char(ch), KeyModifiers::CONTROL));
    assert_eq!(view.update(ctrl('c')).1, Some(Effect::Quit));
    assert_eq!(view.update(ctrl('z')).1, Some(Effect::Suspend));
    assert_eq!(view.update(Input::End).1, Some(Effect::Quit));
    press(&mut view, '/');
    assert_eq!(press(&mut view, 'q').1, None);
    assert_eq!(view.update(ctrl('c')).1, Some(Effect::Quit));
    assert_eq!(view.update(ctrl('x')), (false, None));
}

#[test]
fn the_mouse_selects_scrolls_and_sorts() {
    let mut view = ready();
    let click = MouseEventKind::Down(MouseButton::Left);
    let programs = view.places().unwrap().programs;
    mouse(&mut view, click, 5, programs.y + 2);
    assert_eq!(selected(&view), "/opt/firefox/firefox");
    mouse(&mut view, MouseEventKind::ScrollDown, 5, programs.y + 2);
    assert_eq!(selected(&view), "/usr/bin/python3.13");
    mouse(&mut view, click, 1, programs.y);
    assert_eq!(view.programs.by, By::Program);
    mouse(&mut view, click, 1, programs.y);
    assert!(view.programs.ascending);
    let peers = view.places().unwrap().peers;
    mouse(&mut view, click, 1, peers.y + 1);
    assert_eq!(view.focus, Focus::Peers);
    mouse(&mut view, click, 0, 39);
    mouse(&mut view, click, 500, 500);
}

#[test]
fn a_line_is_gone_to_and_then_opened() {
    let mut view = view((120, 24));
    let flows = (0..40).map(|n| flow(&format!("/bin/{n:02}"), n + 1, 1, 1_000 - u64::from(n), 0));
    view.update(sample(1.0, flows.collect()));
    let click = MouseEventKind::Down(MouseButton::Left);
    press(&mut view, 'G');
    key(&mut view, KeyCode::Tab);
    assert_eq!((view.focus, selected(&view).as_str()), (Focus::Peers, "/bin/39"));
    // The list of programs is longer as soon as it is the one in use.
    let place = view.places().unwrap().programs;
    let shown = |view: &View, row: u16| {
        let picture = text(view);
        let line = picture.lines().nth(row.into()).unwrap().to_owned();
        format!("/bin/{}", line.split_whitespace().nth(1).unwrap())
    };
    let pressed = shown(&view, place.y + 2);
    mouse(&mut view, click, 5, place.y + 2);
    assert_eq!((view.focus, selected(&view)), (Focus::Programs, pressed.clone()));
    let place = view.places().unwrap().programs;
    let row = (place.y + 1..place.bottom()).find(|row| shown(&view, *row) == pressed).unwrap();
    mouse(&mut view, click, 5, row);
    assert_eq!((view.focus, selected(&view)), (Focus::Peers, pressed));
}

#[test]
fn help_ends_where_its_text_ends() {
    let mut view = view((60, 12));
    press(&mut view, '?');
    let mut before = String::new();
    let mut lines = 0;
    while text(&view) != before {
        before = text(&view);
        press(&mut view, 'j');
        lines += 1;
        assert!(lines < 100);
    }
    for _ in 0..50 {
        press(&mut view, 'j');
    }
    assert_eq!(text(&view), before);
    press(&mut view, 'k');
    assert_ne!(text(&view), before, "the first key back does something");
}

#[test]
fn nothing_breaks_without_anything_to_show() {
    let all = [
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Enter,
        KeyCode::Tab,
        KeyCode::Esc,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Backspace,
        KeyCode::F(1),
        KeyCode::Insert,
    ];
    let letters = "?kjgGlh/<>,.rp fetwuzq".chars().map(KeyCode::Char);
    let codes: Vec<KeyCode> = all.into_iter().chain(letters).collect();
    for size in [(0, 0), (1, 1), (39, 9), (40, 10), (80, 24), (300, 100)] {
        let mut view = view(size);
        for round in 0..3 {
            for first in &codes {
                key(&mut view, *first);
                picture(&view);
                // Every key after every other, where a picture costs little.
                for second in codes.iter().filter(|_| size == (40, 10)) {
                    key(&mut view, *second);
                    picture(&view);
                }
            }
            view.update(sample(f64::from(round), vec![flow("/bin/x", 1, 1, 1, 1)]));
        }
    }
}
