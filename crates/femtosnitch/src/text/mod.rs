//! Text for people: units, tables, colour.

mod style;
mod table;
mod units;

pub use style::Style;
pub use table::{Column, Table, terminal_width};
pub use units::{bytes, count, duration, micros, rate};
