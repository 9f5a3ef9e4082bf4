//! Text for people: units, tables, colour.

pub mod json;
mod progress;
mod sparks;
mod style;
mod table;
mod units;

pub use femtosnitch_tui::text::count;
pub use femtosnitch_tui::theme::Branches;
pub use progress::Progress;
pub use sparks::Sparks;
pub use style::Style;
pub use table::{Column, Table, terminal_width};
pub use units::{bytes, duration, micros, rate};
