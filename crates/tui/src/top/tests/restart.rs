//! A daemon's live socket that goes and comes back, from the socket to the screen.

use super::*;
use crate::feed::listen;
use crate::input::Inputs;
use femtosnitch_api::{Limits, LiveHandle, LiveServer};

#[test]
fn rates_after_a_restart_are_of_the_time_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.sock");
    let start = || LiveServer::start(&path, "1", Limits::default(), 0o600, None).unwrap();
    let publish = |server: &LiveHandle, time: f64, recv: u64| {
        let flow = Event::Flow(Box::new(flow("/usr/bin/curl", 77, 1, recv, 0)));
        server.publish(&[flow, Event::Tick { time, interval: 1.0, flows: 1, send: 0, recv }]);
    };
    let mut view = view((120, 40));
    let inputs = Inputs::new();
    let server = start();
    listen(&path, true, inputs.sender()).unwrap();
    let hear = |view: &mut View, until: &dyn Fn(&View) -> bool| {
        while !until(view) {
            view.update(inputs.next(None));
        }
    };
    hear(&mut view, &|view| view.link == Link::Up);
    for second in 0..10_u32 {
        while server.readers() == 0 {
            std::thread::yield_now();
        }
        publish(&server, f64::from(second), 1_000_000);
        let samples = view.model().samples;
        hear(&mut view, &|view| view.model().samples > samples);
    }
    assert_eq!(view.rows()[0].rates, [[Some(1_000_000.0), Some(0.0)]; 3]);
    server.stop();
    hear(&mut view, &|view| matches!(view.link, Link::Down(_)));
    assert_eq!(view.rows()[0].rates, [[Some(0.0); 2]; 3]);
    drop(server);
    let server = start();
    hear(&mut view, &|view| view.link == Link::Up);
    while server.readers() == 0 {
        std::thread::yield_now();
    }
    for second in 20..23_u32 {
        publish(&server, f64::from(second), 500);
        let samples = view.model().samples;
        hear(&mut view, &|view| view.model().samples > samples);
        assert_eq!(view.rows()[0].rates, [[Some(500.0), Some(0.0)]; 3]);
        assert!(text(&view).contains("↓ 500 B/s"), "{}", text(&view));
    }
    assert_eq!(view.rows()[0].total, [Some(10_001_500), Some(0)]);
}
