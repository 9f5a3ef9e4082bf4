//! The table of the other tools: near side only, each against the truth of its own layer.

use crate::peers::Layer;
use crate::peers::Sight;
use crate::peers::Sights;
use crate::scoreboard;
use crate::verdict::Aspect;
use crate::verdict::Line;
use crate::verdict::Outcome;

/// A tool that has watched, or why it could not.
pub(crate) type Seen = (&'static str, Layer, Result<Sights, String>);

/// One line per scenario over the cable that moved bytes; empty without tools.
pub(crate) fn table(lines: &[Line], tools: &[Seen]) -> String {
    if tools.is_empty() {
        return String::new();
    }
    let mut heading = vec!["near side".to_owned()];
    let columns = ["femtosnitch, app", "femtosnitch, wire"].map(str::to_owned);
    heading.extend(columns.into_iter().chain(tools.iter().filter_map(|(name, layer, seen)| {
        let layer = match layer {
            Layer::Frames => "frames",
            Layer::TcpKib => "app, TCP, KiB",
        };
        seen.is_ok().then(|| format!("{name}, {layer}"))
    })));
    let mut rows = vec![heading];
    for line in lines {
        let Outcome::Judged(judged) = &line.outcome else { continue };
        if judged.near_pids.is_empty() {
            continue;
        }
        let shown =
            |aspect| judged.findings.get(&aspect).map_or("–", |finding| finding.shown.as_str());
        let named = judged.findings.get(&Aspect::Attribution).is_some_and(|finding| finding.ok);
        let named = if named { "named" } else { "not named" };
        let pair =
            |[one, other]: [Aspect; 2]| format!("{} / {}, {named}", shown(one), shown(other));
        let mut cells = vec![
            line.name.clone(),
            pair([Aspect::AppSend, Aspect::AppRecv]),
            pair([Aspect::WireSend, Aspect::WireRecv]),
        ];
        for (_name, layer, seen) in tools {
            let Ok(sights) = seen else { continue };
            let truth = match layer {
                Layer::Frames => judged.near_frames,
                Layer::TcpKib => judged.near_app,
            };
            let near = judged.near_pids.iter().filter_map(|pid| sights.get(pid));
            cells.push(cell(near, truth));
        }
        rows.push(cells);
    }
    let mut text = scoreboard::aligned(&rows);
    for (name, _layer, seen) in tools {
        if let Err(why) = seen {
            text += &format!("\n{name}: not here: {why}\n");
        }
    }
    text
}

fn cell<'a>(near: impl Iterator<Item = &'a Sight>, [sent, received]: [u64; 2]) -> String {
    let sum = near.fold(None, |sum: Option<(f64, f64)>, sight| {
        let (one, other) = sum.unwrap_or_default();
        Some((one + sight.sent, other + sight.received))
    });
    let Some((got_sent, got_received)) = sum else { return "not named".to_owned() };
    #[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
    let ratio = |got: f64, truth: u64| match truth {
        0 if got == 0.0 => "–".to_owned(),
        0 => "∞".to_owned(),
        _ => format!("{:.4}", got / truth as f64),
    };
    format!("{} / {}, named", ratio(got_sent, sent), ratio(got_received, received))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sights_of_several_processes_add_up() {
        let sight = |sent, received| Sight { name: String::new(), sent, received };
        let (one, other) = (sight(60.0, 0.0), sight(35.0, 0.0));
        assert_eq!(cell([&one, &other].into_iter(), [100, 0]), "0.9500 / –, named");
        assert_eq!(cell([].into_iter(), [100, 0]), "not named");
    }
}
