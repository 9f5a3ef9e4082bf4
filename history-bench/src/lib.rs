//! Months of realistic history, and what writing, asking and forgetting it costs.
#![forbid(unsafe_code)]

pub mod census;
pub mod generator;
