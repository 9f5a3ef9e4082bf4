//! Who launched whom, as lines.

use femtosnitch_store::Node;
use femtosnitch_store::Sums;

/// Lines at most; what is smaller is counted.
const MOST: usize = 500;
/// However deep it is, what has no room is not seen.
const DEEPEST: usize = 40;

/// One run, or several of one program by one launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// For each level from the outermost on, whether more follow on it.
    pub(crate) levels: Vec<bool>,
    pub(crate) exe: String,
    /// What else is known of it, each as it is recorded.
    pub(crate) about: Vec<String>,
    /// With all that it launched.
    pub(crate) total: Sums,
}

/// The tree's lines, and how many nodes found no room.
pub(crate) fn lines(nodes: &[Node]) -> (Vec<Line>, usize) {
    let mut out = Vec::new();
    let mut levels = Vec::new();
    let left_out = add(nodes, &mut levels, &mut out);
    (out, left_out)
}

fn add(nodes: &[Node], levels: &mut Vec<bool>, out: &mut Vec<Line>) -> usize {
    let mut left_out = 0;
    for (at, node) in nodes.iter().enumerate() {
        if out.len() >= MOST || levels.len() >= DEEPEST {
            left_out += node.count();
            continue;
        }
        levels.push(at + 1 < nodes.len());
        out.push(Line {
            levels: levels.clone(),
            exe: if node.exe.is_empty() { node.name.clone() } else { node.exe.clone() },
            about: about(node),
            total: node.total,
        });
        left_out += add(&node.children, levels, out);
        levels.pop();
    }
    left_out
}

fn about(node: &Node) -> Vec<String> {
    let runs = (node.runs > 1).then(|| format!("{} runs", node.runs));
    let pid = node.pid.map(|pid| format!("pid {pid}"));
    let texts =
        [&node.user, &node.unit, &node.script].map(|text| (!text.is_empty()).then(|| text.clone()));
    runs.into_iter().chain(pid).chain(texts.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(exe: &str, children: Vec<Node>) -> Node {
        Node {
            exe: exe.to_owned(),
            name: String::new(),
            cmdline: String::new(),
            sha256: String::new(),
            script: String::new(),
            pid: Some(7),
            user: "root".to_owned(),
            login: String::new(),
            unit: String::new(),
            container: String::new(),
            launched: None,
            runs: 1,
            own: Sums::default(),
            total: Sums::default(),
            children,
        }
    }

    #[test]
    fn each_stands_below_its_launcher() {
        let tree = [
            node(
                "init",
                vec![node("sh", vec![node("curl", Vec::new())]), node("sshd", Vec::new())],
            ),
            node("other", Vec::new()),
        ];
        let (lines, left_out) = lines(&tree);
        let told: Vec<(&str, &[bool])> =
            lines.iter().map(|line| (line.exe.as_str(), line.levels.as_slice())).collect();
        assert_eq!(
            told,
            [
                ("init", &[true][..]),
                ("sh", &[true, true]),
                ("curl", &[true, true, false]),
                ("sshd", &[true, false]),
                ("other", &[false]),
            ]
        );
        assert_eq!(left_out, 0);
        assert_eq!(lines.first().map(|line| line.about.join(" ")), Some("pid 7 root".to_owned()));
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let wide = vec![node("x", Vec::new()); MOST + 3];
        assert_eq!(lines(&wide).1, 3);
        let mut deep = node("end", Vec::new());
        for _ in 0..DEEPEST + 4 {
            deep = node("step", vec![deep]);
        }
        let (lines, left_out) = lines(&[deep]);
        assert_eq!((lines.len(), left_out), (DEEPEST, 5));
    }
}
