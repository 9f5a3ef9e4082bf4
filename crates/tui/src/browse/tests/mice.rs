//! The mouse.

use crossterm::event::KeyModifiers;
use crossterm::event::MouseButton;
use crossterm::event::MouseEvent;
use crossterm::event::MouseEventKind;

use super::super::page::Subject;
use super::super::rows::Column;
use super::super::state::Over;
use super::desk::Desk;
use super::history::NOW;
use crate::input::Input;

fn mouse(desk: &mut Desk, kind: MouseEventKind, (column, row): (u16, u16)) {
    desk.input(Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
}

fn click(desk: &mut Desk, at: (u16, u16)) {
    mouse(desk, MouseEventKind::Down(MouseButton::Left), at);
    mouse(desk, MouseEventKind::Up(MouseButton::Left), at);
}

/// Where this text is on the screen.
fn find(desk: &mut Desk, part: &str, skip: usize) -> (u16, u16) {
    let screen = desk.screen();
    for (y, line) in screen.lines().enumerate().skip(skip) {
        if let Some(at) = line.find(part) {
            let x = crate::text::width(line.get(..at).unwrap());
            return (u16::try_from(x).unwrap(), u16::try_from(y).unwrap());
        }
    }
    panic!("no {part:?} on\n{screen}");
}

#[test]
fn lines_are_gone_to_and_opened() {
    let mut desk = Desk::new();
    let sshd = find(&mut desk, "/usr/sbin/sshd", 0);
    click(&mut desk, sshd);
    assert_eq!(desk.state.page.cursor.at, 1);
    click(&mut desk, sshd);
    assert!(matches!(&desk.state.page.subject,
        Subject::Thing { value, .. } if value == "/usr/sbin/sshd"));
    let ports = find(&mut desk, "Remote port", 0);
    click(&mut desk, ports);
    assert!(desk.shows("50022"));
}

#[test]
fn titles_sort_and_chips_turn_around() {
    let mut desk = Desk::new();
    let sent = find(&mut desk, "Sent", 2);
    click(&mut desk, sent);
    assert_eq!(desk.state.page.sort.map(|sort| sort.column), Some(Column::Sent));
    desk.press("i");
    let chip = find(&mut desk, "exe=", 0);
    click(&mut desk, chip);
    assert!(desk.shows("exe!=/usr/sbin/sshd"));
}

#[test]
fn a_part_of_the_chart_is_dragged_over() {
    let mut desk = Desk::new();
    let plot = desk.state.places().plot;
    mouse(&mut desk, MouseEventKind::Down(MouseButton::Left), (plot.x + 20, plot.y));
    mouse(&mut desk, MouseEventKind::Drag(MouseButton::Left), (plot.x + 40, 0));
    assert!(desk.state.page.pointer.is_some_and(|pointer| pointer.from.is_some()));
    mouse(&mut desk, MouseEventKind::Up(MouseButton::Left), (plot.x + 40, 0));
    let (since, until) = desk.state.page.range.bounds(NOW);
    assert!(until < NOW && until - since.unwrap() < 86_400 / 2);
}

#[test]
fn the_wheel_goes_through_lists_and_lists_are_chosen_from() {
    let mut desk = Desk::new();
    mouse(&mut desk, MouseEventKind::ScrollDown, (5, 15));
    assert_eq!(desk.state.page.cursor.at, 3);
    mouse(&mut desk, MouseEventKind::ScrollUp, (5, 15));
    assert_eq!(desk.state.page.cursor.at, 0);
    desk.press("b");
    let domain = find(&mut desk, "Domain", 0);
    click(&mut desk, domain);
    assert!(desk.shows("History by Domain"));
    desk.press("t");
    assert!(matches!(desk.state.over, Some(Over::Times(..))));
    click(&mut desk, (0, 0));
    assert!(desk.state.over.is_some(), "beside it nothing is chosen");
}
