//! `femtosnitch tui`: the history on a whole screen.

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use femtosnitch_sys::signal::{self, Signals};
use femtosnitch_tui::browse::{self, Setup};
use femtosnitch_tui::input::Inputs;
use femtosnitch_tui::screen::Screen;
use femtosnitch_tui::theme::Theme;

use super::query::{SystemUsers, now};
use super::top::{end, listen_to_signals};
use crate::cli::{TuiArgs, Usage, When};
use crate::config::Paths;

/// Shows the history until `q` or a signal.
///
/// # Errors
/// If there is no terminal, or it goes away, or if the times make no sense ([`Usage`]).
pub fn run(paths: &Paths, args: &TuiArgs) -> anyhow::Result<ExitCode> {
    let now = now();
    let (since, until) = (args.since.seconds(now), args.until.seconds(now));
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        let message = "--since is not before --until, so nothing lies between";
        return Err(Usage(message.to_owned()).into());
    }
    let signals = Signals::block().context("cannot receive signals")?;
    let inputs = Inputs::new();
    let Some(mut screen) = Screen::enter(end)? else {
        let message = "tui needs a terminal; use `femtosnitch query` for scripts";
        return Err(Usage(message.to_owned()).into());
    };
    listen_to_signals(signals, Some(io::stdin()), &inputs)?;
    inputs.listen()?;
    let setup = Setup {
        database: paths.database(),
        live_socket: paths.live_socket(),
        users: Arc::new(SystemUsers),
        read_time: |text, now| text.parse::<When>().map(|when| when.seconds(now)),
        by: args.by.dimension,
        since,
        ago: matches!(args.since, When::Ago(_)),
        until,
        filters: args.filters.clone(),
        theme: Theme::from_env(),
        home: env::var_os("HOME").map(PathBuf::from),
    };
    let stop = || {
        // It cannot fail; if it did, the view would go on.
        signal::suspend().ok();
    };
    browse::run(&mut screen, &inputs, setup, &stop)?;
    screen.check()?;
    Ok(ExitCode::SUCCESS)
}
