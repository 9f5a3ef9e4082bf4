//! `femtosnitch import`: what can be taken over, and from where.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `femtosnitch import`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sudo femtosnitch import picosnitch
  femtosnitch import picosnitch --config /etc/picosnitch/config.toml > config.toml")]
pub struct ImportArgs {
    /// Where from.
    #[command(subcommand)]
    pub from: ImportFrom,
}

/// Tools whose history or configuration can be taken over.
#[derive(Debug, Subcommand)]
pub enum ImportFrom {
    /// Take over what picosnitch recorded (needs root), or how it was configured
    Picosnitch(PicosnitchArgs),
}

/// `femtosnitch import picosnitch`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sudo femtosnitch import picosnitch
  sudo femtosnitch import picosnitch /mnt/backup/picosnitch.db
  femtosnitch import picosnitch --config > config.toml
  sudo femtosnitch import picosnitch --config /etc/picosnitch/config.toml --write

Databases of version 3 (picosnitch up to 1.0) and 4 (since 2.0) are only read; picosnitch may be running,
femtosnitch's daemon must not. It may be interrupted at any time: the same command goes on where it ended,
and takes over nothing twice. Version 3 has local times without saying which zone; if that was not this
machine's, set TZ (TZ=Europe/Berlin). What cannot be carried is counted and told at the end.")]
pub struct PicosnitchArgs {
    /// The database [default: /var/lib/picosnitch/picosnitch.db]
    #[arg(conflicts_with = "config")]
    pub file: Option<PathBuf>,
    /// Translate this configuration instead, to standard output [default: /etc/picosnitch/config.toml]
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub config: Option<Option<PathBuf>>,
    /// Write the translation to where the daemon reads it, if there is none yet
    #[arg(long, requires = "config")]
    pub write: bool,
}
