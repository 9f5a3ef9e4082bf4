//! The daemon's live feed as inputs: one sample a time, not one flow, so that a view wakes up once.

mod flow;
mod warnings;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use femtosnitch_api::{ClientError, Event, LiveClient, Status};

use crate::input::Input;

pub use flow::{Direction, End, Flow, Reader, Who};
pub use warnings::Warnings;

/// How often a daemon that is away is looked for.
const RETRY: Duration = Duration::from_secs(1);
/// Seconds that a sample is of, at least: samples of a daemon that looks more often are put together.
const SPAN: f64 = 0.95;
/// Flows of one sample that are handed on.
const MOST: usize = 32_768;

/// What the daemon said.
#[derive(Debug)]
pub enum Feed {
    /// There is a daemon, of this version.
    Up {
        /// Its version.
        version: String,
    },
    /// There is none any more, or none yet, and why. It is looked for from then on.
    Down(String),
    /// A sample is complete.
    Sample(Box<Sample>),
    /// How it is doing.
    Status(Box<Status>),
    /// Something a person should know.
    Warning(String),
}

/// What moved since the sample before.
#[derive(Debug, Default)]
pub struct Sample {
    /// Unix seconds.
    pub time: f64,
    /// Seconds since the sample before.
    pub interval: f64,
    /// Flows that moved bytes, as the daemon counts them.
    pub count: u64,
    /// Bytes sent and received by all of them, likewise.
    pub total: (u64, u64),
    /// Events that did not reach this reader.
    pub missed: u64,
    /// The flows, if they were asked for; of one there may be several parts.
    pub flows: Vec<Flow>,
}

impl Sample {
    /// Adds a sample of the daemon's; whether this one is long enough now.
    fn tick(&mut self, (time, interval): (f64, f64), count: u64, total: (u64, u64)) -> bool {
        self.time = time;
        self.interval += if interval.is_finite() { interval.max(0.0) } else { 0.0 };
        self.count = self.count.max(count);
        self.total.0 = self.total.0.saturating_add(total.0);
        self.total.1 = self.total.1.saturating_add(total.1);
        self.interval >= SPAN
    }
}

/// Listens from now on, in a thread that ends with the process or with the view. `flows`: also to
/// what each flow moved.
///
/// # Errors
/// If there can be no thread.
pub fn listen<A: Send + 'static>(
    socket: &Path,
    flows: bool,
    tell: SyncSender<Input<A>>,
) -> io::Result<()> {
    let socket: PathBuf = socket.to_owned();
    let listen = move || {
        let mut told = None;
        loop {
            let why = match LiveClient::connect(&socket) {
                Ok(client) => {
                    told = None;
                    match hear(client, flows, &|feed| tell.send(Input::Feed(feed)).is_ok()) {
                        Some(why) => why,
                        None => return,
                    }
                }
                Err(error) => error.to_string(),
            };
            // The same once, however long it lasts.
            if told.as_ref() != Some(&why) {
                if tell.send(Input::Feed(Feed::Down(why.clone()))).is_err() {
                    return;
                }
                told = Some(why);
            }
            thread::sleep(RETRY);
        }
    };
    thread::Builder::new().name("feed".to_owned()).spawn(listen).map(drop)
}

/// Hands on what the daemon says until it goes (then why) or nobody listens any more (`tell` says
/// no). A feed that waits longer than the client's timeout goes on.
pub fn hear(mut client: LiveClient, flows: bool, tell: &dyn Fn(Feed) -> bool) -> Option<String> {
    let say = |feed: Feed| tell(feed).then_some(());
    if let Event::Hello { version, .. } = client.hello() {
        say(Feed::Up { version: version.clone() })?;
    }
    let mut reader = Reader::default();
    let mut sample = Sample::default();
    loop {
        let line = match client.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Some("the daemon ended".to_owned()),
            Err(ClientError::Timeout) => continue,
            Err(error) => return Some(error.to_string()),
        };
        if Reader::is_flow(line) {
            if !flows {
                continue;
            }
            match reader.read(line) {
                Some(flow) if sample.flows.len() < MOST => sample.flows.push(flow),
                _ => sample.missed = sample.missed.saturating_add(1),
            }
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(Event::Tick { time, interval, flows, send, recv }) => {
                if sample.tick((time, interval), flows, (send, recv)) {
                    let room = sample.flows.len();
                    say(Feed::Sample(Box::new(std::mem::take(&mut sample))))?;
                    // The next will be about as large.
                    sample.flows.reserve(room);
                }
            }
            Ok(Event::Missed { events }) => sample.missed = sample.missed.saturating_add(events),
            Ok(Event::Status(status)) => say(Feed::Status(status))?,
            Ok(Event::Warning { text, .. }) => say(Feed::Warning(text))?,
            // The next line may be better.
            Ok(_) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_api::{FlowEvent, Limits, LiveServer};
    use std::sync::mpsc;

    #[test]
    fn samples_are_put_together_and_a_daemon_that_ends_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.sock");
        let server = LiveServer::start(&path, "9", Limits::default(), 0o600, None).unwrap();
        let (send, receive) = mpsc::sync_channel::<Input<()>>(4);
        listen(&path, true, send).unwrap();
        let next = || match receive.recv().unwrap() {
            Input::Feed(feed) => feed,
            other => panic!("{other:?}"),
        };
        assert!(matches!(next(), Feed::Up { version } if version == "9"));
        while server.readers() == 0 {
            thread::yield_now();
        }
        let flow = Event::Flow(Box::new(FlowEvent { pid: 7, send: 5, ..FlowEvent::default() }));
        let tick = Event::Tick { time: 1.0, interval: 0.5, flows: 1, send: 5, recv: 1 };
        server.publish(&[flow.clone(), tick.clone(), flow, Event::Missed { events: 2 }, tick]);
        let Feed::Sample(sample) = next() else { panic!("no sample") };
        assert_eq!((sample.flows.len(), sample.missed, sample.total), (2, 2, (10, 2)));
        assert!((sample.interval - 1.0).abs() < 1e-9);
        assert_eq!(sample.flows[0].who.pid, 7);
        server.stop();
        assert!(matches!(next(), Feed::Down(why) if why == "the daemon ended"));
        assert!(matches!(next(), Feed::Down(why) if why.contains("no daemon is running")));
        let _server = LiveServer::start(&path, "10", Limits::default(), 0o600, None).unwrap();
        assert!(matches!(next(), Feed::Up { version } if version == "10"));
    }
}
