//! Roots with package databases, real and made up, asked as a caller asks.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod dpkg;
mod fixture;
mod others;
