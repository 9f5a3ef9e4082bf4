//! A place in a list that is longer than the screen.

/// How far a cursor is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// One up.
    Up,
    /// One down.
    Down,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
    /// So many up (negative) or down.
    By(isize),
    /// To this one.
    To(usize),
}

/// The entry that keys act on, and which entries are on the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The entry, from 0.
    pub at: usize,
    /// The first entry on the screen when it was last settled.
    top: usize,
}

impl Cursor {
    /// Goes somewhere in a list of `len` entries of which `room` fit on the screen.
    pub fn step(&mut self, step: Step, len: usize, room: usize) {
        let last = len.saturating_sub(1);
        self.at = match step {
            Step::Up => self.at.saturating_sub(1),
            Step::Down => self.at.saturating_add(1),
            Step::PageUp => self.at.saturating_sub(room.max(2) - 1),
            Step::PageDown => self.at.saturating_add(room.max(2) - 1),
            Step::First => 0,
            Step::Last => last,
            Step::By(by) => self.at.saturating_add_signed(by),
            Step::To(at) => at,
        }
        .min(last);
        self.settle(len, room);
    }

    /// Keeps the cursor in the list and on the screen.
    pub fn settle(&mut self, len: usize, room: usize) {
        self.at = self.at.min(len.saturating_sub(1));
        self.top = self.first(len, room);
    }

    /// The first entry on the screen.
    #[must_use]
    pub fn first(&self, len: usize, room: usize) -> usize {
        let room = room.max(1);
        let top = self.top.min(len.saturating_sub(room));
        let at = self.at.min(len.saturating_sub(1));
        if at < top {
            at
        } else if at >= top + room {
            at + 1 - room
        } else {
            top
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_follows() {
        let mut cursor = Cursor::default();
        cursor.step(Step::Last, 100, 10);
        assert_eq!((cursor.at, cursor.first(100, 10)), (99, 90));
        cursor.step(Step::Up, 100, 10);
        assert_eq!((cursor.at, cursor.first(100, 10)), (98, 90));
        cursor.step(Step::PageUp, 100, 10);
        assert_eq!((cursor.at, cursor.first(100, 10)), (89, 89));
        cursor.step(Step::First, 100, 10);
        assert_eq!((cursor.at, cursor.first(100, 10)), (0, 0));
        cursor.step(Step::By(-3), 100, 10);
        cursor.step(Step::PageDown, 100, 10);
        assert_eq!(cursor.at, 9);
    }

    #[test]
    fn a_list_may_become_short_or_empty() {
        let mut cursor = Cursor::default();
        cursor.step(Step::To(50), 100, 10);
        cursor.settle(3, 10);
        assert_eq!((cursor.at, cursor.first(3, 10)), (2, 0));
        cursor.settle(0, 10);
        cursor.step(Step::Down, 0, 0);
        assert_eq!((cursor.at, cursor.first(0, 0)), (0, 0));
    }
}
