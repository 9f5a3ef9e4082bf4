//! `femtosnitch top`: what is moving right now, by executable.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use femtosnitch_api::{ClientError, LiveClient};
use femtosnitch_sys::signal::Signals;
use femtosnitch_sys::terminal::{self, Screen};
use femtosnitch_sys::wait;

use crate::cli::TopArgs;
use crate::config::Paths;
use crate::live_view::LiveView;
use crate::text::Style;

/// How long without a sample until everything counts as idle.
const QUIET: Duration = Duration::from_secs(3);
/// How often a daemon that went away is looked for.
const RETRY: Duration = Duration::from_secs(1);
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
    let socket = paths.live_socket();
    let client = connect(&socket).map_err(super::status::explain)?;
    // Whoever asks for JSON or for a number of refreshes wants them to stay.
    let full_screen = !args.json && args.refreshes().is_none();
    let screen = if full_screen { Screen::enter()? } else { None };
    Top {
        socket: &socket,
        is_over,
        signals,
        client: Some(client),
        screen,
        json: args.json,
        left: args.refreshes(),
        view: LiveView::new().with_wire(args.wire).with_dashboard(dashboard),
        last_sample: Instant::now(),
    }
    .run()
}

fn connect(socket: &Path) -> Result<LiveClient, ClientError> {
    let mut client = LiveClient::connect(socket)?;
    client.set_timeout(Some(Duration::ZERO))?;
    Ok(client)
}

struct Top<'a> {
    socket: &'a Path,
    is_over: &'a dyn Fn() -> bool,
    signals: Signals,
    /// `None` while the daemon is away.
    client: Option<LiveClient>,
    /// `None` when blocks are printed one after another.
    screen: Option<Screen>,
    json: bool,
    /// Refreshes before the end, `None` for no end.
    left: Option<u64>,
    view: LiveView,
    last_sample: Instant,
}

impl Top<'_> {
    fn run(mut self) -> anyhow::Result<ExitCode> {
        if let Some(screen) = &self.screen {
            self.draw(screen)?;
        }
        loop {
            self.wait()?;
            if self.signals.next()?.is_some() || self.asked_to_quit()? || (self.is_over)() {
                return Ok(ExitCode::SUCCESS);
            }
            // At most one refresh a round, however many samples have piled up.
            let mut fresh = self.listen()?;
            if self.last_sample.elapsed() >= QUIET {
                self.last_sample = Instant::now();
                self.view.quiet();
                fresh = true;
            }
            match &self.screen {
                Some(screen) => self.draw(screen)?,
                None if fresh && self.view.samples() >= WARM_UP => {
                    self.print()?;
                    self.left = self.left.map(|left| left.saturating_sub(1));
                    if self.left == Some(0) {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                None => {}
            }
        }
    }

    fn wait(&self) -> io::Result<()> {
        let mut fds = vec![self.signals.as_fd()];
        fds.extend(self.client.as_ref().map(AsFd::as_fd));
        fds.extend(self.screen.as_ref().and_then(Screen::keyboard));
        let quiet = QUIET.saturating_sub(self.last_sample.elapsed());
        let limit = if self.client.is_some() { quiet } else { quiet.min(RETRY) };
        wait::readable(&fds, Some(limit)).map(drop)
    }

    fn asked_to_quit(&self) -> io::Result<bool> {
        match &self.screen {
            Some(screen) => Ok(screen.keys()?.iter().any(|key| matches!(key, b'q' | b'Q'))),
            None => Ok(false),
        }
    }

    /// Takes in everything that has come; whether a sample was completed.
    fn listen(&mut self) -> anyhow::Result<bool> {
        let Some(client) = &mut self.client else {
            if let Ok(client) = connect(self.socket) {
                self.client = Some(client);
                self.tell(None)?;
            }
            return Ok(false);
        };
        let mut fresh = false;
        loop {
            match client.next() {
                Some(Ok(event)) => {
                    if self.view.apply(&event) {
                        self.last_sample = Instant::now();
                        fresh = true;
                    }
                }
                Some(Err(ClientError::Timeout)) => return Ok(fresh),
                // The next line may be better.
                Some(Err(ClientError::BadLine(_))) => {}
                Some(Err(ClientError::Io(_) | ClientError::TooLong)) | None => break,
                Some(Err(other)) => return Err(other.into()),
            }
        }
        self.client = None;
        if self.left.is_some() {
            anyhow::bail!("the daemon ended; start it again with: sudo femtosnitch daemon");
        }
        self.tell(Some("the daemon ended; waiting for it to come back"))?;
        Ok(fresh)
    }

    /// Says that the daemon went (or, with `None`, came back) where it does not disturb.
    fn tell(&mut self, gone: Option<&str>) -> io::Result<()> {
        self.view.set_notice(gone.map(str::to_owned));
        if self.screen.is_some() {
            return Ok(());
        }
        writeln!(io::stderr(), "femtosnitch: {}", gone.unwrap_or("the daemon is back"))
    }

    fn draw(&self, screen: &Screen) -> io::Result<()> {
        let (width, height) = terminal::size().unwrap_or((80, 24));
        let style = Style::for_stdout();
        screen.show(&self.view.render(Some(width.into()), height.into(), style))
    }

    fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", self.view.json())?;
        } else {
            let width = terminal::size().map(|(width, _)| width.into());
            writeln!(out, "{}", self.view.render(width, usize::MAX, Style::for_stdout()))?;
        }
        out.flush()
    }
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
