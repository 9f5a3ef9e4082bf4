//! `femtosnitch web`: the dashboard's server.

mod browser;
mod place;
mod rows;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use femtosnitch_sys::mem;
use femtosnitch_sys::notify::Notifier;
use femtosnitch_sys::signal::{Signal, Signals};
use femtosnitch_web::{Limits, Server, Settings, Tls, WebError};
use tracing_subscriber::EnvFilter;

use super::query::SystemUsers;
use crate::cli::{WebArgs, When};
use crate::config::{Config, Paths, WebTls};

/// How often it is checked that the server is alive.
const WATCH: Duration = Duration::from_secs(5);

/// Serves until a signal.
///
/// # Errors
/// If the configuration is wrong, or the server cannot start or fails.
pub fn run(paths: &Paths, args: &WebArgs) -> anyhow::Result<ExitCode> {
    mem::be_frugal();
    let signals = Signals::block().context("cannot receive signals")?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info"))
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .init();
    let opener = args.open.then(browser::Opener::prepare);
    place::give_up_capabilities()?;
    if args.child {
        place::end_with_parent().context("cannot follow the process that started this")?;
    }
    let (config, _) = Config::load(paths)?;
    let settings = settings(paths, &config, args)?;
    let state_dir = settings.state_dir.clone();
    let listen = settings.listen;
    let server = match Server::start(settings) {
        Ok(server) => server,
        Err(error) => {
            let taken = matches!(&error, WebError::Listen { source, .. }
                if source.kind() == io::ErrorKind::AddrInUse);
            let (true, Some(opener)) = (taken, opener) else { return Err(error.into()) };
            // It runs already: the key fits, or the page there says how else to come in.
            let encrypted = config.web.tls != WebTls::Off;
            let scheme = if encrypted { "https" } else { "http" };
            opener.open(&format!("{scheme}://{listen}"), &place::of_token(state_dir)?)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let mut out = io::stdout().lock();
    writeln!(out, "The dashboard is at {}", server.url())?;
    writeln!(out, "The token to log in is in {}", server.token_file().display())?;
    if let Some(fingerprint) = server.fingerprint() {
        writeln!(out, "SHA-256 of the certificate: {fingerprint}")?;
    }
    out.flush()?;
    drop(out);
    let notifier = Notifier::from_env();
    if let Err(error) = notifier.ready() {
        tracing::warn!(%error, "cannot tell the service manager");
    }
    if let Some(opener) = opener {
        opener.open(&server.url(), &state_dir)?;
    }
    loop {
        match signals.wait(Some(WATCH))? {
            Some(Signal::Terminate | Signal::Interrupt) => break,
            None if server.has_failed() => anyhow::bail!("the server ended; its messages say why"),
            _ => {}
        }
    }
    server.stop();
    Ok(ExitCode::SUCCESS)
}

fn settings(paths: &Paths, config: &Config, args: &WebArgs) -> anyhow::Result<Settings> {
    let web = &config.web;
    let tls = match &web.tls {
        WebTls::Off => Tls::Off,
        WebTls::Own => Tls::Own,
        WebTls::File(cert) => Tls::Files {
            cert: paths.below(cert),
            key: paths.below(web.tls_key.as_ref().unwrap_or(cert)),
        },
    };
    Ok(Settings {
        listen: args.listen.unwrap_or(web.listen),
        hosts: web.hosts.clone(),
        tls,
        database: paths.database(),
        live_socket: paths.live_socket(),
        state_dir: place::state_dir(paths)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        users: Arc::new(SystemUsers),
        read_time: |text, now| text.parse::<When>().map(|when| when.seconds(now)),
        limits: Limits::default(),
        export: rows::sink,
    })
}
