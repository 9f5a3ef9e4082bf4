//! Where in the world an address is.

use std::sync::Arc;

/// What was known of an address on the day of its traffic.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// Two capital letters (ISO 3166-1 alpha-2); for what an address is set aside, in brackets
    /// (`(private)`, `(loopback)`); '' where unknown.
    pub country: Arc<str>,
    /// Number of the autonomous system, 0 where unknown.
    pub asn: u32,
    /// Who runs that system, '' where unknown; nothing in it harms a terminal.
    pub org: Arc<str>,
}
