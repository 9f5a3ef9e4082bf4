//! `femtosnitch top`: what is moving right now, on a whole screen or printed.

mod places;
mod signals;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use femtosnitch_api::LiveClient;
use femtosnitch_store::Users;
use femtosnitch_sys::signal::{self, Signals};
use femtosnitch_tui::feed::{self, Feed};
use femtosnitch_tui::input::{Input, Inputs};
use femtosnitch_tui::screen::Screen;
use femtosnitch_tui::theme::Theme;
use femtosnitch_tui::top::{self, Around, Given, News, View};

use crate::cli::TopArgs;
use crate::config::Paths;
use crate::live_view::LiveView;
use crate::text::{Style, terminal_width};
use places::Countries;
pub(super) use signals::listen as listen_to_signals;

use super::query::SystemUsers;

/// How often it is asked whether to go on while there is no daemon.
const ASK: Duration = Duration::from_secs(1);
/// The first sample may cover time before this view was connected.
const WARM_UP: u64 = 2;

/// Shows the live feed until `q`, a signal, or the given number of refreshes.
///
/// # Errors
/// If no daemon is running, or if the output fails.
pub fn run(paths: &Paths, args: &TopArgs) -> anyhow::Result<ExitCode> {
    let signals = Signals::block().context("cannot receive signals")?;
    watch(paths, args, signals, (&|| false, None))
}

/// The same with signals that are blocked already, until `is_over` says that the daemon will not
/// come back. Names the dashboard, if there is one.
pub(super) fn watch(
    paths: &Paths,
    args: &TopArgs,
    signals: Signals,
    (is_over, dashboard): (&dyn Fn() -> bool, Option<String>),
) -> anyhow::Result<ExitCode> {
    // Whoever cannot be listened to at all is told so before the screen is taken.
    drop(LiveClient::connect(&paths.live_socket()).map_err(super::status::explain)?);
    let inputs = Inputs::new();
    // Whoever asks for JSON or for a number of refreshes wants them to stay.
    let full_screen = !args.json && args.refreshes().is_none();
    let screen = if full_screen { Screen::enter(end)? } else { None };
    listen_to_signals(signals, screen.is_some().then(io::stdin), &inputs)?;
    feed::listen(&paths.live_socket(), true, inputs.sender())?;
    let Some(mut screen) = screen else { return print(args, &inputs, is_over, dashboard) };
    inputs.listen()?;
    top::listen_to_news(paths.database(), inputs.sender())?;
    let mut countries = Countries::default();
    let given = Given {
        locate: Box::new(move |database, addr| countries.of(database, addr)),
        user: Box::new(|uid| SystemUsers.name(uid).unwrap_or_else(|| uid.to_string())),
        dashboard,
    };
    let mut view = View::new(Theme::from_env(), given, screen.size()?).with_wire(args.wire);
    let suspend = || {
        // It cannot fail; if it did, the view would go on.
        signal::suspend().ok();
    };
    top::run(&mut screen, &inputs, &mut view, &Around { is_over, suspend: &suspend })?;
    screen.check()?;
    Ok(ExitCode::SUCCESS)
}

/// Ends the view from any thread, as a signal does.
pub(super) fn end() {
    signal::terminate(std::process::id()).ok();
}

/// Prints a block for each sample.
fn print(
    args: &TopArgs,
    inputs: &Inputs<News>,
    is_over: &dyn Fn() -> bool,
    dashboard: Option<String>,
) -> anyhow::Result<ExitCode> {
    if let Some(url) = dashboard {
        writeln!(io::stderr(), "femtosnitch: dashboard: {url}")?;
    }
    let mut view = LiveView::new().with_wire(args.wire);
    let mut left = args.refreshes();
    let (mut heard, mut is_up, mut was_down) = (Instant::now(), false, false);
    loop {
        let until =
            if is_up { heard + top::patience(view.interval()) } else { Instant::now() + ASK };
        let input = inputs.next(Some(until));
        if is_over() {
            return Ok(ExitCode::SUCCESS);
        }
        let fresh = match input {
            Input::End | Input::Hangup => return Ok(ExitCode::SUCCESS),
            Input::Tick if is_up => {
                heard = Instant::now();
                view.quiet();
                true
            }
            Input::Feed(feed) => {
                match &feed {
                    Feed::Up { .. } if was_down => {
                        writeln!(io::stderr(), "femtosnitch: the daemon is back")?;
                    }
                    Feed::Down(_) if left.is_some() => {
                        anyhow::bail!(
                            "the daemon ended; start it again with: sudo femtosnitch daemon"
                        );
                    }
                    Feed::Down(_) if is_up => {
                        let gone = "the daemon ended; waiting for it to come back";
                        writeln!(io::stderr(), "femtosnitch: {gone}")?;
                        was_down = true;
                    }
                    Feed::Sample(_) => heard = Instant::now(),
                    _ => {}
                }
                is_up = match &feed {
                    Feed::Up { .. } => true,
                    Feed::Down(_) => false,
                    _ => is_up,
                };
                view.apply(feed)
            }
            _ => false,
        };
        if fresh && view.samples() >= WARM_UP {
            show(&view, args.json)?;
            left = left.map(|left| left.saturating_sub(1));
            if left == Some(0) {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

fn show(view: &LiveView, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", view.json())?;
    } else {
        let style = Style::for_stdout();
        let width = if io::stdout().is_terminal() { terminal_width() } else { None };
        writeln!(out, "{}", view.render(width, style))?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_api::{Limits, LiveServer};
    use std::cell::Cell;

    #[test]
    fn a_view_of_its_own_daemon_does_not_wait_for_a_dead_one() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        std::fs::create_dir_all(paths.run_dir()).unwrap();
        let limits = Limits::default();
        let server = LiveServer::start(&paths.live_socket(), "1", limits, 0o600, None).unwrap();
        // JSON: a test run from a terminal must not have its screen taken away.
        let args = TopArgs { once: false, json: true, count: None, wire: false };
        let looks = Cell::new(0);
        let is_over = || {
            server.stop();
            looks.set(looks.get() + 1);
            looks.get() > 2
        };
        watch(&paths, &args, Signals::block().unwrap(), (&is_over, None)).unwrap();
        assert_eq!(looks.get(), 3);
    }
}
