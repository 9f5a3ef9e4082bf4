//! What comes in by itself does not take away what was gone to.

use femtosnitch_store::Dimension;
use femtosnitch_store::Report;

use super::super::Answered;
use super::super::ask::Reply;
use super::super::ask::Told;
use super::super::page::Pointer;
use super::super::panes::Pane;
use super::super::panes::Target;
use super::super::state::Answer;
use super::super::state::Effect;
use super::desk::Desk;
use crate::input::Input;

/// Answers the next question about the page so.
fn tell(desk: &mut Desk, told: Told) {
    let effects = desk.state.ask();
    let Some(Effect::Ask(ticket, _)) = effects.first() else { panic!("{effects:?}") };
    let reply = Reply { ticket: *ticket, left: 0, told: Ok(told) };
    desk.input(Input::Answer(Answered(Answer::Page(reply))));
}

fn report(desk: &Desk) -> Report {
    desk.state.page.known.report.clone().unwrap()
}

fn value(desk: &Desk) -> String {
    match desk.state.target() {
        Some(Target::Value(_, value)) => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_cursor_stays_with_its_line() {
    let mut desk = Desk::new();
    for keys in ["", "Home Down"] {
        desk.press(keys);
        let (before, at) = (value(&desk), desk.state.page.cursor.at);
        let mut other = report(&desk);
        let mut rest = other.answers.split_off(at + 1);
        let mut own = other.answers.pop().unwrap();
        (own.send, own.recv) = (0, 0);
        rest.push(own);
        other.answers.append(&mut rest);
        tell(&mut desk, Told::Report(other));
        assert_eq!(value(&desk), before);
        assert_ne!(desk.state.page.cursor.at, at);
    }
    // What is gone leaves its place to another.
    let at = desk.state.page.cursor.at;
    let mut other = report(&desk);
    other.answers.pop();
    tell(&mut desk, Told::Report(other));
    assert_eq!(desk.state.page.cursor.at, at - 1);
    // Another question begins at the first.
    desk.press("Home x");
    assert_eq!(desk.state.page.cursor.at, 0);
}

#[test]
fn the_pointer_stays_at_its_time() {
    let mut desk = Desk::new();
    desk.press("Right Left Left Space Left");
    let Some(Pointer { at, from: Some(from) }) = desk.state.page.pointer else { panic!("none") };
    let mut later = report(&desk);
    let series = later.series.as_mut().unwrap();
    series.start += 2 * series.width;
    tell(&mut desk, Told::Report(later));
    let moved = Some(Pointer { at: at - 2, from: Some(from - 2) });
    assert_eq!(desk.state.page.pointer, moved);
    let mut far = report(&desk);
    let series = far.series.as_mut().unwrap();
    series.start += 1_000 * series.width;
    tell(&mut desk, Told::Report(far));
    assert_eq!(desk.state.page.pointer, None);
    desk.press("Right");
    let mut coarse = report(&desk);
    coarse.series.as_mut().unwrap().width *= 2;
    tell(&mut desk, Told::Report(coarse));
    assert_eq!(desk.state.page.pointer, None);
}

#[test]
fn a_program_has_one_layer_at_a_time() {
    let mut desk = Desk::new();
    desk.press("Enter");
    let payload = desk.line("www.example.org");
    desk.press("w");
    let wire = desk.line("www.example.org");
    assert_ne!(payload, wire);
    assert!(!desk.line(" 0 ─").contains("Payload"));
    let mut detail = desk.state.page.known.detail.clone().unwrap();
    let series = detail.series.as_mut().unwrap();
    for point in series.lines.iter_mut().chain([&mut series.others]).flatten() {
        (point.wire_send, point.wire_recv) = (None, None);
    }
    let other = &mut detail.breakdowns[0].answers[1];
    (other.wire_send, other.wire_recv) = (None, None);
    tell(&mut desk, Told::Detail(detail));
    // What was not measured is not nothing, and not the other layer.
    assert!(desk.line("cdn.example.net").ends_with("          –"), "{}", desk.screen());
    assert!(desk.screen().lines().any(|line| line.trim_start().starts_with("Payload ")));
    // Who launched it, too.
    desk.press("BackTab");
    let tree = desk.line("systemd");
    desk.press("w");
    assert_ne!(desk.line("systemd"), tree);
}

#[test]
fn a_side_is_known_by_what_it_is_of() {
    let mut desk = Desk::new();
    desk.press("Enter Tab");
    assert_eq!(desk.state.pane(), Some(Pane::Side(Dimension::Raddr)));
    desk.press("Down");
    let before = value(&desk);
    let mut detail = desk.state.page.known.detail.clone().unwrap();
    detail.breakdowns.remove(0);
    for side in &mut detail.breakdowns {
        side.answers.reverse();
    }
    tell(&mut desk, Told::Detail(detail));
    assert_eq!(desk.state.pane(), Some(Pane::Side(Dimension::Raddr)));
    assert_eq!(value(&desk), before);
    // One that is gone has no keys, and the first line of the first is gone to.
    let mut detail = desk.state.page.known.detail.clone().unwrap();
    detail.breakdowns.retain(|side| side.by != Dimension::Raddr);
    tell(&mut desk, Told::Detail(detail));
    assert_eq!(
        (desk.state.pane(), desk.state.page.cursor.at),
        (Some(Pane::Side(Dimension::Country)), 0)
    );
}
