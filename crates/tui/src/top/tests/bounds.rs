//! Memory is bounded, what found no room is told, and no byte is lost.

use super::*;

#[test]
fn programs_beyond_the_bound_are_summed_up() {
    let mut view = view((120, 40));
    let flows = |from: u32, to: u32| -> Vec<FlowEvent> {
        (from..to).map(|n| flow(&format!("/bin/{n}"), n + 1, 1, 10, 1)).collect()
    };
    view.update(sample(1.0, flows(0, 5_000)));
    let model = view.model();
    assert_eq!(model.groups().len(), 4_097);
    let sum: u64 = model.groups().iter().map(|it| it.traffic.total.payload[0]).sum();
    assert_eq!(sum, 50_000);
    assert!(model.beyond.programs && text(&view).contains("too many programs"));
    assert!(view.rows().iter().any(|row| &*row.exe == OTHERS));
    view.update(sample(2.0, flows(5_000, 9_000)));
    assert!(view.model().processes().count() <= 8_192 + 4_097);
    assert!(view.model().beyond.processes);
    let rest: Vec<_> = view.model().processes().filter(|(_, it)| it.who.pid == 0).collect();
    assert!(!rest.is_empty() && rest.iter().all(|(_, it)| it.who.cmdline.is_empty()));
    let sum: u64 = view.model().groups().iter().map(|it| it.traffic.total.payload[0]).sum();
    assert_eq!(sum, 90_000);
    // Those that move nothing for a minute make room.
    for second in 0..70 {
        view.update(sample(3.0 + f64::from(second), Vec::new()));
    }
    view.update(Input::Feed(Feed::Up { version: "1".into() }));
    assert_eq!(view.model().groups().len(), 4_097);
}

#[test]
fn connections_beyond_the_bound_are_told() {
    let mut view = view((120, 40));
    let addr = |n: u32| Some((0x0a01_0000 + n).to_be_bytes().into());
    let flows: Vec<FlowEvent> = (0..20_000_u32)
        .map(|n| FlowEvent { raddr: addr(n), ..flow("/bin/a", 1, 1, 1, 1) })
        .collect();
    view.update(sample(1.0, flows));
    assert_eq!(view.model().connections().count(), 16_384);
    assert_eq!(view.model().beyond.connections, 20_000 - 16_384);
    assert!(text(&view).contains("3,616 that moved are not listed"), "{}", text(&view));
    let row = &view.rows()[0];
    assert_eq!((row.peers, row.more_peers, row.total[0]), (MOST_PEERS, true, Some(20_000)));
    assert!(text(&view).contains("1,024+"));
    // What is over makes room.
    let ended = (0..20_000_u32).map(|n| FlowEvent {
        raddr: addr(n),
        ended: 1,
        ..flow("/bin/a", 1, 1, 0, 0)
    });
    view.update(sample(2.0, ended.collect()));
    assert_eq!(view.model().connections().count(), 0);
    view.update(sample(3.0, vec![flow("/bin/a", 1, 1, 1, 1)]));
    assert_eq!((view.model().connections().count(), view.rows()[0].open), (1, 1));
}

#[test]
fn short_lived_processes_leave_their_bytes_and_nothing_else() {
    let mut view = view((120, 40));
    for second in 0..200_u32 {
        let ended = |n: u16| FlowEvent {
            begun: 1,
            ended: 1,
            lport: n,
            ..flow("/usr/bin/curl", second * 50 + u32::from(n) + 1, 1, 7, 1)
        };
        view.update(sample(f64::from(second), (0..50).map(ended).collect()));
    }
    assert!(view.model().processes().count() <= 4_096);
    assert!(view.rows()[0].processes <= 62 * 50);
    assert!(view.model().connections().count() <= 12 * 50);
    assert_eq!(view.rows()[0].total, [Some(70_000), Some(10_000)]);
}

#[test]
fn a_process_that_was_idle_keeps_its_sums() {
    let mut view = view((120, 40));
    press(&mut view, 'e');
    view.update(sample(0.0, vec![FlowEvent { ended: 1, ..flow("/bin/a", 7, 1, 1_000, 0) }]));
    for second in 1..100_u32 {
        view.update(sample(f64::from(second), Vec::new()));
    }
    view.update(sample(100.0, vec![flow("/bin/a", 7, 1, 5, 0), flow("/bin/b", 8, 1, 1, 0)]));
    let row = view.rows().iter().find(|row| row.pid == Some(7)).unwrap();
    assert_eq!((row.total, row.rates[0][0]), ([Some(1_005), Some(0)], Some(5.0)));
    let ended = FlowEvent { ended: 1, ..flow("/bin/a", 7, 1, 0, 0) };
    view.update(sample(101.0, vec![ended]));
    for second in 102..200_u32 {
        view.update(sample(f64::from(second), Vec::new()));
    }
    press(&mut view, 'e');
    let row = view.rows().iter().find(|row| &*row.exe == "/bin/a").unwrap();
    assert_eq!((row.processes, row.total[0]), (0, Some(1_005)), "none that does anything");
}

#[test]
fn what_did_not_arrive_is_said() {
    let mut view = view((120, 40));
    let sample =
        Sample { time: 1.0, interval: 1.0, missed: 1_234, total: (5, 500), ..Sample::default() };
    view.update(Input::Feed(Feed::Sample(Box::new(sample))));
    assert!(text(&view).contains("1,234 events did not reach this view"));
    // The daemon's own sum is right all the same.
    assert!(text(&view).contains("500 B/s"));
    // The end of a connection may have been among them: it is not taken for open for ever.
    let count = |view: &View| view.model().connections().count();
    view.update(super::sample(2.0, vec![flow("/bin/a", 1, 1, 1, 1)]));
    let sample = Sample { time: 3.0, interval: 1.0, missed: 1, ..Sample::default() };
    view.update(Input::Feed(Feed::Sample(Box::new(sample))));
    assert_eq!(count(&view), 1);
    view.update(super::sample(70.0, vec![flow("/bin/a", 1, 2, 1, 1)]));
    assert_eq!(count(&view), 1);
    view.update(super::sample(200.0, Vec::new()));
    assert_eq!(count(&view), 1, "it was heard of since");
}
