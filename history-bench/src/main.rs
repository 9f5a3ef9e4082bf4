//! `femtosnitch-history-bench`: makes months of realistic history and measures what it costs.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line tool talks there")]
use femtosnitch_history_bench::{census::Census, generator::{Generator, Shape}};
fn main() {
    let rows = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(10_000_000);
    let mut g = Generator::new(Shape::month(rows, 30));
    let mut c = Census::default();
    let t = std::time::Instant::now();
    let (mut n, mut b) = (0, 0u64);
    let plain = std::env::args().nth(2).is_some();
    for batch in g.by_ref() { for row in &batch.rows { n += 1; b += row.send + row.recv; if !plain {c.count(row)} } }
    eprintln!("{n} rows {b} bytes in {:?}, {} runs", t.elapsed(), g.runs());
    println!("{} runs\n{}", g.runs(), c.table());
}
