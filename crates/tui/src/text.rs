//! Text and numbers as people read them in a terminal.

mod fit;
mod numbers;
mod values;

pub use fit::{clip, middle, pad_left, pad_right, width};
pub use numbers::{
    Units, ago, bytes, count, duration, exact_bytes, percent, rate, round_trip, short_count,
    short_duration,
};
pub use values::{base_name, country_name, dir_name, key_text, protocol_name, short_digest, shown};
