//! `femtosnitch top`: which programs move what right now, and to whom.

mod actions;
mod badges;
mod connection;
mod draw;
mod executables;
mod list;
mod model;
mod peers;
mod places;
mod rows;
mod run;
mod traffic;
mod view;

pub use badges::{Badge, News, listen as listen_to_news};
pub use connection::{Connection, State};
pub use executables::{Executable, executables};
pub use list::{Focus, List};
pub use model::{Beyond, Locate, MOST_PEERS, Model, OTHERS};
pub use peers::{Peer, PeerBy};
pub use places::Places;
pub use rows::{By, Row, RowId, Shape, compare, rows};
pub use run::{Around, patience, run};
pub use traffic::{Amounts, Clock, Rates, Traffic, WINDOWS, Window, per_second};
pub use view::{Effect, Find, Given, Link, Urgency, View};

#[cfg(test)]
mod tests;
