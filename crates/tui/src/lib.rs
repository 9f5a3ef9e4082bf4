//! Full-screen views for terminals: what moves now (`top`), and the history (`tui`).
//!
//! A view is a state machine: `update(input)` changes it and says what is to be done, `draw` paints
//! it; neither waits, reads a clock or does anything else. What is around it is here as well:
//! [`screen`] takes and gives back the terminal, [`input`] brings everything that happens in one
//! stream, [`feed`] listens to the daemon; [`theme`], [`text`], [`keys`] and [`widgets`] are what
//! views are made of.
#![forbid(unsafe_code)]

pub mod browse;
pub mod feed;
pub mod input;
pub mod keys;
pub mod screen;
pub mod text;
pub mod theme;
pub mod top;
pub mod widgets;
