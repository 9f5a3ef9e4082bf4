//! What is judged of a scenario, and how it came out.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::ground::Truth;

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aspect {
    /// Right executable, digest and process for all bytes.
    Attribution,
    /// Application bytes sent by all processes.
    AppSend,
    /// Application bytes received by all processes.
    AppRecv,
    /// Bytes on the wire that the near side sent.
    WireSend,
    /// Bytes on the wire that the near side received.
    WireRecv,
    /// The same of the peer's process.
    PeerWireSend,
    /// The same of the peer's process.
    PeerWireRecv,
    /// Right addresses and ports.
    Peer,
    /// Connections begun and failed, by direction.
    Connections,
    /// Segments that the near side's TCP sent again.
    Repeated,
}

impl Aspect {
    /// All, with their column's heading.
    pub(crate) const ALL: [(Self, &'static str); 10] = [
        (Self::Attribution, "attribution"),
        (Self::AppSend, "app sent"),
        (Self::AppRecv, "app received"),
        (Self::WireSend, "wire sent"),
        (Self::WireRecv, "wire received"),
        (Self::PeerWireSend, "peer's wire sent"),
        (Self::PeerWireRecv, "peer's wire received"),
        (Self::Peer, "addresses"),
        (Self::Connections, "connections"),
        (Self::Repeated, "retransmitted"),
    ];

    /// Its column's heading.
    pub(crate) fn heading(self) -> &'static str {
        Self::ALL.iter().find(|(aspect, _)| *aspect == self).map_or("", |(_, heading)| heading)
    }
}

/// How one aspect came out.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    pub(crate) ok: bool,
    /// What the table shows: a ratio, or a word.
    pub(crate) shown: String,
    /// Exact numbers, where it is not as it should be.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
    /// Why it is known to differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<&'static str>,
}

impl Finding {
    /// Yes, or no with the reasons.
    pub(crate) fn of(wrong: &[String]) -> Self {
        let shown = if wrong.is_empty() { "right" } else { "wrong" };
        Self {
            ok: wrong.is_empty(),
            shown: shown.to_owned(),
            detail: wrong.join("; "),
            limit: None,
        }
    }

    /// A measured amount against the true one, which may differ by `tolerance` of it.
    pub(crate) fn ratio(got: Option<u64>, truth: u64, tolerance: f64) -> Self {
        let Some(got) = got else {
            let detail = format!("not measured, truth {truth}");
            return Self { ok: false, shown: "unknown".to_owned(), detail, limit: None };
        };
        #[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
        let (measured, real) = (got as f64, truth as f64);
        let ok = (measured - real).abs() <= real * tolerance;
        let shown = if truth == 0 {
            if got == 0 { "–".to_owned() } else { "∞".to_owned() }
        } else if got == truth {
            "1".to_owned()
        } else {
            format!("{:.4}", measured / real)
        };
        let signed = i128::from(got) - i128::from(truth);
        let detail =
            if got == truth { String::new() } else { format!("{got}/{truth} ({signed:+})") };
        Self { ok, shown, detail, limit: None }
    }
}

/// Bytes that one side moved.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Amounts {
    pub(crate) send: u64,
    pub(crate) recv: u64,
    /// `None` where nothing was measured.
    pub(crate) wire_send: Option<u64>,
    /// `None` where nothing was measured.
    pub(crate) wire_recv: Option<u64>,
}

/// A scenario that ran.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Judged {
    pub(crate) findings: BTreeMap<Aspect, Finding>,
    /// What femtosnitch says of the near side, and of the peer.
    pub(crate) near: Amounts,
    pub(crate) peer: Amounts,
    /// The truth of the near side: its processes (none over loopback), application bytes and
    /// bytes of Ethernet frames, sent and received.
    pub(crate) near_pids: BTreeSet<u64>,
    pub(crate) near_app: [u64; 2],
    pub(crate) near_frames: [u64; 2],
    pub(crate) truth: Truth,
}

/// How a scenario came out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Judged(Box<Judged>),
    /// This kernel, or this machine, cannot.
    Unsupported(String),
    /// The generator or the lab failed.
    Broken(String),
}

/// One line of the scoreboard.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) outcome: Outcome,
}

impl Line {
    /// What must not be: differences that are not known limits, limits that are none.
    pub(crate) fn failures(&self) -> Vec<String> {
        match &self.outcome {
            Outcome::Unsupported(_) => Vec::new(),
            Outcome::Broken(why) => vec![format!("broken: {why}")],
            Outcome::Judged(judged) => judged
                .findings
                .iter()
                .filter_map(|(aspect, finding)| match (finding.ok, finding.limit) {
                    (false, None) => {
                        Some(format!("{}: {} {}", aspect.heading(), finding.shown, finding.detail))
                    }
                    (true, Some(why)) => Some(format!(
                        "{}: right, though declared as a limit ({why}): remove it",
                        aspect.heading()
                    )),
                    _ => None,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_have_a_tolerance_and_no_more() {
        assert!(Finding::ratio(Some(101), 100, 0.01).ok);
        assert!(Finding::ratio(Some(99), 100, 0.01).ok);
        assert!(!Finding::ratio(Some(98), 100, 0.01).ok);
        assert!(!Finding::ratio(Some(101), 100, 0.0).ok);
        assert!(Finding::ratio(Some(0), 0, 0.0).ok);
        assert!(!Finding::ratio(Some(1), 0, 0.01).ok);
        assert!(!Finding::ratio(None, 5, 0.01).ok);
        assert_eq!(Finding::ratio(Some(150), 100, 0.0).shown, "1.5000");
    }

    #[test]
    fn a_limit_that_is_none_fails() {
        let judged = |ok, limit| {
            let finding = Finding { ok, shown: String::new(), detail: String::new(), limit };
            Line {
                name: String::new(),
                about: String::new(),
                outcome: Outcome::Judged(Box::new(Judged {
                    findings: BTreeMap::from([(Aspect::Peer, finding)]),
                    near: Amounts::default(),
                    peer: Amounts::default(),
                    near_pids: BTreeSet::new(),
                    near_app: [0; 2],
                    near_frames: [0; 2],
                    truth: Truth::default(),
                })),
            }
        };
        assert!(judged(true, None).failures().is_empty());
        assert!(judged(false, Some("why")).failures().is_empty());
        assert_eq!(judged(false, None).failures().len(), 1);
        assert_eq!(judged(true, Some("why")).failures().len(), 1);
    }
}
