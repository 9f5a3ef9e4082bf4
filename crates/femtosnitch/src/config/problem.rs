//! What can be wrong with a configuration, in words that say how to put it right.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1; `None` where it concerns the file as a whole.
    pub line: Option<usize>,
    /// Key as `section.key`, '' where there is none (a syntax error).
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Why there is no configuration. The daemon must not start in spite of it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}; make it readable for the user who runs femtosnitch, or remove it to use the defaults", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A TOML and a JSON file are both there.
    #[error("{toml} and {json} both exist; keep the one that should count and remove the other", toml = toml.display(), json = json.display())]
    Both {
        /// The one.
        toml: PathBuf,
        /// The other.
        json: PathBuf,
    },
    /// The file was read, but means nothing valid.
    #[error("{}", Listing { path, problems })]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Everything that is wrong, by line; never empty.
        problems: Vec<Problem>,
    },
}

struct Listing<'a> {
    path: &'a PathBuf,
    problems: &'a [Problem],
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let plural = if self.problems.len() == 1 { "" } else { "s" };
        write!(f, "{path}: {} problem{plural}", self.problems.len())?;
        for problem in self.problems {
            write!(f, "\n{path}:")?;
            if let Some(line) = problem.line {
                write!(f, "{line}:")?;
            }
            if !problem.key.is_empty() {
                write!(f, " {}:", femtosnitch_model::printable(&problem.key))?;
            }
            write!(f, " {}", femtosnitch_model::printable(&problem.message))?;
        }
        Ok(())
    }
}
