//! The processes that moved the bytes, as a tree.

use std::io::{self, BufWriter, Write};

use femtosnitch_store::{Node, keep_largest};

use super::{TABLE_LINES, print};
use crate::cli::QueryFormat;
use crate::text::{Branches, Column, Style, Table, bytes, count, terminal_width};

/// Digits of a digest that tell two contents of a program apart.
const DIGEST: usize = 12;

/// Prints it on standard output; `limit` leaves the largest nodes of a table.
pub(super) fn show(
    format: QueryFormat,
    mut nodes: Vec<Node>,
    limit: Option<usize>,
) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if format != QueryFormat::Table {
        print::array(&mut out, &nodes)?;
        return out.flush();
    }
    // Before the small ones go, whose traffic their launchers keep.
    let total = total(&nodes);
    let left_out = keep_largest(&mut nodes, limit.unwrap_or(TABLE_LINES));
    let table = table(&nodes, total, Branches::for_locale(), terminal_width());
    out.write_all(table.render(Style::for_stdout()).as_bytes())?;
    if left_out > 0 {
        writeln!(
            out,
            "and {} more, in the total; --limit shows more lines",
            count(left_out as u64)
        )?;
    }
    out.flush()
}

fn total(nodes: &[Node]) -> [u64; 2] {
    nodes.iter().fold([0, 0], |[sent, received], node| {
        [sent.saturating_add(node.total.send), received.saturating_add(node.total.recv)]
    })
}

/// For people. What each moved itself is left out where there is no room for it.
fn table(nodes: &[Node], total: [u64; 2], branches: Branches, width: Option<usize>) -> Table {
    let mut table = shaped(nodes, total, branches, true);
    table.fit(width);
    if table.overflows() {
        table = shaped(nodes, total, branches, false);
        table.fit(width);
    }
    table
}

fn shaped(nodes: &[Node], total: [u64; 2], branches: Branches, own: bool) -> Table {
    let titles: &[&str] = if own {
        &["sent", "received", "itself sent", "itself received", "runs"]
    } else {
        &["sent", "received", "runs"]
    };
    let mut columns: Vec<Column> = titles.iter().map(|title| Column::number(title)).collect();
    columns.push(Column::text("program"));
    let mut lines = Lines { table: Table::new(columns), branches, own, levels: Vec::new() };
    lines.add(nodes, None);
    let mut table = lines.table;
    let mut last: Vec<String> = total.map(bytes).to_vec();
    last.resize(titles.len(), String::new());
    last.push("total".to_owned());
    table.total(last);
    table
}

struct Lines {
    table: Table,
    branches: Branches,
    own: bool,
    /// For each level, whether more entries follow.
    levels: Vec<bool>,
}

impl Lines {
    fn add(&mut self, nodes: &[Node], parent: Option<&Node>) {
        for (at, node) in nodes.iter().enumerate() {
            self.levels.push(at + 1 < nodes.len());
            let mut cells = vec![bytes(node.total.send), bytes(node.total.recv)];
            if self.own {
                cells.extend([bytes(node.own.send), bytes(node.own.recv)]);
            }
            cells.push(if node.runs == 0 { "-".to_owned() } else { count(node.runs) });
            // Two of one path differ in something; if in their contents, that is told.
            let twin = nodes.iter().any(|it| it.exe == node.exe && it.sha256 != node.sha256);
            let before = self.branches.before(&self.levels);
            cells.push(format!("{before}{}", program(node, parent, twin)));
            self.table.row(cells);
            self.add(&node.children, Some(node));
            self.levels.pop();
        }
    }
}

/// What runs, and what is different from the launcher.
fn program(node: &Node, parent: Option<&Node>, twin: bool) -> String {
    let mut details = Vec::new();
    if let Some(pid) = node.pid {
        details.push(format!("pid {pid}"));
    }
    let mut differs = |what: &str, own: &str, of: fn(&Node) -> &str| {
        if !own.is_empty() && parent.is_none_or(|parent| of(parent) != own) {
            details.push(format!("{what} {own}"));
        }
    };
    differs("user", &node.user, |node| &node.user);
    if node.login != node.user {
        differs("login", &node.login, |node| &node.login);
    }
    differs("unit", &node.unit, |node| &node.unit);
    differs("container", &node.container, |node| &node.container);
    if twin {
        details.push(short(&node.sha256));
    }
    let script = if node.script.is_empty() { "" } else { " " };
    let mut text = format!("{}{script}{}", node.exe, node.script);
    if !details.is_empty() {
        text.push_str(&format!(" ({})", details.join(", ")));
    }
    text
}

/// Enough of a digest to tell it from others; a bracketed reason as it is.
pub(super) fn short(sha256: &str) -> String {
    match sha256.get(..DIGEST) {
        Some(begin) if !sha256.starts_with('(') => format!("{begin}…"),
        _ => sha256.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use femtosnitch_store::Sums;

    use super::*;

    fn node(exe: &str, sha256: &str, runs: u64, send: [u64; 2], children: Vec<Node>) -> Node {
        let sums = |send| Sums { send, ..Sums::default() };
        Node {
            exe: exe.into(),
            name: String::new(),
            cmdline: String::new(),
            sha256: sha256.repeat(32),
            script: String::new(),
            pid: (runs == 1).then_some(42),
            user: "root".into(),
            login: String::new(),
            unit: "a.service".into(),
            container: String::new(),
            launched: Some(0),
            runs,
            own: sums(send[0]),
            total: sums(send[1]),
            children,
        }
    }

    fn forest() -> Vec<Node> {
        let mut curl = node("/usr/bin/curl", "ab", 1, [5, 5], vec![]);
        (curl.user, curl.login, curl.script) = ("bob".into(), "eve".into(), "/x\u{1b}[2J".into());
        let other = node("/usr/bin/curl", "cd", 3, [1, 1], vec![]);
        let shell = node("/bin/sh", "00", 2, [0, 6], vec![curl, other]);
        let mut many = node("/bin/many", "00", 0, [2, 2], vec![]);
        (many.user, many.unit) = (String::new(), String::new());
        let mut boxed = node("/bin/box", "00", 1, [1024, 1024], vec![]);
        (boxed.unit, boxed.container) = (String::new(), "c0ffee".into());
        vec![node("/sbin/init", "00", 1, [0, 1030], vec![boxed, shell]), many]
    }

    #[test]
    fn a_line_tells_what_differs_from_the_launcher() {
        let nodes = forest();
        let drawn = table(&nodes, total(&nodes), Branches::LINES, None);
        assert_eq!(
            drawn.render(Style::plain()),
            "   sent  received  itself sent  itself received  runs  program\n\
             1.0 KiB       0 B          0 B              0 B     1  /sbin/init (pid 42, user root, unit a.service)\n\
             1.0 KiB       0 B      1.0 KiB              0 B     1  ├─ /bin/box (pid 42, container c0ffee)\n    \
                 6 B       0 B          0 B              0 B     2  └─ /bin/sh\n    \
                 5 B       0 B          5 B              0 B     1     ├─ /usr/bin/curl /x\u{fffd}[2J (pid 42, user bob, login eve, abababababab…)\n    \
                 1 B       0 B          1 B              0 B     3     └─ /usr/bin/curl (cdcdcdcdcdcd…)\n    \
                 2 B       0 B          2 B              0 B     -  /bin/many\n\
             1.0 KiB       0 B                                      total\n"
        );
    }

    #[test]
    fn a_narrow_terminal_shows_sums_and_programs() {
        let nodes = forest();
        let drawn = table(&nodes, total(&nodes), Branches::ASCII, Some(60));
        let text = drawn.render(Style::plain());
        assert!(!text.contains("itself") || text.lines().all(|line| line.chars().count() <= 60));
        let text = table(&nodes, total(&nodes), Branches::ASCII, Some(40)).render(Style::plain());
        assert!(!text.contains("itself") && text.contains("`- /bin/sh"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }

    #[test]
    fn digests_are_shortened_and_reasons_are_not() {
        assert_eq!(short(&"ab".repeat(32)), "abababababab…");
        assert_eq!(short("(interrupted by)"), "(interrupted by)");
        assert_eq!(short("é".repeat(9).as_str()), format!("{}…", "é".repeat(6)));
        assert_eq!(short(""), "");
    }
}
