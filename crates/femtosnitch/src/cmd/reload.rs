//! `femtosnitch reload`: has the daemon read its configuration again, and tells what came of it.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use femtosnitch_api::{ClientError, ConfigStatus, Event, LiveClient};
use femtosnitch_model::printable;
use femtosnitch_sys::peer::Peer;

use super::status::explain;
use crate::cli::ReloadArgs;
use crate::config::{Config, Paths};

/// A daemon that is up answers at once; one that writes a lot may take a moment.
const PATIENCE: Duration = Duration::from_secs(10);
/// `EPERM`, `ESRCH`
const NOT_PERMITTED: i32 = 1;
const GONE: i32 = 3;

/// Prints what is in force now; fails if the configuration is refused, by the check before or by the
/// daemon.
///
/// # Errors
/// If the configuration is not entirely right, no daemon runs, the caller may not signal it, or it
/// does not answer.
pub fn run(paths: &Paths, _args: &ReloadArgs) -> anyhow::Result<ExitCode> {
    // With the same words as `check`, and before anybody is disturbed.
    Config::load(paths)?;
    let mut client = LiveClient::connect(&paths.live_socket()).map_err(explain)?;
    let deadline = Instant::now() + PATIENCE;
    let before = next(&mut client, deadline, |_| true)?;
    if !before.by_signal {
        bail!("`femtosnitch run` does not read its configuration again; stop it and start it anew");
    }
    signal(&client)?;
    let after = next(&mut client, deadline, |config| config.reloads > before.reloads)?;
    if let Some(reason) = &after.refused {
        bail!("the daemon refused the configuration, the one before holds: {reason}");
    }
    io::stdout().lock().write_all(told(&after).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Only whoever answers at the other end is signalled, whatever became of its process id.
fn signal(client: &LiveClient) -> anyhow::Result<()> {
    let peer = Peer::of(client).map_err(|error| match error.raw_os_error() {
        Some(GONE) => anyhow::anyhow!(
            "the daemon has just ended, or runs in another container: run this where it runs"
        ),
        _ => anyhow::Error::new(error).context("cannot find out which process the daemon is"),
    })?;
    peer.hang_up().map_err(|error| match error.raw_os_error() {
        Some(NOT_PERMITTED) => anyhow::anyhow!(
            "not allowed to signal the daemon (process {}); try: sudo femtosnitch reload",
            peer.pid()
        ),
        Some(GONE) => anyhow::anyhow!("the daemon has just ended"),
        _ => anyhow::Error::new(error).context("cannot signal the daemon"),
    })
}

/// The next status in which the configuration is as `wanted`.
fn next(
    client: &mut LiveClient,
    deadline: Instant,
    wanted: impl Fn(&ConfigStatus) -> bool,
) -> anyhow::Result<ConfigStatus> {
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            bail!("the daemon did not answer within {} s; look into its log", PATIENCE.as_secs());
        }
        client.set_timeout(Some(rest))?;
        match client.next() {
            Some(Ok(Event::Status(status))) if wanted(&status.config) => return Ok(status.config),
            Some(Ok(_) | Err(ClientError::Timeout)) => {}
            Some(Err(error)) => return Err(error).context("the daemon cannot be understood"),
            None => bail!("the daemon ended meanwhile"),
        }
    }
}

fn told(config: &ConfigStatus) -> String {
    let path = if config.path.is_empty() { "built-in defaults" } else { &config.path };
    let mut out = format!("{}: in force\n", printable(path));
    let waiting = &config.at_next_start;
    if !waiting.is_empty() {
        let change = if waiting.len() == 1 { "changes" } else { "change" };
        let keys = printable(&waiting.join(", "));
        out.push_str(&format!("warning: {keys} {change} at the next start of the daemon\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_api::{Limits, LiveServer, Status};

    #[test]
    fn what_waits_is_told() {
        let config = ConfigStatus { path: "/etc/x.toml".into(), ..ConfigStatus::default() };
        assert_eq!(told(&config), "/etc/x.toml: in force\n");
        let at_next_start = vec!["a.b".to_owned(), "c.d".to_owned()];
        let text = told(&ConfigStatus { at_next_start, ..ConfigStatus::default() });
        assert!(text.starts_with("built-in defaults: in force\n"), "{text}");
        assert!(text.ends_with("warning: a.b, c.d change at the next start of the daemon\n"));
    }

    #[test]
    fn nobody_is_signalled_without_need() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let said = || run(&paths, &ReloadArgs {}).unwrap_err().to_string();
        assert!(said().contains("sudo femtosnitch daemon"), "{}", said());
        std::fs::create_dir_all(paths.run_dir()).unwrap();
        let server =
            LiveServer::start(&paths.live_socket(), "1", Limits::default(), 0o600, None).unwrap();
        // As of `run`: this very process would have been sent SIGHUP.
        server.set_status(Status { pid: 1, ..Status::default() });
        assert!(said().contains("stop it"), "{}", said());
        std::fs::create_dir_all(paths.config_toml().parent().unwrap()).unwrap();
        std::fs::write(paths.config_toml(), "[store]\nretentoin = 1\n").unwrap();
        assert!(said().contains("config.toml:2: store.retentoin"), "{}", said());
    }
}
