//! picosnitch's configuration, translated: a new file for us, and what cannot be said in it.

mod keys;
mod written;

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use femtosnitch_model::printable;

use crate::config::{Config, Format, Paths};

/// No configuration is this long.
const LONGEST_FILE: u64 = 1 << 20;

/// Prints the translation of `file`, or writes it to where the daemon reads it; tells on standard
/// error what has no counterpart and what is different now.
///
/// # Errors
/// If the file cannot be read or is not TOML, or if there is a configuration already.
pub(super) fn run(paths: &Paths, file: &Path, write: bool) -> anyhow::Result<ExitCode> {
    let text = read(file)?;
    let Translation { config, lost, different } = translate(&text, &file.display().to_string())
        .map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    let mut told = String::new();
    for (title, lines) in [("without a counterpart", lost), ("different now", different)] {
        if !lines.is_empty() {
            told.push_str(&format!("{title}:\n"));
            for line in lines {
                told.push_str(&format!("  {}\n", printable(&line)));
            }
        }
    }
    if write {
        put(paths, &config)?;
        told.push_str(&format!("{}: written\n", paths.config_toml().display()));
    } else {
        let mut out = io::stdout().lock();
        out.write_all(config.as_bytes())?;
        out.flush()?;
    }
    io::stderr().lock().write_all(told.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let opened = fs::File::open(file).with_context(|| {
        format!("cannot read picosnitch's configuration {} (try as root)", file.display())
    })?;
    let mut text = String::new();
    let read = opened.take(LONGEST_FILE + 1).read_to_string(&mut text);
    read.with_context(|| format!("cannot read {}", file.display()))?;
    if text.len() as u64 > LONGEST_FILE {
        bail!("{}: larger than 1 MiB, so hardly a configuration", file.display());
    }
    Ok(text)
}

/// Never over one that is there.
fn put(paths: &Paths, config: &str) -> anyhow::Result<()> {
    if let Some(there) = paths.config()? {
        bail!(
            "{}: is there already and stays as it is; run this without --write and take over by \
             hand what you want",
            there.display()
        );
    }
    let path = paths.config_toml();
    let written = || -> io::Result<()> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        file.write_all(config.as_bytes())?;
        file.sync_all()
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}

/// What became of a configuration.
#[derive(Debug)]
struct Translation {
    /// TOML that [`Config`] reads.
    config: String,
    /// What has no counterpart.
    lost: Vec<String>,
    /// What is carried and works differently, or was no good in the first place.
    different: Vec<String>,
}

/// Translates the text of a configuration that lies at `from`.
fn translate(text: &str, from: &str) -> Result<Translation, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let hint = if text.trim_start().starts_with('{') {
            " (config.json of picosnitch 1 is not known here)"
        } else {
            " (picosnitch would take its defaults instead)"
        };
        format!("not valid TOML{hint}: {}", error.message())
    })?;
    let made = keys::translate(table);
    let config = made.written.text(&printable(from));
    match Config::parse(&config, Format::Toml) {
        Ok(_) => Ok(Translation { config, lost: made.lost, different: made.different }),
        Err(problems) => {
            let all: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
            Err(format!("the translation would be wrong ({}); please report this", all.join("; ")))
        }
    }
}

#[cfg(test)]
mod tests;
