//! Takes the terminal and panics (`p`; `t`: in another thread), or waits for a key: what tests look
//! at.

use crossterm::event::KeyCode;
use femtosnitch_tui::input::{Input, Inputs};
use femtosnitch_tui::screen::Screen;

#[expect(clippy::panic, reason = "that is what it is for")]
fn main() -> std::io::Result<()> {
    let inputs = Inputs::<()>::new();
    let end = inputs.sender();
    let screen = Screen::enter(move || drop(end.try_send(Input::End)))?;
    let Some(mut screen) = screen else { return Ok(()) };
    inputs.listen()?;
    screen.draw(|frame| {
        frame.buffer_mut().set_string(0, 0, "on the screen", ratatui::style::Style::new());
    })?;
    loop {
        match inputs.next(None) {
            Input::Key(key) if key.code == KeyCode::Char('p') => panic!("as it was asked to"),
            Input::Key(key) if key.code == KeyCode::Char('t') => {
                std::thread::spawn(|| panic!("as another thread was asked to"));
            }
            Input::Key(_) | Input::Hangup => return Ok(()),
            Input::End => return screen.check(),
            _ => {}
        }
    }
}
