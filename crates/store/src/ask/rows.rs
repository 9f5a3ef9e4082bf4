//! Rows or cells that are read together: a column at a time, each only if somebody asks for it.

use super::run::Stop;
use super::seen::Columns;
use super::seen::times;

/// A column of sums. Numbers are as blocks and cells have them: of the wire 0 where it was not
/// measured, else how much more than the payload (zigzag), and one more; of the round-trip time
/// one more than it was. So 0 adds nothing in any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Send,
    Recv,
    WireSend,
    WireRecv,
    Events,
    Connections,
    Failed,
    Retrans,
    Rtt,
}

impl Column {
    pub(crate) const ALL: [Self; 9] = [
        Self::Send,
        Self::Recv,
        Self::WireSend,
        Self::WireRecv,
        Self::Events,
        Self::Connections,
        Self::Failed,
        Self::Retrans,
        Self::Rtt,
    ];

    /// What groups are ranked by.
    pub(crate) const RANKS: [Self; 3] = [Self::Send, Self::Recv, Self::Connections];
}

/// Where columns of sums come from.
pub(crate) trait SumColumns {
    /// Fills `into` with one number a row.
    fn read(&self, column: Column, into: &mut Vec<u64>) -> Result<(), Stop>;
}

/// What is known of a column.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Unread,
    /// It has something else than zeros.
    Read,
    Zeros,
}

/// Some rows or cells. Its memory is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Which are meant.
    pub(super) rows: Vec<u32>,
    /// Who, to whom, when.
    pub(super) seen: Columns,
    sums: [Vec<u64>; 9],
    states: [State; 9],
    /// How many there are, meant or not, once a column is loaded; as many zeros.
    count: usize,
    zeros: Vec<u64>,
}

impl Rows {
    /// Other rows are in it from now on.
    pub(super) fn renew(&mut self) {
        self.states = Default::default();
    }

    /// The steps that some of them are in, each of `width` seconds counted from `offset`.
    pub(crate) fn times(&self, steps: (i64, i64), rows: &[u32], into: &mut Vec<u32>) {
        times(&self.seen, steps, rows, into);
    }

    /// Has to be called before [`Rows::column`].
    pub(crate) fn load(&mut self, source: &dyn SumColumns, columns: &[Column]) -> Result<(), Stop> {
        for column in columns {
            let at = *column as usize;
            let (Some(state), Some(sums)) = (self.states.get_mut(at), self.sums.get_mut(at)) else {
                continue;
            };
            if *state == State::Unread {
                source.read(*column, sums)?;
                self.count = sums.len();
                if self.zeros.len() < self.count {
                    self.zeros.resize(self.count, 0);
                }
                let any = sums.iter().any(|number| *number != 0);
                *state = if any { State::Read } else { State::Zeros };
            }
        }
        Ok(())
    }

    /// How many rows there are, meant or not, once a column is loaded.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// A column with one number a row, meant or not: zeros if it was not loaded.
    pub(crate) fn column(&self, column: Column) -> &[u64] {
        let at = column as usize;
        match (self.states.get(at), self.sums.get(at)) {
            (Some(State::Read), Some(sums)) => sums,
            _ => &self.zeros,
        }
    }
}

/// Does something for each of some rows of a batch, which have to be in their order: with how many
/// came before it, and the numbers of columns by the names given to them. Mostly all rows of the
/// batch are meant; then none is looked up.
macro_rules! each_row {
    (($batch:expr, $rows:expr), |$nth:ident, $($name:ident: $column:ident),+| $work:expr) => {{
        let (rows, count) = ($rows, $batch.count());
        $(let $name = $batch.column(Column::$column);)+
        if let (true, $(Some($name)),+) = (rows.len() == count, $($name.get(..count)),+) {
            for $nth in 0..count {
                $(let $name = $name.get($nth).copied().unwrap_or(0);)+
                $work
            }
        } else {
            for ($nth, row) in rows.iter().enumerate() {
                $(let $name = $crate::ask::at($name, *row);)+
                $work
            }
        }
    }};
}
pub(crate) use each_row;

/// The number of a row in a column; 0 where there is none.
pub(crate) fn at(column: &[u64], row: u32) -> u64 {
    usize::try_from(row).ok().and_then(|row| column.get(row)).copied().unwrap_or(0)
}
