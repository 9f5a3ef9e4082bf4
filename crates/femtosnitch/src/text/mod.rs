//! Text for people: units, tables, colour.

mod branches;
pub mod json;
mod sparks;
mod style;
mod table;
mod units;

pub use branches::Branches;
pub use sparks::Sparks;
pub use style::Style;
pub use table::{Column, Table, terminal_width};
pub use units::{bytes, count, duration, micros, rate};
