//! Where the colours of a chart go: bands on bands, received above the line and sent below it, in
//! eighths of a cell. Pure; [`super::draw`] paints it.

/// What a part of a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Nothing,
    /// A place in the palette.
    Place(usize),
    /// What is not told one by one.
    Others,
}

/// One thing over time: amounts a step, above the line and below it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Band {
    pub(crate) paint: Paint,
    pub(crate) up: Vec<u64>,
    pub(crate) down: Vec<u64>,
}

/// So many eighths from below are `low`, the others `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) low: Paint,
    pub(crate) high: Paint,
    pub(crate) eighths: u8,
}

/// A chart of cells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grid {
    /// Rows above the line, the upmost first; each as wide as was asked for.
    pub(crate) up: Vec<Vec<Cell>>,
    /// And below it.
    pub(crate) down: Vec<Vec<Cell>>,
    /// What one row stands for, per step.
    pub(crate) row: f64,
}

/// Which steps a column stands for.
pub(crate) fn steps_of(column: usize, columns: usize, steps: usize) -> std::ops::Range<usize> {
    let columns = columns.max(1);
    let from = column * steps / columns;
    let to = ((column + 1) * steps).div_ceil(columns);
    from..to.max(from + 1).min(steps.max(from + 1))
}

/// The column in which the middle of a step is.
pub(crate) fn column_of(step: usize, columns: usize, steps: usize) -> usize {
    let steps = steps.max(1);
    ((2 * step + 1) * columns / (2 * steps)).min(columns.saturating_sub(1))
}

/// Lays `bands` of so many `steps` out in `columns` and `rows` (the line itself not counted).
pub(crate) fn lay_out(bands: &[Band], steps: usize, (columns, rows): (usize, usize)) -> Grid {
    let amounts = |of: fn(&Band) -> &Vec<u64>| -> Vec<Vec<f64>> {
        bands.iter().map(|band| resample(of(band), columns, steps)).collect()
    };
    let (above, below) = (amounts(|band| &band.up), amounts(|band| &band.down));
    let (most_up, most_down) = (highest(&above, columns), highest(&below, columns));
    let (up, down) = share(rows, most_up, most_down);
    let per = |most: f64, rows: usize| if rows == 0 { 0.0 } else { most / as_float(rows) };
    let row = per(most_up, up).max(per(most_down, down));
    let paints: Vec<Paint> = bands.iter().map(|band| band.paint).collect();
    let grid = |amounts: &[Vec<f64>], rows: usize| -> Vec<Vec<Cell>> {
        let mut grid = vec![Vec::with_capacity(columns); rows];
        for column in 0..columns {
            let stack = stacked(amounts, &paints, column, (row, rows * 8));
            for (at, cells) in grid.iter_mut().enumerate() {
                cells.push(cut(&stack, at * 8));
            }
        }
        grid
    };
    let mut up = grid(&above, up);
    up.reverse();
    let mut down = grid(&below, down);
    down.iter_mut().flatten().for_each(turn);
    Grid { up, down, row }
}

/// As many rows for each side as it is high, and one for what is not nothing.
fn share(rows: usize, up: f64, down: f64) -> (usize, usize) {
    if down <= 0.0 {
        return (rows, 0);
    }
    if up <= 0.0 {
        return (0, rows);
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most rows")]
    #[expect(clippy::cast_sign_loss, reason = "both are more than nothing")]
    let above = (as_float(rows) * up / (up + down)).round() as usize;
    let above = above.clamp(1, rows.saturating_sub(1).max(1));
    (above, rows.saturating_sub(above))
}

#[expect(clippy::cast_precision_loss, reason = "a screen is not so large, and bytes round")]
fn as_float(number: usize) -> f64 {
    number as f64
}

/// An amount for each column: of several steps their mean.
fn resample(line: &[u64], columns: usize, steps: usize) -> Vec<f64> {
    let of_column = |column| {
        let of = steps_of(column, columns, steps);
        let count = of.len();
        let part = line.get(of.start.min(line.len())..of.end.min(line.len())).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "nobody sees that many digits")]
        let sum: f64 = part.iter().map(|amount| *amount as f64).sum();
        sum / as_float(count.max(1))
    };
    (0..columns).map(of_column).collect()
}

fn highest(bands: &[Vec<f64>], columns: usize) -> f64 {
    let sum = |column: usize| bands.iter().filter_map(|band| band.get(column)).sum::<f64>();
    (0..columns).map(sum).fold(0.0, f64::max)
}

/// What each eighth of a column shows, from the line on.
fn stacked(
    amounts: &[Vec<f64>],
    paints: &[Paint],
    column: usize,
    (row, eighths): (f64, usize),
) -> Vec<Paint> {
    let mut stack = Vec::new();
    let mut sum = 0.0;
    for (band, paint) in amounts.iter().zip(paints) {
        sum += band.get(column).copied().unwrap_or(0.0);
        let height = if row > 0.0 { (sum / row * 8.0).round() } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "saturates on purpose")]
        #[expect(clippy::cast_sign_loss, reason = "sums of what is never negative")]
        let height = (height as usize).min(eighths);
        stack.resize(height.max(stack.len()), *paint);
    }
    if stack.is_empty() && sum > 0.0 {
        // What is not nothing is never shown as nothing.
        let largest = amounts.iter().zip(paints).max_by(|(one, _), (other, _)| {
            let of = |band: &[f64]| band.get(column).copied().unwrap_or(0.0);
            of(one).total_cmp(&of(other))
        });
        stack.extend(largest.map(|(_, paint)| *paint));
    }
    stack.resize(eighths, Paint::Nothing);
    stack
}

/// The eight from `start` on as two colours: the lowest, and of the others the one with most.
fn cut(stack: &[Paint], start: usize) -> Cell {
    let window = stack.get(start..start + 8).unwrap_or_default();
    let low = window.first().copied().unwrap_or(Paint::Nothing);
    let length = window.iter().take_while(|paint| **paint == low).count();
    let rest = window.get(length..).unwrap_or_default();
    let count = |paint: &Paint| rest.iter().filter(|it| *it == paint).count();
    let high = rest.iter().max_by_key(|paint| count(paint)).copied().unwrap_or(low);
    Cell { low, high, eighths: u8::try_from(length).unwrap_or(8) }
}

/// Upside down.
fn turn(cell: &mut Cell) {
    *cell = Cell { low: cell.high, high: cell.low, eighths: 8 - cell.eighths.min(8) };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn band(place: usize, up: &[u64], down: &[u64]) -> Band {
        Band { paint: Paint::Place(place), up: up.to_vec(), down: down.to_vec() }
    }

    #[test]
    fn bands_stand_on_each_other() {
        let bands = [band(1, &[4, 8], &[]), band(2, &[4, 0], &[])];
        let grid = lay_out(&bands, 2, (2, 1));
        let [left, right] = grid.up[0][..] else { panic!("{grid:?}") };
        assert_eq!(left, Cell { low: Paint::Place(1), high: Paint::Place(2), eighths: 4 });
        assert_eq!(right, Cell { low: Paint::Place(1), high: Paint::Place(1), eighths: 8 });
        assert!(grid.down.is_empty());
        assert!((grid.row - 8.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_sent_hangs_below_the_line() {
        let grid = lay_out(&[band(0, &[30], &[5])], 1, (1, 4));
        assert_eq!((grid.up.len(), grid.down.len()), (3, 1));
        assert_eq!(
            grid.down[0][0],
            Cell { low: Paint::Nothing, high: Paint::Place(0), eighths: 4 }
        );
    }

    #[test]
    fn little_is_not_nothing() {
        let grid = lay_out(&[band(3, &[1_000_000, 1], &[])], 2, (2, 2));
        assert_eq!(grid.up[1][1].low, Paint::Place(3));
        assert_eq!(grid.up[1][1].eighths, 1);
        let nothing = lay_out(&[band(3, &[0, 0], &[0, 0])], 2, (2, 2));
        assert!(nothing.up.iter().flatten().all(|cell| cell.low == Paint::Nothing));
    }

    #[test]
    fn steps_and_columns_find_each_other() {
        assert_eq!(steps_of(0, 10, 5), 0..1);
        assert_eq!(steps_of(9, 10, 5), 4..5);
        assert_eq!(steps_of(1, 5, 10), 2..4);
        for (columns, steps) in [(10, 5), (5, 10), (7, 7), (80, 289), (200, 13)] {
            for step in 0..steps {
                let column = column_of(step, columns, steps);
                assert!(steps_of(column, columns, steps).contains(&step), "{columns} {steps}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_grid_is_as_large_as_was_asked_for(
            lines in proptest::collection::vec(proptest::collection::vec(any::<u64>(), 0..40), 0..5),
            steps in 0_usize..40, columns in 0_usize..50, rows in 0_usize..12,
        ) {
            let bands: Vec<Band> =
                lines.iter().map(|line| band(0, line, line.get(3..).unwrap_or_default())).collect();
            let grid = lay_out(&bands, steps, (columns, rows));
            prop_assert!(grid.up.len() + grid.down.len() == rows.max(grid.up.len()));
            for row in grid.up.iter().chain(&grid.down) {
                prop_assert_eq!(row.len(), columns);
                prop_assert!(row.iter().all(|cell| cell.eighths <= 8));
            }
        }
    }
}
