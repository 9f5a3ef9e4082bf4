//! What happened to a flow between two looks, or since its last row.

use std::ops::AddAssign;

use femtosnitch_model::{Connections, Counters, TcpTotals, Wire};

/// Growth of everything that rows sum up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) counters: Counters,
    pub(crate) wire: Wire,
    pub(crate) connections: Connections,
    pub(crate) retrans: u64,
}

impl News {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What became of a connection between two readings of TCP's counters (`None`: the first one).
    /// `closed`: nothing more will be read of it.
    pub(crate) fn of_connection(
        before: Option<&TcpTotals>,
        now: &TcpTotals,
        closed: bool,
    ) -> Connections {
        let had_ended = before.is_some_and(|before| before.ended);
        let begins = match before {
            None => !now.older,
            // The same socket connects again.
            Some(_) => had_ended && !now.ended,
        };
        let ends = (now.ended || closed) && (!had_ended || begins);
        let failed = ends && now.active && !now.established;
        Connections {
            begun: u32::from(begins),
            ended: u32::from(ends),
            failed: u32::from(failed),
            error: if ends { now.error } else { 0 },
        }
    }
}

impl AddAssign for News {
    fn add_assign(&mut self, other: Self) {
        self.counters += other.counters;
        self.wire += other.wire;
        let (mine, new) = (&mut self.connections, other.connections);
        mine.begun = mine.begun.saturating_add(new.begun);
        mine.ended = mine.ended.saturating_add(new.ended);
        mine.failed = mine.failed.saturating_add(new.failed);
        if new.error != 0 {
            mine.error = new.error;
        }
        self.retrans = self.retrans.saturating_add(other.retrans);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: u16 = 111;

    #[test]
    fn a_refused_connect_begins_ends_and_fails_at_once() {
        let now = TcpTotals { active: true, ended: true, error: REFUSED, ..TcpTotals::default() };
        let seen = News::of_connection(None, &now, true);
        assert_eq!(seen, Connections { begun: 1, ended: 1, failed: 1, error: REFUSED });
        let again = News::of_connection(Some(&now), &now, true);
        assert_eq!(again, Connections::default());
    }

    #[test]
    fn a_connection_ends_once() {
        let open = TcpTotals { active: true, established: true, ..TcpTotals::default() };
        let over = TcpTotals { ended: true, ..open };
        assert_eq!(News::of_connection(None, &open, false).begun, 1);
        assert_eq!(News::of_connection(Some(&open), &open, false), Connections::default());
        let end = News::of_connection(Some(&open), &over, false);
        assert_eq!((end.begun, end.ended, end.failed), (0, 1, 0));
        assert_eq!(News::of_connection(Some(&over), &over, true), Connections::default());
    }

    #[test]
    fn an_older_connection_does_not_begin_and_a_socket_may_begin_twice() {
        let older = TcpTotals { older: true, established: true, ..TcpTotals::default() };
        assert_eq!(News::of_connection(None, &older, false).begun, 0);
        let over = TcpTotals { ended: true, ..older };
        let second = TcpTotals { active: true, ..TcpTotals::default() };
        assert_eq!(News::of_connection(Some(&over), &second, false).begun, 1);
    }
}
