//! Pages beside the history, and what is done with what is shown.

use femtosnitch_store::Dimension;

use super::super::Answered;
use super::super::page::Subject;
use super::super::state::Answer;
use super::super::state::Over;
use super::desk::Desk;
use super::history::NOW;
use crate::input::Input;

#[test]
fn a_program_is_told_from_all_sides() {
    let mut desk = Desk::new();
    desk.press("/");
    desk.type_in("curl");
    desk.press("Enter Enter");
    assert!(desk.shows("as its package shipped it") && desk.shows("dpkg curl 8.5.0-2"));
    assert!(desk.shows("download.example.com"));
    let mut seen = Vec::new();
    for _ in 0..8 {
        let screen = desk.screen();
        seen.push(screen);
        desk.press("Tab");
    }
    let all = seen.join("\n");
    for part in ["198.51.100.7", "US", "443", "anna", "First seen", "030303030303"] {
        assert!(all.contains(part), "no {part} in\n{all}");
    }
    let tree = seen.iter().find(|screen| screen.contains("systemd")).unwrap();
    let line = |name: &str| tree.lines().position(|line| line.contains(name)).unwrap();
    assert!(line("systemd") < line("bash"), "{tree}");
}

#[test]
fn containers_and_names_have_pages() {
    let mut desk = Desk::new();
    desk.press("b");
    desk.type_in("ctname");
    desk.press("Enter");
    let down = desk.screen().lines().any(|line| line.contains("(no container)"));
    assert!(down);
    desk.press("/");
    desk.type_in("ctname=web-1");
    desk.press("Enter Enter");
    assert!(matches!(&desk.state.page.subject,
        Subject::Thing { dimension: Dimension::Ctname, value } if value == "web-1"));
    assert!(desk.shows("/opt/tool/sync"));
    desk.press("Esc D Enter");
    assert!(matches!(desk.state.page.subject, Subject::Thing { dimension: Dimension::Domain, .. }));
}

#[test]
fn events_lead_to_their_moment() {
    let mut desk = Desk::new();
    desk.press("E");
    assert!(desk.shows("Not watched") && desk.shows("3 process events"));
    desk.press("K");
    desk.type_in("lost");
    desk.press("Enter Esc");
    assert!(!desk.shows("Not watched") && desk.shows("3 process events"));
    desk.press("Enter");
    assert!(matches!(desk.state.page.subject, Subject::History { by: Dimension::Exe }));
    let lost = NOW - 7_200;
    assert_eq!(desk.state.page.range.bounds(NOW), (Some(lost - 900), lost + 900));
}

#[test]
fn events_that_are_left_out_take_no_line_from_the_list() {
    let mut desk = Desk::new();
    desk.press("E");
    let one = desk.state.page.known.events.clone().unwrap().remove(0);
    let events =
        (0..40).map(|at| femtosnitch_store::Event { detail: format!("no {at}"), ..one.clone() });
    desk.state.page.known.events = Some(events.collect());
    desk.state.page.known.events_left_out = 7;
    desk.press("End");
    assert!(desk.shows("7 earlier events") && desk.shows("no 39"), "{}", desk.screen());
    assert_eq!(desk.state.page.cursor.at, 39);
    let list = desk.state.places().list;
    assert_eq!(desk.state.room(), usize::from(list.height) - 1);
    let below = desk.screen().lines().position(|line| line.contains("7 earlier")).unwrap();
    assert_eq!(usize::from(list.bottom()), below);
}

#[test]
fn times_without_a_watch_are_told() {
    let mut desk = Desk::new();
    let note = desk.line("Not watched");
    assert!(note.contains("06:06:40 until 06:40:00 (stopped)"), "{note}");
    assert!(desk.screen().contains('╳'), "in the chart, too");
    desk.press("2");
    assert!(!desk.shows("Not watched"));
}

#[test]
fn the_system_is_told_without_a_daemon() {
    let mut desk = Desk::new();
    desk.press("S");
    assert!(desk.shows("The daemon does not run"));
    assert!(desk.line("Rows ").contains("225"), "{}", desk.screen());
    desk.press("End Home Esc");
    assert!(matches!(desk.state.page.subject, Subject::History { .. }));
}

#[test]
fn no_history_is_a_page_and_looked_for_again() {
    let mut desk = Desk::without_history().begin();
    assert!(desk.shows("There is no history to show") && desk.shows("every two seconds"));
    assert_eq!(desk.state.wakes(), Some(NOW + 2));
    super::history::write(&desk.database());
    desk.now += 2;
    desk.input(crate::input::Input::Tick);
    assert!(desk.shows("/usr/bin/curl") && !desk.shows("There is no history"));
    // One that goes away leaves what was known, and says so.
    std::fs::rename(desk.database(), desk.dir.path().join("away")).unwrap();
    desk.press("R");
    assert!(desk.shows("/usr/bin/curl") && desk.shows("no history"), "{}", desk.screen());
}

#[test]
fn a_value_is_copied() {
    let mut desk = Desk::new();
    desk.press("y");
    assert_eq!(desk.copied, ["\x1b]52;c;L3Vzci9saWIvZmlyZWZveC9maXJlZm94\x07"]);
    assert!(desk.shows("OSC 52"));
    desk.now += 9;
    desk.input(crate::input::Input::Tick);
    assert!(!desk.shows("OSC 52"), "a message goes");
}

#[test]
fn what_is_shown_is_saved_and_nothing_replaced_unasked() {
    let mut desk = Desk::new();
    desk.press("s");
    assert!(desk.shows("femtosnitch-exe-20261118-1106.csv"));
    desk.press("Ctrl-U");
    desk.type_in("a.csv");
    desk.press("Enter");
    assert!(desk.shows("saved as a.csv") && desk.state.over.is_none());
    let saved = std::fs::read_to_string(desk.dir.path().join("a.csv")).unwrap();
    let mut lines = saved.lines();
    assert!(lines.next().is_some_and(|line| line.starts_with("exe,send,recv,wire_send")));
    assert!(lines.next().is_some_and(|line| line.starts_with("/usr/lib/firefox/firefox,")));
    assert!(!saved.contains('\u{1b}'));
    desk.press("s Ctrl-U");
    desk.type_in("a.csv");
    desk.press("Enter");
    assert!(desk.shows("Enter again replaces it"));
    // It may take its time: what is typed meanwhile is another name, which nobody agreed to replace.
    for (name, replaces) in [("a.csv", true), ("b.csv", false)] {
        desk.press("Esc s Ctrl-U");
        desk.type_in(name);
        let there = Err(std::io::ErrorKind::AlreadyExists.into());
        desk.input(Input::Answer(Answered(Answer::Saved("a.csv".to_owned(), there))));
        assert!(matches!(&desk.state.over, Some(Over::Save(it)) if it.replaces == replaces));
    }
    desk.press("Esc");
    desk.input(Input::Answer(Answered(Answer::Saved("c.csv".to_owned(), Ok(())))));
    assert!(desk.shows("saved as c.csv"), "though the box was left");
    desk.press("s Ctrl-U");
    desk.type_in("b.json");
    desk.press("Enter");
    let saved = std::fs::read_to_string(desk.dir.path().join("b.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&saved).unwrap();
    assert_eq!(json.as_array().map(Vec::len), Some(5));
}

#[test]
fn help_ends_where_its_text_does() {
    let mut desk = Desk::new();
    desk.resize(60, 20);
    desk.press("?");
    let first = desk.screen();
    desk.press("Down Down Down Down Down Down Down Down Down Down Down Down Down");
    assert!(desk.shows("quit") && desk.screen() != first);
    let last = desk.state.help_beyond();
    assert!(matches!(desk.state.over, Some(Over::Help(line)) if line == last));
    for _ in 0..last.div_ceil(5) {
        desk.press("Up");
    }
    assert_eq!(desk.screen(), first);
}

#[test]
fn help_shows_what_works_here() {
    let mut desk = Desk::new();
    desk.resize(100, 60);
    desk.press("?");
    assert!(desk.shows("by what (all dimensions)") && !desk.shows("kinds of events"));
    desk.press("Esc E ?");
    assert!(desk.shows("kinds of events") && !desk.shows("by what (all dimensions)"));
}
