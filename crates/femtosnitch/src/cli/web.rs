//! Arguments of `femtosnitch web`.

use std::net::SocketAddr;

use clap::Args;

/// `femtosnitch web`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  femtosnitch web --open
  femtosnitch web --listen 127.0.0.1:8080
  curl -H \"Authorization: Bearer $(cat TOKEN_FILE)\" \\
    'http://127.0.0.1:5100/api/v1/report?by=exe,domain&since=7d'

It needs no root: a member of the group that may read the history is enough. Whoever opens the
dashboard has to show the token of this installation, which lies in a file that is named at the
start; --open logs the browser in by itself. /api/v1/openapi.json tells what programs can ask.")]
pub struct WebArgs {
    /// Where to listen [default: listen of section [web], else 127.0.0.1:5100]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Open the dashboard in a browser, logged in; if it runs already, do only that
    #[arg(long)]
    pub open: bool,
    /// End with the process that started this
    #[arg(long, hide = true)]
    pub child: bool,
}
