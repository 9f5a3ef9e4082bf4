//! Parts of an answer that has more groups than fit.

use std::hash::Hasher;

use super::mix::Mix;

/// One part of several, by what the hash of the key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) at: u64,
    pub(super) of: u64,
}

impl Part {
    pub(super) const ALL: Self = Self { at: 0, of: 1 };

    /// True if a key is of it.
    pub(super) fn has(self, key: u128) -> bool {
        if self.of == 1 {
            return true;
        }
        let mut mix = Mix::default();
        mix.write_u128(key);
        // Other bits than those that the table uses.
        (mix.finish() >> 20) % self.of == self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_and_each_once() {
        for key in 0..1_000_u128 {
            let part = |at| Part { at, of: 5 }.has(key << 32 | 7);
            assert_eq!((0..5).filter(|at| part(*at)).count(), 1);
        }
    }
}
