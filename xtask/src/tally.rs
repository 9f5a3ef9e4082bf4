//! How many tests ran: read from what the runners print.

use std::ops::AddAssign;

/// Counted outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that held.
    pub(crate) passed: u64,
    /// Tests that did not.
    pub(crate) failed: u64,
    /// Tests that were not run.
    pub(crate) skipped: u64,
}

impl Tally {
    /// Reads `12 passed, 0 failed, 1 skipped` (the end-to-end runner) or
    /// `test result: ok. 12 passed; 0 failed; 1 ignored; …` (libtest); `None` for any other line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let counts = match line.strip_prefix("test result: ") {
            Some(rest) => rest.split_once(". ")?.1,
            None => line,
        };
        let mut parts = counts.split([',', ';']).map(str::trim);
        let passed = number(parts.next()?, "passed")?;
        let failed = number(parts.next()?, "failed")?;
        let last = parts.next()?;
        let skipped = number(last, "skipped").or_else(|| number(last, "ignored"))?;
        Some(Self { passed, failed, skipped })
    }

    /// Whether something ran and nothing failed.
    pub(crate) const fn is_success(self) -> bool {
        self.passed > 0 && self.failed == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

fn number(part: &str, what: &str) -> Option<u64> {
    part.strip_suffix(what)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runners_are_understood() {
        let expected = Some(Tally { passed: 12, failed: 3, skipped: 1 });
        assert_eq!(Tally::parse("12 passed, 3 failed, 1 skipped"), expected);
        let libtest =
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 7 filtered out";
        assert_eq!(Tally::parse(libtest), expected);
    }

    #[test]
    fn display_and_parse_agree() {
        let tally = Tally { passed: 7, failed: 0, skipped: 2 };
        assert_eq!(Tally::parse(&tally.to_string()), Some(tally));
    }

    #[test]
    fn other_lines_are_not_counts() {
        for line in
            ["", "passed", "x passed, 1 failed, 0 skipped", "running 3 tests", "1 passed, 2 failed"]
        {
            assert_eq!(Tally::parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn nothing_run_is_no_success() {
        assert!(!Tally::default().is_success());
        assert!(!Tally { passed: 5, failed: 1, skipped: 0 }.is_success());
        assert!(Tally { passed: 1, failed: 0, skipped: 9 }.is_success());
    }
}
