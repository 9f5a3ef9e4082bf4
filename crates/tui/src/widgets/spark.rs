//! Small pictures of numbers.

use crate::theme::Glyphs;

/// One bar for each value, the largest as high as the line, the smallest that is not nothing seen.
#[must_use]
pub fn spark(values: &[f64], glyphs: &Glyphs) -> String {
    let most = values.iter().copied().filter(|it| it.is_finite()).fold(0.0_f64, f64::max);
    values
        .iter()
        .map(|value| if *value > 0.0 { step(*value / most, &glyphs.up) } else { " " })
        .collect()
}

/// A bar of so many cells for a part of something (0 to 1), filled up with spaces.
#[must_use]
pub fn share(part: f64, cells: usize, glyphs: &Glyphs) -> String {
    let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
    let mut out = String::new();
    #[expect(clippy::cast_precision_loss, reason = "a screen has few cells")]
    let mut left = part * cells as f64;
    for _ in 0..cells {
        // What is less than half of the smallest bar is none.
        out.push_str(if left < 1.0 / 16.0 { " " } else { step(left, &glyphs.right) });
        left -= 1.0;
    }
    out
}

/// The glyph for a part of a cell.
fn step(part: f64, glyphs: &[&'static str; 8]) -> &'static str {
    let [one, two, three, four, five, six, seven, eight] = glyphs;
    match part * 8.0 {
        it if it < 1.5 => one,
        it if it < 2.5 => two,
        it if it < 3.5 => three,
        it if it < 4.5 => four,
        it if it < 5.5 => five,
        it if it < 6.5 => six,
        it if it < 7.5 => seven,
        _ => eight,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_numbers() {
        assert_eq!(spark(&[0.0, 1.0, 4.0, 8.0, f64::NAN], &Glyphs::UNICODE), " ▁▄█ ");
        assert_eq!(spark(&[], &Glyphs::ASCII), "");
        assert_eq!(share(0.5, 4, &Glyphs::UNICODE), "██  ");
        assert_eq!(share(0.3, 2, &Glyphs::UNICODE), "▋ ");
        assert_eq!(share(f64::NAN, 2, &Glyphs::UNICODE), "  ");
        assert_eq!(share(7.0, 2, &Glyphs::ASCII), "##");
    }
}
