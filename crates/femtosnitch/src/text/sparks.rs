//! How something went, in one line of text.

use femtosnitch_tui::theme::locale_is_utf8;

/// What such lines are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sparks {
    /// From little to much.
    levels: [char; 8],
}

impl Sparks {
    /// Bars.
    pub const BARS: Self =
        Self { levels: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] };
    /// For terminals that can show ASCII alone.
    pub const ASCII: Self = Self { levels: ['.', ':', '-', '=', '+', '*', '%', '#'] };

    /// For this locale: bars if its character set is UTF-8.
    #[must_use]
    pub fn for_locale() -> Self {
        if locale_is_utf8() { Self::BARS } else { Self::ASCII }
    }

    /// A line of at most `cells` characters, relative to its highest; nothing is a blank. Of more
    /// amounts than cells, neighbours are added up.
    #[must_use]
    pub fn line(self, amounts: &[u64], cells: usize) -> String {
        let together = amounts.len().div_ceil(cells.max(1)).max(1);
        let sums: Vec<u64> = amounts
            .chunks(together)
            .map(|few| few.iter().fold(0, |sum: u64, amount| sum.saturating_add(*amount)))
            .collect();
        let highest = sums.iter().copied().max().unwrap_or(0);
        sums.into_iter().map(|sum| self.level(sum, highest)).collect()
    }

    fn level(self, sum: u64, highest: u64) -> char {
        let (sum, highest) = (u128::from(sum), u128::from(highest));
        let count = self.levels.len() as u128;
        // Whatever is more than nothing shows.
        let level = (sum * count).checked_div(highest).map(|level| level.min(count - 1));
        match level.and_then(|level| usize::try_from(level).ok()) {
            Some(level) if sum > 0 => self.levels.get(level).copied().unwrap_or(' '),
            _ => ' ',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_is_full_and_something_is_never_nothing() {
        let line = |amounts: &[u64], cells| Sparks::BARS.line(amounts, cells);
        assert_eq!(line(&[0, 1, 500, 1_000], 10), " ▁▅█");
        assert_eq!(line(&[0, 0], 10), "  ");
        assert_eq!(line(&[], 10), "");
        assert_eq!(line(&[u64::MAX, u64::MAX, 1], 3), "██▁");
        assert_eq!(Sparks::ASCII.line(&[1, 8], 2), ":#");
    }

    #[test]
    fn what_does_not_fit_is_added_up() {
        let line = |amounts: &[u64], cells| Sparks::BARS.line(amounts, cells);
        assert_eq!(line(&[1, 1, 4, 4], 2), "▃█");
        assert_eq!(line(&[1, 0, 0, 0, 1], 2), "██");
        assert_eq!(line(&[3, 1], 0), "█");
    }
}
