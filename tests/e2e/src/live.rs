//! A reader of the live socket, made without the code under test.

use std::io::BufRead;
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use serde_json::Value;

use crate::expect::Row;
use crate::root::Root;

/// One connection to the live socket.
pub(crate) struct Live {
    lines: BufReader<UnixStream>,
}

impl Live {
    pub(crate) fn connect(root: &Root<'_>) -> Result<Self> {
        let path = root.path("run/femtosnitch/live.sock");
        let stream = UnixStream::connect(&path);
        let stream = stream.with_context(|| format!("cannot connect to {}", path.display()))?;
        stream.set_read_timeout(Some(root.world.patience(5)))?;
        Ok(Self { lines: BufReader::new(stream) })
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Result<Value> {
        let mut line = String::new();
        let size = self.lines.read_line(&mut line).context("reading the live socket")?;
        if size == 0 {
            bail!("the live socket was closed");
        }
        serde_json::from_str(&line).with_context(|| format!("not JSON: {line:?}"))
    }

    /// Reads until `done` says so, within the given time.
    pub(crate) fn until(
        &mut self,
        what: &str,
        deadline: Instant,
        mut done: impl FnMut(&Value) -> bool,
    ) -> Result<()> {
        loop {
            if done(&self.next()?) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the live socket never told of {what}");
            }
        }
    }

    /// The first flow that is `mine` of which all is told that has to be, as `done` says; `again`
    /// makes it move more after every sample.
    pub(crate) fn flow(
        &mut self,
        what: &str,
        within: Duration,
        mut again: impl FnMut() -> Result<()>,
        mine: impl Fn(&Row<'_>) -> bool,
        done: impl Fn(&Row<'_>) -> bool,
    ) -> Result<Value> {
        let (deadline, mut last) = (Instant::now() + within, Value::Null);
        loop {
            let event = self.next()?;
            let row = Row(&event);
            match row.text("type") {
                "flow" if mine(&row) && done(&row) => return Ok(event),
                "flow" if mine(&row) => last = event,
                "tick" => again()?,
                _ => {}
            }
            ensure!(Instant::now() < deadline, "{what} was never told; at last: {last}");
        }
    }
}
