//! The new file, key by key.

use std::collections::BTreeMap;

use toml::Value;

use crate::config::{Config, Format};

/// Keys to be written, by section.
#[derive(Debug, Default)]
pub(super) struct Written(BTreeMap<&'static str, Vec<(&'static str, Value)>>);

impl Written {
    /// Puts a key into a section.
    pub(super) fn set(&mut self, section: &'static str, key: &'static str, value: Value) {
        self.0.entry(section).or_default().push((key, value));
    }

    /// Puts a key there if it can be read; else tells why not.
    pub(super) fn try_set(
        &mut self,
        section: &'static str,
        key: &'static str,
        value: Value,
    ) -> Result<(), String> {
        is_right(section, key, &value)?;
        self.set(section, key, value);
        Ok(())
    }

    /// Whether there is anything in a section.
    pub(super) fn has(&self, section: &str) -> bool {
        self.0.contains_key(section)
    }

    /// The whole file, made from the one at `from`.
    pub(super) fn text(&self, from: &str) -> String {
        let mut out = format!(
            "# Translated from {from} by `femtosnitch import picosnitch --config`.\n# What is not \
             here has its default; the file that comes with femtosnitch explains all keys.\n"
        );
        for (section, keys) in &self.0 {
            out.push_str(&format!("\n[{section}]\n"));
            for (key, value) in keys {
                out.push_str(&format!("{key} = {value}\n"));
            }
        }
        out
    }
}

/// Whether a key can have this value, or what is wrong with it.
pub(super) fn is_right(section: &str, key: &str, value: &Value) -> Result<(), String> {
    let text = format!("[{section}]\n{key} = {value}\n");
    Config::parse(&text, Format::Toml).map(drop).map_err(|problems| {
        let first = problems.into_iter().next();
        first.map_or_else(|| "not understood".to_owned(), |problem| problem.message)
    })
}
