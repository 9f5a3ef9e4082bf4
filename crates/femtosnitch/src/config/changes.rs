//! What a running daemon can change, and what not.

use super::Config;

/// A key, and whether it says something else.
macro_rules! changed {
    ($before:ident, $after:ident: $($section:ident.$key:ident),+ $(,)?) => {
        [$((
            concat!(stringify!($section), ".", stringify!($key)),
            $before.$section.$key != $after.$section.$key,
        )),+]
    };
}

/// The keys that differ and that only the next start of the daemon heeds.
#[must_use]
pub fn for_the_next_start(before: &Config, after: &Config) -> Vec<&'static str> {
    let keys = fixed(before, after);
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

fn fixed(before: &Config, after: &Config) -> impl IntoIterator<Item = (&'static str, bool)> {
    changed!(before, after:
        capture.front,
        capture.max_flows,
        capture.max_overflow,
        capture.max_peers_per_socket,
        capture.senders,
        capture.splices,
        capture.event_buffer,
        store.spool_rows,
        identity.hash_threads,
        identity.processes,
        names.capture,
        names.buffer,
        live.max_readers,
        live.reader_buffer,
        access.group,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, resolve};

    /// What the daemon changes while it runs.
    const AT_ONCE: [&str; 10] = [
        "capture.sample_interval",
        "store.write_interval",
        "store.retention",
        "store.retention_minutes",
        "store.retention_hours",
        "store.retention_days",
        "store.max_size",
        "store.tamper_evidence",
        "names.resolvers",
        "names.ptr",
    ];

    #[test]
    fn every_key_is_one_or_the_other() {
        let config = Config::default();
        let fixed: Vec<_> = fixed(&config, &config).into_iter().map(|(key, _)| key).collect();
        for (section, key) in resolve::known_keys() {
            let name = format!("{section}.{key}");
            // The dashboard is a process of its own, and reads its section when it starts.
            let at_once = AT_ONCE.contains(&name.as_str())
                || ["ignore", "only", "privacy", "geoip", "log", "web"].contains(&section);
            assert_ne!(at_once, fixed.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn what_waits_for_a_start_is_named() {
        let text = "[capture]\nmax_flows = 1000\nsample_interval = \"2s\"\n[ignore]\nports = [1]\n\
                    [access]\ngroup = \"\"\n";
        let after = Config::parse(text, Format::Toml).unwrap();
        let named = for_the_next_start(&Config::default(), &after);
        assert_eq!(named, ["capture.max_flows", "access.group"]);
        assert!(for_the_next_start(&after, &after).is_empty());
    }
}
