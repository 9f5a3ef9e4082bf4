//! Text for people: units, tables, colour.

mod branches;
mod style;
mod table;
mod units;

pub use branches::Branches;
pub use style::Style;
pub use table::{Column, Table, terminal_width};
pub use units::{bytes, count, duration, micros, rate};
