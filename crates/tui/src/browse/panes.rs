//! The sides of a thing, each a list: whom it talked to, what it is, what happened to it, who
//! launched it.

use femtosnitch_store::Breakdown;
use femtosnitch_store::Dimension;
use femtosnitch_store::Event;
use ratatui::layout::Rect;

use super::page::Page;
use super::page::first_key;
use super::page::text_of;
use super::tree;

/// One list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pane {
    /// A breakdown.
    Side(Dimension),
    /// Contents that were seen at the path.
    Contents,
    /// Events of the program.
    Happened,
    /// Who launched it.
    Lineage,
}

/// What keys act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Value(Dimension, String),
    Digest(String),
    Event(Box<Event>),
    /// A line of a report about the system.
    Text(String),
}

/// The lists of a page that has some, in the order of their keys.
pub(crate) fn of(page: &Page) -> Vec<Pane> {
    let mut panes = Vec::new();
    if let Some(detail) = &page.known.detail {
        // Nothing ran in a container: that is no side of it.
        let tells = |side: &Breakdown| {
            side.by != Dimension::Ctname
                || side
                    .answers
                    .iter()
                    .any(|it| first_key(it).is_some_and(|key| !text_of(key).is_empty()))
        };
        let sides = detail.breakdowns.iter().filter(|side| tells(side));
        panes.extend(sides.map(|side| Pane::Side(side.by)));
    }
    if page.known.program.is_some() {
        panes.push(Pane::Contents);
    }
    let is_thing = !panes.is_empty();
    if is_thing && page.known.events.is_some() {
        panes.push(Pane::Happened);
    }
    if page.known.tree.is_some() {
        panes.push(Pane::Lineage);
    }
    panes
}

/// The place of the list with the keys among `all`: the first, if the one that had them is not
/// there (any more).
pub(crate) fn focus(page: &Page, all: &[Pane]) -> usize {
    all.iter().position(|pane| Some(*pane) == page.pane).unwrap_or(0)
}

/// The breakdown that a pane shows.
pub(crate) fn side(page: &Page, pane: Pane) -> Option<&Breakdown> {
    match pane {
        Pane::Side(by) => page.known.detail.as_ref()?.breakdowns.iter().find(|side| side.by == by),
        _ => None,
    }
}

/// Lines of a pane.
pub(crate) fn len(page: &Page, pane: Pane) -> usize {
    let known = &page.known;
    match pane {
        Pane::Side(_) => side(page, pane).map_or(0, |side| side.answers.len()),
        Pane::Contents => known.program.as_ref().map_or(0, |program| program.versions.len()),
        Pane::Happened => known.events.as_ref().map_or(0, Vec::len),
        Pane::Lineage => known.tree.as_ref().map_or(0, |nodes| tree::lines(nodes).0.len()),
    }
}

/// What is at a line of a pane.
pub(crate) fn target(page: &Page, pane: Pane, at: usize) -> Option<Target> {
    let known = &page.known;
    match pane {
        Pane::Side(_) => {
            let side = side(page, pane)?;
            let key = side.answers.get(at).and_then(first_key)?;
            Some(Target::Value(side.by, text_of(key)))
        }
        Pane::Contents => {
            let version = known.program.as_ref()?.versions.get(at)?;
            Some(Target::Digest(version.sha256.clone()))
        }
        Pane::Happened => {
            known.events.as_ref()?.get(at).map(|event| Target::Event(Box::new(event.clone())))
        }
        Pane::Lineage => {
            let line = tree::lines(known.tree.as_ref()?).0.into_iter().nth(at)?;
            Some(Target::Value(Dimension::Exe, line.exe))
        }
    }
}

/// For each line of a pane whether `target` is at it.
pub(crate) fn same(page: &Page, pane: Pane, target: &Target) -> Vec<bool> {
    let known = &page.known;
    let lines: Option<Vec<bool>> = match (pane, target) {
        (Pane::Side(_), Target::Value(_, value)) => side(page, pane).map(|side| {
            let key = |answer| first_key(answer).map(text_of);
            side.answers.iter().map(|answer| key(answer).as_ref() == Some(value)).collect()
        }),
        (Pane::Contents, Target::Digest(digest)) => known
            .program
            .as_ref()
            .map(|program| program.versions.iter().map(|it| it.sha256 == *digest).collect()),
        (Pane::Happened, Target::Event(event)) => {
            known.events.as_ref().map(|events| events.iter().map(|it| *it == **event).collect())
        }
        (Pane::Lineage, Target::Value(_, exe)) => known
            .tree
            .as_ref()
            .map(|nodes| tree::lines(nodes).0.iter().map(|line| line.exe == *exe).collect()),
        _ => None,
    };
    lines.unwrap_or_default()
}

/// What a pane is called.
pub(crate) fn title(page: &Page, pane: Pane, ascii: bool) -> String {
    match pane {
        Pane::Side(_) => side(page, pane)
            .map_or_else(String::new, |side| super::words::title_in(side.by, ascii).to_owned()),
        Pane::Contents => "Contents".to_owned(),
        Pane::Happened => "Events".to_owned(),
        Pane::Lineage => "Launched by".to_owned(),
    }
}

/// Lines that a list beside others has, its title and an empty line included.
const TALL: u16 = 11;
/// Columns that a list beside others has at least.
const WIDE: u16 = 56;

/// Where lists are: side by side where there is room, and as many rows of them as fit, that with
/// the keys among them; else that one alone, under the titles of all. The first line of each is for
/// titles.
pub(crate) fn places(area: Rect, count: usize, focus: usize) -> Vec<(usize, Rect)> {
    let columns = usize::from(area.width / WIDE).clamp(1, 3).min(count.max(1));
    if columns == 1 {
        return if count == 0 { Vec::new() } else { vec![(focus.min(count - 1), area)] };
    }
    let rows = count.div_ceil(columns);
    let fit = usize::from(area.height / TALL).clamp(1, rows.max(1));
    let first = (focus / columns).saturating_sub(fit - 1).min(rows - fit);
    let size = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let (width, height) = (area.width / size(columns), area.height / size(fit));
    let mut places = Vec::new();
    for at in first * columns..count.min((first + fit) * columns) {
        let (row, column) = (at / columns - first, at % columns);
        // Two cells of air between, and an empty line below.
        places.push((
            at,
            Rect {
                x: area.x + width * size(column),
                y: area.y + height * size(row),
                width: width.saturating_sub(2),
                height: height.saturating_sub(1).max(1),
            },
        ));
    }
    places
}

/// Whether lists stand side by side.
pub(crate) fn is_grid(area: Rect, count: usize) -> bool {
    usize::from(area.width / WIDE).min(count) > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_list_alone_where_there_is_little_room() {
        let area = Rect::new(0, 5, 80, 12);
        assert_eq!(places(area, 6, 4), [(4, area)]);
        assert!(places(area, 0, 0).is_empty());
        assert!(!is_grid(area, 6));
    }

    #[test]
    fn the_list_with_the_keys_is_always_among_those_that_are_shown() {
        for (width, height) in [(112, 11), (120, 30), (200, 24), (300, 80), (168, 3)] {
            let area = Rect::new(0, 0, width, height);
            for count in 1..10 {
                for focus in 0..count {
                    let places = places(area, count, focus);
                    assert!(places.iter().any(|(at, _)| *at == focus), "{width} {count} {focus}");
                    for (_, place) in &places {
                        assert!(area.union(*place) == area, "{place:?}");
                    }
                }
            }
        }
    }
}
