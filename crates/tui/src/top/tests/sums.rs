//! What is added up.

use super::*;

#[test]
fn programs_have_rates_totals_connections_and_peers() {
    let mut view = view((120, 40));
    busy(&mut view);
    assert_eq!(names(&view), ["curl", "firefox", "sshd", "python3.13"]);
    let curl = &view.rows()[0];
    assert_eq!(curl.rates[0], [Some(13_000_000.0), Some(1_200.0)]);
    assert_eq!(curl.rates[2], curl.rates[0], "as far as was seen");
    assert_eq!(curl.total, [Some(65_000_000), Some(6_000)]);
    assert_eq!((curl.open, curl.peers, curl.processes), (1, 1, 1));
    let firefox = &view.rows()[1];
    assert_eq!(firefox.rates[0], [Some(1_600_000.0), Some(30_000.0)]);
    assert_eq!(firefox.rates[1], [Some(800_000.0), Some(30_000.0)]);
    assert_eq!((firefox.open, firefox.peers), (1, 2));
    let sshd = &view.rows()[2];
    assert_eq!((sshd.open, sshd.processes), (1, 2), "a socket that waits is no connection");
    let python = &view.rows()[3];
    assert_eq!(python.badges, [Badge::Container, Badge::Script]);
}

#[test]
fn connections_say_all_that_is_known_of_them() {
    let mut view = view((120, 40));
    busy(&mut view);
    let [curl] = view.peers() else { panic!("{:?}", view.peers()) };
    assert_eq!((curl.name().as_str(), &*curl.country), ("downloads.example.org", "DE"));
    assert_eq!((curl.age, curl.older, curl.state), (4, false, State::Open));
    assert_eq!((curl.rtt_us, curl.rates[0]), (Some(23_400), Some(13_000_000.0)));
    press(&mut view, 'j');
    assert_eq!(selected(&view), "/opt/firefox/firefox");
    let states: Vec<_> = view.peers().iter().map(|it| (it.state.name(), it.older)).collect();
    assert_eq!(states, [("open", true), ("refused", false)]);
}

#[test]
fn a_switch_to_the_wire_tells_what_is_on_the_wire() {
    let mut view = view((120, 40));
    busy(&mut view);
    press(&mut view, 'w');
    assert_eq!(view.rows()[0].rates[0], [Some(13_000_052.0), Some(1_252.0)]);
    assert_eq!(view.peers()[0].total, [Some(65_000_260), Some(6_260)]);
    let unmeasured = FlowEvent { wire_recv: None, wire_send: None, ..flow("/bin/x", 5, 9, 1, 1) };
    view.update(sample(1_005.0, vec![unmeasured]));
    let row = view.rows().iter().find(|row| &*row.exe == "/bin/x").unwrap();
    assert_eq!((row.rates[0], row.total), ([None; 2], [None; 2]));
}

#[test]
fn a_tree_sums_up_what_is_below() {
    let mut view = view((120, 40));
    busy(&mut view);
    press(&mut view, 't');
    assert_eq!(
        names(&view),
        ["sshd", "bash", "curl", "firefox", "systemd", "sshd", "containerd-shim", "python3.13"]
    );
    let rows = view.rows();
    assert_eq!(rows[1].total, [Some(69_000_000), Some(156_000)]);
    assert_eq!((rows[1].open, rows[1].peers), (2, 3));
    assert_eq!(rows[3].levels, [true, false, false]);
    assert!(rows[0].who.is_none() && rows[2].who.is_some());
    press(&mut view, 'e');
    assert_eq!(view.rows().iter().filter(|row| row.pid.is_some()).count(), 5);
}

#[test]
fn what_is_quiet_has_no_rates_and_keeps_its_sums() {
    let mut view = view((120, 40));
    busy(&mut view);
    view.update(Input::Tick);
    assert_eq!(view.rows()[0].rates, [[Some(0.0); 2]; 3]);
    assert_eq!(view.rows()[0].total, [Some(65_000_000), Some(6_000)]);
    assert_eq!(view.peers()[0].rates[0], Some(0.0));
    // Nothing of the time before counts when it goes on.
    view.update(sample(1_020.0, vec![flow("/usr/bin/curl", 77, 1, 5, 5)]));
    let curl = view.rows().iter().find(|row| &*row.exe == "/usr/bin/curl").unwrap();
    assert_eq!(curl.rates, [[Some(5.0), Some(5.0)]; 3]);
    let clock = view.model().clock();
    let mut bars = vec![[0.0; 2]; clock.samples().count()];
    view.model().all().bars(clock, false, &mut bars);
    assert_eq!(bars, [[5.0, 5.0]]);
}

#[test]
fn scripts_get_sums_by_executable() {
    let mut view = view((120, 40));
    busy(&mut view);
    let other = FlowEvent { pexe: "/bin/sh".into(), ..flow("/usr/bin/curl", 90, 7, 1, 1) };
    view.update(sample(1_005.0, vec![other]));
    let all = executables(view.model(), &News::default());
    let curl = all.iter().find(|it| it.exe == "/usr/bin/curl").unwrap();
    assert_eq!(curl.total.payload, [65_000_001, 6_001]);
    assert_eq!((curl.connections, curl.peers), (2, 2));
    assert_eq!(all.len(), 4);
}

#[test]
fn warnings_go_with_what_they_warn_of() {
    let mut view = view((120, 40));
    let status = |warnings: &[&str]| {
        let warnings = warnings.iter().map(|text| (*text).to_owned()).collect();
        Input::Feed(Feed::Status(Box::new(Status { warnings, ..Status::default() })))
    };
    view.update(Input::Feed(Feed::Warning("the disk is full".into())));
    assert!(view.update(status(&["the disk is full", "no geoip"])).0);
    assert_eq!(text(&view).matches("the disk is full").count(), 1);
    assert!(view.update(status(&["no geoip"])).0 && !text(&view).contains("full"));
    view.update(Input::Feed(Feed::Down("the daemon ended".into())));
    assert!(view.update(Input::Feed(Feed::Up { version: "2".into() })).0);
    assert!(!text(&view).contains("no geoip"));
}

#[test]
fn connections_of_a_daemon_that_went_are_forgotten_when_it_is_back() {
    let mut view = view((120, 40));
    busy(&mut view);
    view.update(Input::Feed(Feed::Down("the daemon ended".into())));
    assert!(text(&view).contains("the daemon ended; it is looked for every second"));
    assert_eq!(view.rows()[0].rates[0], [Some(0.0); 2]);
    view.update(Input::Feed(Feed::Up { version: "2".into() }));
    assert!(text(&view).contains("the daemon is back"));
    assert_eq!((view.rows().iter().map(|row| row.open).sum::<u32>(), view.peers().len()), (0, 0));
    view.update(sample(1_020.0, vec![flow("/usr/bin/curl", 77, 1, 5, 5)]));
    assert_eq!(view.rows().iter().map(|row| row.open).sum::<u32>(), 1);
    assert_eq!(view.rows()[0].total, [Some(65_000_005), Some(6_005)]);
    assert_eq!(view.rows()[0].rates[0], [Some(5.0), Some(5.0)]);
    for second in 0..6 {
        view.update(sample(1_021.0 + f64::from(second), Vec::new()));
    }
    assert!(!text(&view).contains("the daemon is back"));
}
