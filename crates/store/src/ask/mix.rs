//! A hasher for numbers that are handed out in turn.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;

/// By number, another one.
pub(super) type ByNumber<K> = HashMap<K, u32, BuildHasherDefault<Mix>>;

/// Mixes the bits of numbers that are handed out in turn.
#[derive(Default)]
pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(eight));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // Multiplication by an odd number near 2^64 divided by the golden ratio spreads the bits
        // upwards, the shift brings them down again.
        let mixed = (self.0.rotate_left(26) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn write_u128(&mut self, value: u128) {
        self.write(&value.to_le_bytes());
    }
}
