//! From page to page by keys.

use femtosnitch_store::Dimension;

use super::super::Setup;
use super::super::begin;
use super::super::page::Subject;
use super::super::range::Range;
use super::desk::Desk;
use super::history::NOW;

#[test]
fn from_a_program_to_a_peer_to_its_history_in_six_keys_or_less() {
    let mut desk = Desk::new();
    assert!(desk.line("/usr/lib/firefox/firefox").contains("MiB"));
    let mut keys = desk.press("Enter");
    assert!(desk.shows("Remote address"), "the program from all sides");
    keys += desk.press("Tab Enter");
    assert!(matches!(&desk.state.page.subject,
        Subject::Thing { dimension: Dimension::Raddr, value } if value == "198.51.100.7"));
    // Its history: over time above, and by whatever it is made of.
    assert!(desk.state.page.series().is_some());
    keys += desk.press("H");
    assert!(matches!(desk.state.page.subject, Subject::History { by: Dimension::Exe }));
    let filters: Vec<String> = desk.state.page.filters.iter().map(ToString::to_string).collect();
    assert_eq!(filters, ["exe=/usr/lib/firefox/firefox", "raddr=198.51.100.7"]);
    assert!(keys <= 6, "{keys}");
    desk.press("Esc Esc Esc");
    assert!(matches!(desk.state.page.subject, Subject::History { by: Dimension::Exe }));
    assert!(desk.state.above.is_empty() && desk.state.page.filters.is_empty());
    desk.press("Esc");
    assert!(!desk.over, "only q ends it");
    desk.press("q");
    assert!(desk.over);
}

#[test]
fn what_has_no_page_is_filtered_by() {
    let mut desk = Desk::new();
    desk.press("C");
    assert!(desk.shows("History by Country"));
    desk.press("Enter");
    assert!(desk.shows("History by Domain"));
    assert_eq!(desk.state.page.filters.len(), 1);
    assert!(desk.state.page.filters[0].to_string().starts_with("country="));
    desk.press("Esc");
    assert!(desk.shows("History by Country") && desk.state.page.filters.is_empty());
}

#[test]
fn filters_stack_turn_around_and_go() {
    let mut desk = Desk::new();
    desk.press("x");
    assert!(desk.shows("exe!=/usr/lib/firefox/firefox"));
    assert!(!desk.screen().lines().skip(3).any(|line| line.contains("/usr/lib/firefox/firefox")));
    desk.press("/");
    desk.type_in("rport=");
    assert!(desk.shows("Remote port"));
    desk.type_in("53");
    desk.press("Enter");
    assert_eq!(desk.state.page.filters.len(), 2);
    assert!(desk.shows("/opt/tool/sync") && !desk.shows("/usr/bin/curl"));
    desk.press("F Down Enter");
    assert!(desk.shows("rport!=53"));
    desk.press("Delete Esc");
    assert_eq!(desk.state.page.filters.len(), 1);
    desk.press("Backspace");
    assert!(desk.state.page.filters.is_empty());
    assert!(desk.shows("/usr/lib/firefox/firefox"));
}

#[test]
fn a_question_that_makes_no_sense_shows_no_other_answer() {
    let mut desk = Desk::new();
    desk.press("Right");
    for keys in ["", "Esc Backspace Enter"] {
        desk.press(keys);
        assert!(desk.shows("MiB"));
        desk.press("/");
        desk.type_in("user=nobody-here");
        desk.press("Enter");
        assert!(desk.shows("user=nobody-here") && desk.shows("This cannot be asked"));
        assert!(desk.shows("there is no user `nobody-here`"), "{}", desk.screen());
        assert!(!desk.shows("MiB") && !desk.shows("/usr/bin/curl"), "{}", desk.screen());
        assert!(desk.state.page.waits.is_none() && desk.state.len() == 0);
    }
    desk.press("Backspace");
    assert!(desk.shows("MiB") && !desk.shows("This cannot be asked"));
}

#[test]
fn what_nobody_waits_for_is_withdrawn() {
    let mut desk = Desk::new();
    desk.press("Enter");
    assert_eq!((desk.asked, desk.withdrawn), (2, 0));
    desk.press("Esc");
    assert_eq!((desk.asked, desk.withdrawn), (2, 1), "the page above is known already");
    desk.press("Esc");
    assert_eq!(desk.withdrawn, 1, "there is no level above");
    desk.press("/ Esc");
    assert_eq!(desk.withdrawn, 2, "values to choose from");
    desk.press("/ Enter");
    assert_eq!((desk.asked, desk.withdrawn), (3, 3));
}

#[test]
fn keys_that_find_nothing_are_not_offered() {
    let mut desk = Desk::new();
    assert!(desk.shows("Enter open") && desk.shows("i only"));
    desk.press("/");
    desk.type_in("rport=9");
    desk.press("Enter");
    assert!(desk.shows("No traffic in this time passes the filters"));
    for hint in ["Enter open", "i only", "x all but", "y copy"] {
        assert!(!desk.shows(hint), "{hint}");
    }
    let filters = desk.state.page.filters.clone();
    desk.press("Enter i x y");
    assert_eq!(desk.state.page.filters, filters);
    assert!(desk.copied.is_empty() && desk.state.above.is_empty());
    desk.press("E");
    let units = desk.state.units;
    desk.press("u");
    assert_eq!(desk.state.units, units, "events have no bytes");
}

#[test]
fn many_filters_scroll() {
    let mut desk = Desk::new();
    desk.state.page.filters =
        (1..=30).map(|port| format!("rport={port}").parse().unwrap()).collect();
    desk.press("F");
    assert!(desk.shows("rport=1 ") && desk.shows("Enter turns it around"));
    for _ in 0..40 {
        desk.press("Down");
        let at = desk.state.page.filters.len();
        assert!(desk.shows("Enter turns it around"), "{at}");
    }
    assert!(desk.shows("│ rport=30 ") && !desk.shows("│ rport=1 "), "{}", desk.screen());
}

#[test]
fn a_moment_stays_and_so_long_ago_goes_along() {
    let desk = Desk::new();
    let begins = |ago| {
        let setup = Setup {
            database: desk.database(),
            live_socket: desk.dir.path().join("live.sock"),
            users: std::sync::Arc::new(super::history::People),
            read_time: |_, _| Ok(None),
            by: Dimension::Exe,
            since: Some(NOW - 7_200),
            ago,
            until: None,
            filters: Vec::new(),
            theme: desk.theme,
            home: None,
        };
        begin(&setup, NOW).page.range
    };
    assert_eq!(begins(true), Range::last(7_200));
    assert_eq!(begins(false).bounds(NOW + 60), (Some(NOW - 7_200), NOW + 61));
}

#[test]
fn the_type_ahead_offers_what_there_is() {
    let mut desk = Desk::new();
    desk.press("/");
    let screen = desk.screen();
    assert!(screen.contains("/usr/sbin/sshd"), "values of what is looked at: {screen}");
    desk.type_in("domain=cdn");
    assert!(desk.line("cdn.example.net").contains("MiB"));
    desk.press("Enter");
    assert_eq!(desk.state.page.filters[0].to_string(), "domain=cdn.example.net");
    desk.press("/");
    desk.type_in("country=Germany");
    desk.press("Enter");
    assert!(desk.shows("two letters"), "what would be right is said");
    desk.press("Esc");
    assert!(desk.state.over.is_none());
}

#[test]
fn any_dimension_is_found_by_typing() {
    let mut desk = Desk::new();
    desk.press("b");
    desk.type_in("contai");
    let screen = desk.screen();
    assert!(screen.contains("Container id") && !screen.contains("Protocol"), "{screen}");
    desk.press("Enter");
    assert!(desk.shows("web-1") && desk.shows("(no container)"));
    desk.press("b");
    desk.type_in("protocol");
    desk.press("Enter");
    assert!(desk.shows("UDP"));
}

#[test]
fn times_are_chosen_stepped_and_typed() {
    let mut desk = Desk::new();
    desk.press("2");
    assert_eq!(desk.state.page.range, Range::last(3_600));
    assert!(desk.shows("1 h  2026-11-18 10:06 until now"));
    desk.press("[");
    assert_eq!(desk.state.page.range, Range::between(NOW + 1 - 7_200, NOW + 1 - 3_600));
    desk.press("[ ] ]");
    assert_eq!(desk.state.page.range, Range::last(3_600));
    desk.press("t");
    desk.type_in("7 d");
    desk.press("Enter");
    assert_eq!(desk.state.page.range, Range::last(604_800));
    desk.press("t");
    desk.type_in("2026-11-18 10:00..11:00");
    desk.press("Enter");
    assert_eq!(desk.state.page.range.bounds(NOW), (Some(NOW - 4_000), NOW - 400));
    desk.press("t");
    desk.type_in("tomorrow");
    desk.press("Enter");
    assert!(desk.shows("is not a time"));
    desk.press("Esc 7");
    assert_eq!(desk.state.page.range.bounds(NOW), (None, NOW + 1));
}

#[test]
fn a_part_of_the_chart_is_looked_at_closer() {
    let mut desk = Desk::new();
    let whole = desk.state.page.series().map(|series| series.width).unwrap();
    desk.press("Right");
    assert!(desk.shows("connections, in"));
    desk.press("Left Left Left Left Space Left Left Left");
    let pointer = desk.state.page.pointer.unwrap();
    let from = pointer.from.unwrap();
    desk.press("z");
    let (since, until) = desk.state.page.range.bounds(NOW);
    let steps = i64::try_from(from - pointer.at + 1).unwrap();
    assert_eq!(until - since.unwrap(), steps * whole);
    assert!(desk.state.page.pointer.is_none());
    desk.press("Z");
    let (wider, end) = desk.state.page.range.bounds(NOW);
    assert_eq!(end - wider.unwrap(), 2 * steps * whole);
}

#[test]
fn a_time_that_goes_on_does_so_and_another_does_not() {
    let mut desk = Desk::new();
    let asked = desk.asked;
    let wakes = desk.state.wakes().unwrap();
    assert!(wakes >= NOW + 10);
    desk.now = wakes - 1;
    desk.input(crate::input::Input::Tick);
    assert_eq!(desk.asked, asked);
    desk.now = wakes;
    desk.input(crate::input::Input::Tick);
    assert_eq!(desk.asked, asked + 1);
    desk.press("[");
    assert_eq!(desk.state.wakes(), None, "what is over does not change");
}

#[test]
fn every_column_sorts() {
    let mut desk = Desk::new();
    let first = |desk: &mut Desk| {
        let screen = desk.screen();
        let table = screen.lines().skip_while(|line| !line.contains("Received"));
        table.skip(1).find_map(|line| line.split_whitespace().nth(1).map(str::to_owned)).unwrap()
    };
    desk.resize(140, 40);
    assert_eq!(first(&mut desk), "/usr/lib/firefox/firefox");
    desk.press("m m");
    assert_eq!(first(&mut desk), "/usr/sbin/sshd", "ranked by what was sent");
    desk.press("m m m < r");
    assert!(desk.screen().contains('▼'));
    desk.press("r");
    assert_eq!(first(&mut desk), "/opt/tool/sync", "by name");
}
