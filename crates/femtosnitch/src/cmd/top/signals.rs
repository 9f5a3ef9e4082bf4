//! Signals, and the end of the terminal, as inputs of a view.

use std::io;
use std::os::fd::AsFd;
use std::process;
use std::sync::mpsc::TrySendError;
use std::thread;
use std::time::{Duration, Instant};

use femtosnitch_sys::signal::Signals;
use femtosnitch_sys::wait::readable_or_gone;
use femtosnitch_tui::input::{Input, Inputs};
use femtosnitch_tui::screen;

/// How often it is tried again to tell a view that has too much to do already.
const AGAIN: Duration = Duration::from_millis(100);
/// A view that has not ended so long after a signal is stuck, say in a terminal that takes no output:
/// the next signal ends the process at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// Has signals come in among the other inputs, and the end of the terminal that keys come from (the
/// thread that reads them is not told), in a thread that ends with the view.
///
/// # Errors
/// If there can be no thread.
pub(in crate::cmd) fn listen<A: Send + 'static>(
    signals: Signals,
    keyboard: Option<impl AsFd + Send + 'static>,
    inputs: &Inputs<A>,
) -> io::Result<()> {
    let tell = inputs.sender();
    let listen = move || {
        let mut keyboard = keyboard;
        let mut first = None;
        let mut is_stuck = false;
        let mut untold = None;
        loop {
            if let Some(input) = untold.take() {
                match tell.try_send(input) {
                    Ok(()) => {}
                    Err(TrySendError::Full(input)) => untold = Some(input),
                    Err(TrySendError::Disconnected(_)) => return,
                }
                if is_stuck {
                    screen::abandon();
                    process::exit(1);
                }
            }
            let timeout = untold.is_some().then_some(AGAIN);
            let keys = keyboard.as_ref().map(AsFd::as_fd);
            let Ok((signalled, gone)) = readable_or_gone(signals.as_fd(), keys, timeout) else {
                return;
            };
            if signalled && matches!(signals.next(), Ok(Some(_))) {
                is_stuck = first.get_or_insert_with(Instant::now).elapsed() >= PATIENCE;
                untold = Some(Input::End);
            }
            if gone {
                keyboard = None;
                untold = Some(Input::Hangup);
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(listen).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyboard_that_is_gone_ends_the_view() {
        let inputs = Inputs::<()>::new();
        let (keys, typed) = io::pipe().unwrap();
        listen(Signals::block().unwrap(), Some(keys), &inputs).unwrap();
        drop(typed);
        assert!(matches!(inputs.next(None), Input::Hangup));
    }

    #[test]
    fn a_view_that_has_much_to_do_is_told_later() {
        let inputs = Inputs::new();
        while inputs.sender().try_send(Input::Answer(())).is_ok() {}
        let (keys, typed) = io::pipe().unwrap();
        listen(Signals::block().unwrap(), Some(keys), &inputs).unwrap();
        drop(typed);
        while !matches!(inputs.next(None), Input::Hangup) {}
    }
}
