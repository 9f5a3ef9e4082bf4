//! The daemon's live feed as inputs: one sample a time, not one flow, so that a view wakes up once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use femtosnitch_api::{ClientError, Event, FlowEvent, LiveClient, Status};

use crate::input::Input;

/// How often a daemon that is away is looked for.
const RETRY: Duration = Duration::from_secs(1);

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
    /// The flows, if they were asked for.
    pub flows: Vec<FlowEvent>,
}

/// Listens from now on, in a thread that ends with the process or with the view. `flows`: also to
/// what each flow moved.
///
/// # Errors
/// If there can be no thread.
pub fn listen<A: Send + 'static>(
    socket: &Path,
    flows: bool,
    tell: Sender<Input<A>>,
) -> io::Result<()> {
    let socket: PathBuf = socket.to_owned();
    let listen = move || {
        let mut told = None;
        loop {
            let why = match LiveClient::connect(&socket) {
                Ok(client) => {
                    told = None;
                    match hear(client, flows, &tell) {
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

/// Hands on what the daemon says until it goes (then why) or nobody listens any more.
fn hear<A>(mut client: LiveClient, flows: bool, tell: &Sender<Input<A>>) -> Option<String> {
    let say = |feed: Feed| tell.send(Input::Feed(feed)).ok();
    if let Event::Hello { version, .. } = client.hello() {
        say(Feed::Up { version: version.clone() })?;
    }
    let mut sample = Sample::default();
    loop {
        match client.next() {
            Some(Ok(Event::Flow(flow))) if flows => sample.flows.push(*flow),
            Some(Ok(Event::Tick { time, interval, flows, send, recv })) => {
                (sample.time, sample.interval, sample.count) = (time, interval, flows);
                sample.total = (send, recv);
                say(Feed::Sample(Box::new(std::mem::take(&mut sample))))?;
            }
            Some(Ok(Event::Missed { events })) => {
                sample.missed = sample.missed.saturating_add(events);
            }
            Some(Ok(Event::Status(status))) => say(Feed::Status(status))?,
            Some(Ok(Event::Warning { text, .. })) => say(Feed::Warning(text))?,
            // The next line may be better.
            Some(Ok(_) | Err(ClientError::BadLine(_) | ClientError::Timeout)) => {}
            Some(Err(error)) => return Some(error.to_string()),
            None => return Some("the daemon ended".to_owned()),
        }
    }
}
