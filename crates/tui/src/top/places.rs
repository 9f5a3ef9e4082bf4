//! Where on the screen what is.

use ratatui::layout::Rect;

use super::list::Focus;

/// The smallest screen on which something is shown.
pub(super) const SMALLEST: (u16, u16) = (40, 10);

/// Parts of the screen; those for which there is no room are empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Places {
    /// State and sums.
    pub title: Rect,
    /// The last minute of everything.
    pub minute: Rect,
    /// What a person should know.
    pub notices: Rect,
    /// The programs.
    pub programs: Rect,
    /// What is selected.
    pub details: Rect,
    /// Its connections.
    pub peers: Rect,
    /// Hints, or what is typed.
    pub footer: Rect,
}

impl Places {
    /// On a screen of this size, with so many notices; `None` if it is too small.
    #[must_use]
    pub fn new((width, height): (u16, u16), notices: usize, focus: Focus) -> Option<Self> {
        if width < SMALLEST.0 || height < SMALLEST.1 {
            return None;
        }
        let mut y = 0;
        let mut take = |rows: u16| {
            let place = Rect { x: 0, y, width, height: rows };
            y += rows;
            place
        };
        let title = take(1);
        let minute = take(if height >= 20 { 2 } else { 0 });
        let most = if height >= 20 { 3 } else { 1 };
        let notices = take(u16::try_from(notices).unwrap_or(most).min(most));
        let left = height - 1 - title.height - minute.height - notices.height;
        let (programs, details, peers) = if left >= 12 {
            let programs = if focus == Focus::Programs { left * 3 / 5 } else { left * 2 / 5 };
            (take(programs), take(1), take(left - programs - 1))
        } else if focus == Focus::Programs {
            (take(left), Rect::default(), Rect::default())
        } else {
            (Rect::default(), take(1), take(left - 1))
        };
        let footer = take(1);
        Some(Self { title, minute, notices, programs, details, peers, footer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_screen_is_used_to_its_last_row() {
        for height in 10..100 {
            for notices in 0..5 {
                for focus in [Focus::Programs, Focus::Peers] {
                    let it = Places::new((80, height), notices, focus).unwrap();
                    assert_eq!(it.footer.bottom(), height);
                    let list = if focus == Focus::Programs { it.programs } else { it.peers };
                    assert!(list.height >= 4, "{height} {notices}");
                }
            }
        }
        assert!(Places::new((39, 24), 0, Focus::Programs).is_none());
        assert!(Places::new((80, 9), 0, Focus::Programs).is_none());
    }
}
