//! What the screen shows, in full.

use femtosnitch_api::Hook;
use femtosnitch_api::HookState;
use femtosnitch_api::Status;
use femtosnitch_store::Levels;
use femtosnitch_store::Stats;

use super::super::ask::System;
use super::desk::Desk;
use super::desk::coloured;
use super::history::NOW;
use crate::theme::Depth;
use crate::theme::Theme;

fn picture(name: &str, desk: &mut Desk) {
    let screen = desk.screen();
    insta::assert_snapshot!(name, screen);
}

/// How a daemon is that has lost something.
fn system() -> System {
    let hook = |program: &str, state, why: &str| Hook {
        program: program.to_owned(),
        target: String::new(),
        state,
        why: why.to_owned(),
    };
    let counters = [("calls", 1_234_567), ("flows_lost", 3), ("ring_lost", 0)];
    let status = Status {
        version: "0.1.0".to_owned(),
        pid: 812,
        since: 1_794_900_000.0,
        now: 1_795_000_000.0,
        front: "tracepoint".to_owned(),
        hooks: vec![
            hook("fs_sendmsg", HookState::Attached, ""),
            hook("fs_xsk_bind", HookState::Refused, "the kernel has no AF_XDP"),
        ],
        counters: counters.map(|(name, value)| (name.to_owned(), value)).into(),
        self_test: "passed".to_owned(),
        ..Status::default()
    };
    let stats = Stats {
        rows: 225,
        oldest: Some(NOW - 86_340),
        newest: Some(NOW - 1_700),
        bytes: 5_000_000,
    };
    System { daemon: Ok(Box::new(status)), history: Ok((stats, Levels::default())) }
}

#[test]
fn at_the_common_size() {
    let mut desk = Desk::new();
    picture("history", &mut desk);
    desk.press("D");
    picture("by_domain", &mut desk);
    desk.press("P /");
    picture("filter", &mut desk);
    desk.type_in("domain=");
    picture("filter_values", &mut desk);
    desk.press("Esc b");
    picture("group", &mut desk);
    desk.press("Esc t");
    picture("times", &mut desk);
    desk.press("Esc s");
    picture("save", &mut desk);
    desk.press("Esc ?");
    picture("help", &mut desk);
    desk.press("Esc Enter");
    picture("program", &mut desk);
    desk.press("Tab Enter");
    picture("peer", &mut desk);
    desk.press("E");
    picture("events", &mut desk);
    desk.press("S");
    desk.state.page.known.system = Some(system());
    picture("system", &mut desk);
}

#[test]
fn on_larger_screens() {
    let mut desk = Desk::new();
    for (columns, rows) in [(120, 40), (200, 60)] {
        desk.resize(columns, rows);
        picture(&format!("history_{columns}"), &mut desk);
        desk.press("Enter");
        picture(&format!("program_{columns}"), &mut desk);
        desk.press("Esc");
    }
    desk.resize(300, 100);
    picture("history_300", &mut desk);
    desk.resize(30, 5);
    picture("too_small", &mut desk);
}

#[test]
fn in_fewer_colours_and_letters() {
    let mut desk = Desk::new();
    desk.theme = Theme::new(Depth::Sixteen, false);
    picture("history_ascii", &mut desk);
    desk.press("i Enter");
    picture("program_ascii", &mut desk);
    let mut desk = Desk::new();
    for (name, depth) in [("mono", Depth::Mono), ("sixteen", Depth::Sixteen), ("true", Depth::True)]
    {
        desk.theme = Theme::new(depth, true);
        let colours = coloured(&desk.buffer());
        insta::assert_snapshot!(format!("history_{name}"), colours);
    }
}
