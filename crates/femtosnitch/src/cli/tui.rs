//! Arguments of `femtosnitch tui`.

use clap::Args;
use femtosnitch_store::Filter;

use super::By;
use super::When;

/// `femtosnitch tui`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  femtosnitch tui
  femtosnitch tui --since 7d --by domain --where exe=/usr/bin/curl

Enter looks into a line, Esc goes back, ? shows the keys that work where you are. It needs no root:
a member of the group that may read the history is enough. Over a slow line NO_COLOR=1 and LANG=C
draw less. docs/terminal.md has all keys.")]
pub struct TuiArgs {
    /// From when on: 15m, 1h, 7d (ago), all, unix seconds, or RFC 3339 (2026-01-31T18:00:00Z)
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub since: When,
    /// Until when (not included); written like --since
    #[arg(long, value_name = "TIME", default_value = "all")]
    pub until: When,
    /// What to sum up by at first
    #[arg(long, value_name = "DIM", default_value = "exe")]
    pub by: By,
    /// Only traffic for which this holds, as for `query`; may be given several times
    #[arg(long = "where", value_name = "DIM=VALUE")]
    pub filters: Vec<Filter>,
}
