//! The state machine key by key, and what the screen shows.
