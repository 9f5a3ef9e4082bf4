//! A `femtosnitch web` for the length of a measurement, and questions to it over HTTP.

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use tempfile::TempDir;

use crate::bench::monitor;

/// How long an answer may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(70);

/// A running server. It ends when dropped.
pub(super) struct Server {
    child: Child,
    addr: SocketAddr,
    token: String,
    /// Token and sessions.
    state: TempDir,
}

impl Server {
    /// Starts one over what is below `root`.
    pub(super) fn start(femtosnitch: &Path, root: &Path) -> Result<Self> {
        // Free a moment ago; a port that somebody took since then is an error that says so.
        let addr = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let state = tempfile::tempdir()?;
        let mut child = Command::new(femtosnitch)
            .args(["web", "--listen", &addr.to_string(), "--root"])
            .arg(root)
            .env("STATE_DIRECTORY", state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut server = Self { child, addr, token: String::new(), state };
        let mut said = BufReader::new(stdout).lines().map_while(Result::ok);
        let Some(line) = said.find(|line| line.contains("http://")) else {
            bail!("`femtosnitch web` did not start (see above)");
        };
        // It says more, and would not go on if nobody read that.
        std::thread::spawn(move || said.for_each(drop));
        let token = server.state.path().join("token");
        server.token = fs::read_to_string(&token)
            .with_context(|| format!("no token in {} although {line:?}", token.display()))?
            .trim()
            .to_owned();
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The answer to `GET /api/v1` and `path`.
    pub(super) fn ask(&self, path: &str) -> Result<Vec<u8>> {
        self.connect()?.ask(path)
    }

    /// As JSON.
    pub(super) fn json(&self, path: &str) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.ask(path)?).with_context(|| format!("the answer to {path}"))
    }

    /// A connection, as a browser has some open already.
    pub(super) fn connect(&self) -> Result<Connection<'_>> {
        let stream = TcpStream::connect(self.addr)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Connection { server: self, reader: BufReader::new(stream) })
    }

    /// Processor time so far, seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        monitor::cpu_seconds(self.pid())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A connection to a server.
pub(super) struct Connection<'a> {
    server: &'a Server,
    reader: BufReader<TcpStream>,
}

impl Connection<'_> {
    /// Asks, and reads all of the answer.
    pub(super) fn ask(&mut self, path: &str) -> Result<Vec<u8>> {
        let length = self.begin(path)?;
        let length = length.with_context(|| format!("the answer to {path} has no length"))?;
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok(body)
    }

    /// Asks, and reads the head of the answer; how long the rest is, where that is known.
    pub(super) fn begin(&mut self, path: &str) -> Result<Option<usize>> {
        let Server { addr, token, .. } = self.server;
        let request = format!(
            "GET /api/v1{path} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        self.reader.get_mut().write_all(request.as_bytes())?;
        let (mut head, mut length) = (String::new(), None);
        loop {
            let begin = head.len();
            if self.reader.read_line(&mut head)? == 0 {
                bail!("the server closed the connection when asked {path}: {head}");
            }
            let line = head.get(begin..).unwrap_or_default().trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse()?);
            }
        }
        if !head.starts_with("HTTP/1.1 200") {
            let mut why = vec![0; length.unwrap_or(0)];
            self.reader.read_exact(&mut why)?;
            let status = head.lines().next().unwrap_or_default();
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&why));
        }
        Ok(length)
    }

    /// The next line of an answer that goes on.
    pub(super) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("the server ended what should go on");
        }
        Ok(line)
    }
}
