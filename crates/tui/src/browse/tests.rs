//! The state machine key by key, over a real history, and what the screen shows.

mod desk;
mod history;
mod hostile;
mod lanes;
mod mice;
mod pages;
mod pictures;
mod refresh;
mod walks;
