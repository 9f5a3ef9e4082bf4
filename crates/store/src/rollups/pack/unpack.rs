//! Whole groups of numbers of the usual widths: code of its own for each width, in which it is known
//! where each number lies.

use super::GROUP;

/// Calls `$work` with each of the places in a group.
macro_rules! each_place {
    ($work:ident) => {
        each_place!($work: 0 8 16 24 32 40 48 56)
    };
    ($work:ident: $($from:literal)*) => {
        $(
            $work!($from);
            $work!($from + 1);
            $work!($from + 2);
            $work!($from + 3);
            $work!($from + 4);
            $work!($from + 5);
            $work!($from + 6);
            $work!($from + 7);
        )*
    };
}

/// Takes apart 64 numbers of `WIDTH` bits, which are as many words.
fn of_width<const WIDTH: usize>(bytes: &[u8], into: &mut [u64; GROUP]) {
    let mut words = [0; WIDTH];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    let mask = (1 << WIDTH) - 1;
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    macro_rules! number {
        ($at:expr) => {
            let (first, bit) = (($at) * WIDTH / 64, ($at) * WIDTH % 64);
            let mut number = word(first) >> bit;
            if bit + WIDTH > 64 {
                number |= word(first + 1) << (64 - bit);
            }
            if let Some(to) = into.get_mut($at) {
                *to = number & mask;
            }
        };
    }
    each_place!(number);
}

/// Takes apart the numbers of a whole group, if they are of a width for which there is code.
pub(super) fn whole(width: usize, bytes: &[u8], into: &mut [u64; GROUP]) -> bool {
    macro_rules! widths {
        ($($width:literal)*) => {
            match width {
                $($width => of_width::<$width>(bytes, into),)*
                _ => return false,
            }
        };
    }
    widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
    true
}
