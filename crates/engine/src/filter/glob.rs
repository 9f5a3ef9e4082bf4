//! Patterns for paths of executables.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

/// Longest pattern: longer ones are no path.
const LONGEST: usize = 4096;

/// A pattern for a whole path: `*` and `?` stand for what a directory's name may hold, `**` for
/// directories as well, `[a-z]` and `{a,b}` for one of several.
#[derive(Debug, Clone)]
pub struct Glob {
    pattern: String,
    matcher: GlobMatcher,
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it and what would be right.
    pub fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > LONGEST {
            return Err("it is longer than any path".to_owned());
        }
        if !pattern.starts_with(['/', '*', '(']) {
            return Err(format!(
                "it has to match the whole path; write \"/usr/bin/{pattern}\" or \"**/{pattern}\""
            ));
        }
        let built =
            GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
        let matcher = built.map_err(|error| error.kind().to_string())?.compile_matcher();
        Ok(Self { pattern: pattern.to_owned(), matcher })
    }

    /// As it was written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.matcher.is_match(path)
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for Glob {}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stays_within_a_directory() {
        for (pattern, path, fits) in [
            ("/usr/bin/*", "/usr/bin/curl", true),
            ("/usr/bin/*", "/usr/bin/x/curl", false),
            ("/usr/bin/*", "/opt/usr/bin/curl", false),
            ("/opt/**", "/opt/a/b/c", true),
            ("/opt/**", "/optional/a", false),
            ("**/curl", "/usr/bin/curl", true),
            ("**/curl", "/usr/bin/xcurl", false),
            ("/usr/**/curl", "/usr/curl", true),
            ("/usr/**/curl", "/usr/local/bin/curl", true),
            ("/usr/bin/python3*", "/usr/bin/python3.13", true),
            ("/usr/bin/python3.?", "/usr/bin/python3.1", true),
            ("/usr/bin/{curl,wget}", "/usr/bin/wget", true),
            ("/usr/bin/curl", "/usr/bin/curl2", false),
            ("/usr/bin/c[a-u]rl", "/usr/bin/curl", true),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().matches(path), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_explained() {
        assert!(Glob::new("curl").unwrap_err().contains("\"**/curl\""));
        assert!(Glob::new("").unwrap_err().contains("whole path"));
        assert!(!Glob::new("/usr/[a").unwrap_err().is_empty());
        assert!(!Glob::new("/usr/{a").unwrap_err().is_empty());
        assert!(Glob::new(&"/x".repeat(4_000)).unwrap_err().contains("longer"));
    }

    proptest! {
        #[test]
        fn no_pattern_is_too_strange(pattern in "[/*?{}\\[\\],!a-c\\\\é]{0,24}", path in ".{0,40}") {
            if let Ok(glob) = Glob::new(&pattern) {
                glob.matches(&path);
            }
        }
    }
}
