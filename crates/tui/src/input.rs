//! Everything that can happen to a view, in one stream. Who reads it sleeps until something does.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyEvent, KeyEventKind, MouseEvent};

use crate::feed::Feed;

/// Something that happened. `A` is what the view's own threads answer with.
#[derive(Debug)]
pub enum Input<A> {
    /// A key was pressed, or held down.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has so many columns and rows now.
    Resize(u16, u16),
    /// From the daemon.
    Feed(Feed),
    /// An answer to what the view asked for.
    Answer(A),
    /// The time that was waited for is over.
    Tick,
    /// A signal says that it is over.
    End,
    /// The keyboard is gone: nobody is there any more.
    Hangup,
}

/// The receiving end.
#[derive(Debug)]
pub struct Inputs<A> {
    send: Sender<Input<A>>,
    receive: Receiver<Input<A>>,
}

impl<A> Default for Inputs<A> {
    fn default() -> Self {
        let (send, receive) = mpsc::channel();
        Self { send, receive }
    }
}

impl<A: Send + 'static> Inputs<A> {
    /// Nothing speaks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For a thread that has something to tell.
    #[must_use]
    pub fn sender(&self) -> Sender<Input<A>> {
        self.send.clone()
    }

    /// Listens to keyboard, mouse and size of the terminal from now on, in a thread that ends with
    /// the process. The terminal has to be in raw mode ([`crate::screen::Screen`]).
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn listen(&self) -> io::Result<()> {
        let send = self.sender();
        let listen = move || {
            loop {
                let input = match event::read() {
                    Ok(event) => translate(event),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => Some(Input::Hangup),
                };
                let Some(input) = input else { continue };
                let over = matches!(input, Input::Hangup);
                if send.send(input).is_err() || over {
                    return;
                }
            }
        };
        thread::Builder::new().name("keyboard".to_owned()).spawn(listen).map(drop)
    }

    /// The next thing that happens; [`Input::Tick`] at `until` (`None`: never).
    pub fn next(&self, until: Option<Instant>) -> Input<A> {
        let Some(until) = until else {
            // There is a sender as long as there is this.
            return self.receive.recv().unwrap_or(Input::Hangup);
        };
        match self.receive.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(input) => input,
            Err(RecvTimeoutError::Timeout) => Input::Tick,
            Err(RecvTimeoutError::Disconnected) => Input::Hangup,
        }
    }

    /// What has happened already, without waiting. To be asked before a screen is drawn, so that a
    /// key that is held down is not answered picture by picture.
    pub fn waiting(&self) -> Option<Input<A>> {
        self.receive.try_recv().ok()
    }
}

/// How often a screen is drawn at most while inputs pour in.
pub const SHORTEST_PICTURE: Duration = Duration::from_millis(16);

fn translate<A>(event: Event) -> Option<Input<A>> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Input::Key(key)),
        Event::Mouse(mouse) => Some(Input::Mouse(mouse)),
        Event::Paste(text) => Some(Input::Paste(text)),
        Event::Resize(columns, rows) => Some(Input::Resize(columns, rows)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    #[test]
    fn what_was_sent_comes_in_order_and_then_time_passes() {
        let inputs = Inputs::<u8>::new();
        inputs.sender().send(Input::Answer(1)).unwrap();
        inputs.sender().send(Input::Answer(2)).unwrap();
        assert!(matches!(inputs.next(None), Input::Answer(1)));
        assert!(matches!(inputs.next(Some(Instant::now())), Input::Answer(2)));
        assert!(matches!(inputs.next(Some(Instant::now())), Input::Tick));
        assert!(inputs.waiting().is_none());
    }

    #[test]
    fn a_key_that_is_let_go_is_no_input() {
        let mut key = KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE);
        assert!(matches!(translate::<()>(Event::Key(key)), Some(Input::Key(_))));
        key.kind = KeyEventKind::Release;
        assert!(translate::<()>(Event::Key(key)).is_none());
        assert!(translate::<()>(Event::FocusGained).is_none());
    }
}
