//! Takes the terminal and panics, or waits for a key: what tests look at.

use femtosnitch_tui::input::{Input, Inputs};
use femtosnitch_tui::screen::Screen;

#[expect(clippy::panic, reason = "that is what it is for")]
fn main() -> std::io::Result<()> {
    let Some(mut screen) = Screen::enter(|| ())? else { return Ok(()) };
    let inputs = Inputs::<()>::new();
    inputs.listen()?;
    screen.draw(|frame| {
        frame.buffer_mut().set_string(0, 0, "on the screen", ratatui::style::Style::new());
    })?;
    loop {
        match inputs.next(None) {
            Input::Key(key) if key.code == crossterm::event::KeyCode::Char('p') => {
                panic!("as it was asked to")
            }
            Input::Key(_) | Input::Hangup => return Ok(()),
            _ => {}
        }
    }
}
