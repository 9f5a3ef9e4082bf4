//! The whole benchmark, with little history.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::time::Duration;

use femtosnitch_history_bench::ask::Messenger;
use femtosnitch_history_bench::ask::Rounds;
use femtosnitch_history_bench::bench;
use femtosnitch_history_bench::bench::Plan;
use femtosnitch_history_bench::generator::Shape;
use femtosnitch_history_bench::report;

#[test]
fn everything_is_measured_and_both_databases_agree() {
    let directory = tempfile::tempdir().unwrap();
    let shape = Shape { interval: 3_600, batches: 30 * 24, ..Shape::month(20_000, 30) };
    let plan = Plan {
        shape,
        directory: directory.path().to_path_buf(),
        reference: true,
        // Each dimension once, the spans in turn.
        every: 5,
        step_rows: 2_000,
        messenger: Messenger {
            program: PathBuf::from(env!("CARGO_BIN_EXE_femtosnitch-history-bench")),
            rounds: Rounds { most: 1, patience: Duration::ZERO },
        },
    };
    // Fails where totals differ.
    let results = bench::run(&plan, &|_| {}).unwrap();
    assert_eq!(results.totals.0, shape.rows);
    assert!(results.totals.1 > 0 && results.totals.2 > 0);
    let tables: u64 = results.size.tables.iter().map(|(_, bytes)| bytes).sum();
    assert!(tables > 0 && tables <= results.size.bytes);
    assert!(results.purging.rows > shape.rows / 2, "{:?}", results.purging);
    let lines = results.parts.iter().flat_map(|part| &part.lines);
    // In the last hour there may be nothing from that network.
    let unanswered = lines.clone().filter(|it| it.measured.answers == 0);
    assert!(unanswered.clone().all(|it| it.question.span != "30 d"), "{unanswered:?}");
    assert!(lines.clone().all(|it| it.measured.times_ms.len() == 1 && it.measured.peak_kib > 0));
    // Both count the same programs.
    let exe = results.compared.first().unwrap();
    assert_eq!(exe.theirs.question.title(), exe.ours.question.title());
    assert_eq!(exe.theirs.measured.answers.min(100), exe.ours.measured.answers);
    let text = report::text(&results);
    assert!(
        text.contains("| bytes a row |") && text.contains("### Beside the reference"),
        "{text}"
    );

    // What is there is used again.
    let again = femtosnitch_history_bench::load::Files::new(directory.path());
    assert_eq!(again.load(shape, true).unwrap().0, results.loaded);
}
