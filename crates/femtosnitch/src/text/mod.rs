//! Text for people: units, tables, colour.

mod branches;
pub mod json;
mod progress;
mod sparks;
mod style;
mod table;
mod units;

pub use branches::Branches;
pub use progress::Progress;
pub use sparks::Sparks;
pub use style::Style;
pub use table::{Column, Table, terminal_width};
pub use units::{bytes, count, duration, micros, rate};
