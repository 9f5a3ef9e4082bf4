//! Everything that can happen to a view, in one stream. Who reads it sleeps until something does.

use std::cell::Cell;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
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

/// Inputs that wait at most. Who has more waits while a terminal takes no output, in the end the
/// daemon, which has a bound and says how much it left out.
const MOST: usize = 4;
/// How long inputs that pour in are taken before there is a picture of them.
const SHORTEST_PICTURE: Duration = Duration::from_millis(16);

/// The receiving end.
#[derive(Debug)]
pub struct Inputs<A> {
    send: SyncSender<Input<A>>,
    receive: Receiver<Input<A>>,
    /// When [`Inputs::next`] gave one.
    given: Cell<Instant>,
}

impl<A> Default for Inputs<A> {
    fn default() -> Self {
        let (send, receive) = mpsc::sync_channel(MOST);
        Self { send, receive, given: Cell::new(Instant::now()) }
    }
}

impl<A: Send + 'static> Inputs<A> {
    /// Nothing speaks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For a thread that has something to tell. It waits while there is too much already.
    #[must_use]
    pub fn sender(&self) -> SyncSender<Input<A>> {
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
        let input = self.wait(until);
        self.given.set(Instant::now());
        input
    }

    fn wait(&self, until: Option<Instant>) -> Input<A> {
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
    /// key that is held down is not answered picture by picture. Nothing once it is time for one.
    pub fn waiting(&self) -> Option<Input<A>> {
        let is_time = self.given.get().elapsed() >= SHORTEST_PICTURE;
        if is_time { None } else { self.receive.try_recv().ok() }
    }
}

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
    fn what_is_too_much_waits_where_it_is() {
        let inputs = Inputs::<usize>::new();
        let send = inputs.sender();
        for n in 0..MOST {
            send.try_send(Input::Answer(n)).unwrap();
        }
        assert!(send.try_send(Input::End).is_err());
        assert!(matches!(inputs.next(None), Input::Answer(0)));
        send.try_send(Input::End).unwrap();
    }

    #[test]
    fn inputs_that_pour_in_do_not_keep_the_screen_from_being_drawn() {
        let inputs = Inputs::<u8>::new();
        let send = inputs.sender();
        let pour = thread::spawn(move || while send.send(Input::Answer(1)).is_ok() {});
        inputs.next(None);
        let begun = Instant::now();
        while inputs.waiting().is_some() || begun.elapsed() < SHORTEST_PICTURE {}
        assert!(inputs.waiting().is_none());
        drop(inputs);
        pour.join().unwrap();
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
