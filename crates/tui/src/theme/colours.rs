//! One colour for one thing, the dashboard's, in whatever depth the terminal has.

use ratatui::style::Color;

/// How many colours a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// None: bold, reverse and underline only.
    Mono,
    /// The sixteen of ANSI, which the user may have changed.
    Sixteen,
    /// The 256 of xterm.
    Indexed,
    /// Any.
    True,
}

impl Depth {
    /// By the environment: `NO_COLOR` (<https://no-color.org>), `COLORTERM`, `TERM`.
    pub(super) fn decide(var: &impl Fn(&str) -> Option<String>) -> Self {
        let term = var("TERM").unwrap_or_default();
        if var("NO_COLOR").is_some() || term == "dumb" {
            return Self::Mono;
        }
        let colour = var("COLORTERM").unwrap_or_default();
        if colour == "truecolor" || colour == "24bit" || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256color") {
            Self::Indexed
        } else {
            Self::Sixteen
        }
    }
}

/// A colour in all depths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shade {
    dark: u32,
    light: u32,
    /// Where there are only sixteen.
    ansi: Color,
}

impl Shade {
    const fn new(dark: u32, light: u32, ansi: Color) -> Self {
        Self { dark, light, ansi }
    }

    pub(super) const DIM: Self = Self::new(0x8a_94_9e, 0x5c_66_70, Color::DarkGray);
    pub(super) const ACCENT: Self = Self::new(0x4f_b8_ec, 0x0b_6f_9e, Color::LightCyan);
    pub(super) const SELECTED: Self = Self::new(0x26_45_5c, 0xc5_e2_f2, Color::Blue);
    pub(super) const MARKED: Self = Self::new(0x2b_32_39, 0xe4_e8_eb, Color::DarkGray);
    pub(super) const GOOD: Self = Self::new(0x6f_c3_81, 0x2f_6b_3a, Color::Green);
    pub(super) const WARNING: Self = Self::new(0xe3_bd_3e, 0x8a_67_00, Color::LightYellow);
    pub(super) const BAD: Self = Self::new(0xff_7b_72, 0xb4_23_18, Color::LightRed);
    pub(super) const RECEIVED: Self = Self::new(0x8e_a8_ff, 0x3b_5b_db, Color::LightBlue);
    pub(super) const SENT: Self = Self::new(0xfb_92_3c, 0xc2_57_0c, Color::Yellow);

    pub(super) fn in_depth(self, depth: Depth, on_light: bool) -> Color {
        let value = if on_light { self.light } else { self.dark };
        let [_, red, green, blue] = value.to_be_bytes();
        match depth {
            Depth::Mono => Color::Reset,
            Depth::Sixteen => self.ansi,
            Depth::Indexed => Color::Indexed(nearest(red, green, blue)),
            Depth::True => Color::Rgb(red, green, blue),
        }
    }
}

/// `PALETTE` of web/src/lib/colour.ts.
const PALETTE: [Shade; 11] = [
    Shade::new(0xfb_92_3c, 0xc2_57_0c, Color::Red),
    Shade::new(0x8e_a8_ff, 0x3b_5b_db, Color::LightBlue),
    Shade::new(0xe8_58_9b, 0xa6_1e_63, Color::Magenta),
    Shade::new(0xa3_d1_39, 0x5a_7d_0b, Color::LightGreen),
    Shade::new(0xb9_9b_ff, 0x7e_57_c2, Color::LightMagenta),
    Shade::new(0x4f_b8_ec, 0x0e_7f_b5, Color::LightCyan),
    Shade::new(0xc9_8f_70, 0x8f_5a_3c, Color::Yellow),
    Shade::new(0xff_9b_b0, 0xd3_36_6c, Color::LightRed),
    Shade::new(0x6f_c3_81, 0x2f_6b_3a, Color::Green),
    Shade::new(0xe3_bd_3e, 0x9a_74_00, Color::LightYellow),
    Shade::new(0xa7_b6_c4, 0x51_60_6f, Color::Cyan),
];

pub(super) const OTHERS_DARK: Shade = Shade::new(0x59_63_6d, 0x59_63_6d, Color::DarkGray);
pub(super) const OTHERS_LIGHT: Shade = Shade::new(0xa3_a9_af, 0xa3_a9_af, Color::DarkGray);

/// FNV-1a over UTF-16, as `hash` of web/src/lib/colour.ts.
#[must_use]
pub fn hash(text: &str) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for unit in text.encode_utf16() {
        hash = (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193);
    }
    hash ^= hash >> 15;
    hash.wrapping_mul(0x2c1b_3c6d)
}

/// A key's own place in the palette.
pub(super) fn place(key: &str) -> usize {
    hash(key) as usize % PALETTE.len()
}

/// Places in the palette for `keys`, the largest first. Each gets that of its hash; where two in one
/// chart would have the same, the smaller one gives way.
pub fn places<'a>(keys: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let size = PALETTE.len();
    let mut taken = [false; PALETTE.len()];
    let mut free = size;
    let mut found = Vec::new();
    for key in keys {
        let mut at = place(key);
        while free > 0 && taken.get(at) == Some(&true) {
            // 5 and 11 have no common factor: every place is tried, and no neighbour first.
            at = (at + 5) % size;
        }
        if let Some(slot) = taken.get_mut(at)
            && !std::mem::replace(slot, true)
        {
            free -= 1;
        }
        found.push(at);
    }
    found
}

pub(super) fn shade(place: usize, _on_light: bool) -> Shade {
    PALETTE.get(place % PALETTE.len()).copied().unwrap_or(OTHERS_DARK)
}

/// The nearest of xterm's 256, those of the first sixteen left out: users change these.
fn nearest(red: u8, green: u8, blue: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let step = |value: u8| {
        let off = |at: &usize| STEPS.get(*at).map_or(u8::MAX, |it| it.abs_diff(value));
        let at = (0..STEPS.len()).min_by_key(off).unwrap_or(0);
        (u8::try_from(at).unwrap_or(0), STEPS.get(at).copied().unwrap_or(0))
    };
    let off = |r: u8, g: u8, b: u8| {
        let one = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        one(r, red) + one(g, green) + one(b, blue)
    };
    let ((r, r_is), (g, g_is), (b, b_is)) = (step(red), step(green), step(blue));
    let mean = (u16::from(red) + u16::from(green) + u16::from(blue)) / 3;
    let grey = u8::try_from((mean.saturating_sub(3) / 10).min(23)).unwrap_or(23);
    let grey_is = 8 + 10 * grey;
    if off(grey_is, grey_is, grey_is) < off(r_is, g_is, b_is) {
        232 + grey
    } else {
        16 + 36 * r + 6 * g + b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed by web/src/lib/colour.ts.
    #[test]
    fn a_thing_has_the_colour_that_it_has_in_the_dashboard() {
        for (key, hash_there, place_there) in [
            ("", 447_753_804_u32, 3),
            ("/usr/bin/curl", 3_579_604_651, 7),
            ("/usr/lib/firefox/firefox", 2_647_078_282, 2),
            ("(kernel)", 2_802_375_468, 2),
            ("/usr/bin/naïve", 2_510_342_729, 4),
            ("/opt/名/𝄞", 3_198_415_494, 10),
        ] {
            assert_eq!(hash(key), hash_there, "{key}");
            assert_eq!(place(key), place_there, "{key}");
        }
    }

    #[test]
    fn the_smaller_one_gives_way() {
        let keys: Vec<String> = (0..11).map(|n| format!("/bin/{n}")).collect();
        let mut found = places(keys.iter().map(String::as_str));
        assert_eq!(found.first().copied(), Some(place("/bin/0")));
        found.sort_unstable();
        assert_eq!(found, (0..11).collect::<Vec<_>>());
        assert_eq!(places(["a", "a"]).len(), 2);
        assert_eq!(places(keys.iter().chain(&keys).map(String::as_str)).len(), 22);
    }

    #[test]
    fn each_place_has_a_colour_of_its_own_in_every_depth() {
        for depth in [Depth::Sixteen, Depth::Indexed, Depth::True] {
            for light in [false, true] {
                let mut all: Vec<String> =
                    PALETTE.iter().map(|it| format!("{:?}", it.in_depth(depth, light))).collect();
                all.sort();
                all.dedup();
                assert_eq!(all.len(), PALETTE.len(), "{depth:?}");
            }
        }
    }

    #[test]
    fn colours_of_the_cube_are_themselves() {
        assert_eq!(nearest(255, 0, 0), 196);
        assert_eq!(nearest(95, 135, 175), 67);
        assert_eq!(nearest(128, 128, 128), 244);
        assert_eq!((nearest(0, 0, 0), nearest(255, 255, 255)), (16, 231));
    }
}
