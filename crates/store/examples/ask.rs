//! scratch
#![allow(clippy::all)]
use femtosnitch_store::*;
fn cpu() -> u64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let reader = Reader::open(std::path::Path::new(&args[1])).unwrap();
    let stats = reader.stats().unwrap();
    let newest = stats.newest.unwrap();
    for spec in &args[2..] {
        let mut parts = spec.split('@');
        let by = parts.next().unwrap();
        let days: i64 = parts.next().unwrap_or("30").parse().unwrap();
        let filters = parts.map(|f| f.parse().unwrap()).collect();
        let query = Query {
            since: Some(newest - days * 86400),
            until: None,
            by: by.split(',').filter(|x| !x.is_empty()).map(|x| x.parse().unwrap()).collect(),
            filters,
            limit: Some(50),
        };
        let mut times = Vec::new();
        for _ in 0..5 {
            let s = cpu();
            let _r = reader.report(&query, None, &NoUsers, &Cancel::default()).unwrap();
            times.push((cpu() - s) as f64 / 1e6);
        }
        let s = cpu();
        let r = reader.report(&query, Some(Bucket::Auto), &NoUsers, &Cancel::default()).unwrap();
        let ser = (cpu() - s) as f64 / 1e6;
        times.sort_by(|a, b| a.partial_cmp(b).unwrap());
        println!(
            "{spec}: min {:.1} med {:.1} ms; with series {ser:.1}; groups {}",
            times[0],
            times[2],
            r.others.groups + r.answers.len() as u64
        );
    }
}
