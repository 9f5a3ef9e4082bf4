//! What views are made of.

mod cursor;
mod line;
mod popup;
mod spark;
mod table;

pub use cursor::{Cursor, Step};
pub use line::LineEditor;
pub use popup::{help, help_beyond, hints, popup};
pub use spark::{share, spark};
pub use table::{Align, Column, Layout, Row, Sort, Table};
