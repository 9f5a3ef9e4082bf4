//! The thread that listens to the daemon while somebody watches, and hands on what it hears.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use femtosnitch_api::{ClientError, Event, LiveClient, Status};
use femtosnitch_store::Users;
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast;

use super::news::News;
use super::programs::{Moment, Sample};

/// Messages that a viewer may be behind; then the oldest are missed.
const BEHIND: usize = 16;
/// Programs that are looked at one by one, at a time.
const MOST_NARROW: usize = 64;
/// How long the daemon is listened to after the last viewer went.
const LINGER: Duration = Duration::from_secs(10);
/// How often it is seen whether anybody watches still.
const LOOK: Duration = Duration::from_secs(1);
/// How long a daemon may take to tell its status.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a status is good for whoever asks.
const FRESH: Duration = Duration::from_secs(2);
/// Names of users that are remembered.
const MOST_USERS: usize = 4_096;

/// Whether there is a daemon.
#[derive(Debug, Clone)]
pub(crate) enum Daemon {
    /// There is, and it is like this.
    Running(Arc<Status>),
    /// There is none.
    Absent(String),
    /// Whether there is one could not be found out.
    Unknown(String),
}

/// What one viewer receives: whole messages of an event stream.
pub(crate) struct Watch {
    hub: Hub,
    narrow: Option<String>,
    /// Sent first.
    pub(crate) first: Bytes,
    /// Sent then.
    pub(crate) rest: broadcast::Receiver<Bytes>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        state.viewers = state.viewers.saturating_sub(1);
        if let Some(exe) = &self.narrow
            && let Some(narrow) = state.narrow.get_mut(exe)
        {
            narrow.viewers -= 1;
            if narrow.viewers == 0 {
                state.narrow.remove(exe);
            }
        }
    }
}

struct Narrow {
    viewers: usize,
    tell: broadcast::Sender<Bytes>,
}

struct State {
    viewers: usize,
    closed: bool,
    all: broadcast::Sender<Bytes>,
    narrow: HashMap<String, Narrow>,
    hello: Option<Bytes>,
    /// What is known of the daemon, and since when.
    daemon: Option<(Instant, Daemon)>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    socket: PathBuf,
    database: PathBuf,
    users: Arc<dyn Users + Send + Sync>,
}

/// Hands live data to any number of viewers.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Shared>);

/// A message of an event stream.
fn message(event: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    // JSON has no line breaks.
    Bytes::from(format!("event: {event}\ndata: {data}\n\n"))
}

/// What `/api/v1/status` says of the daemon.
pub(crate) fn told(daemon: &Daemon) -> serde_json::Value {
    match daemon {
        Daemon::Running(status) => {
            let mut object = serde_json::to_value(&**status).unwrap_or_else(|_| json!({}));
            if let Some(fields) = object.as_object_mut() {
                fields.insert("daemon".to_owned(), json!("running"));
            }
            object
        }
        Daemon::Absent(why) => json!({ "daemon": "absent", "why": why }),
        Daemon::Unknown(why) => json!({ "daemon": "unknown", "why": why }),
    }
}

fn failed(error: &ClientError) -> Daemon {
    match error {
        ClientError::NotRunning { .. } => {
            Daemon::Absent(format!("{error}; start it with: sudo femtosnitch daemon"))
        }
        _ => Daemon::Unknown(error.to_string()),
    }
}

impl Hub {
    pub(crate) fn start(
        socket: &Path,
        database: &Path,
        users: Arc<dyn Users + Send + Sync>,
    ) -> io::Result<Self> {
        let hub = Self(Arc::new(Shared {
            state: Mutex::new(State {
                viewers: 0,
                closed: false,
                all: broadcast::Sender::new(BEHIND),
                narrow: HashMap::new(),
                hello: None,
                daemon: None,
            }),
            wake: Condvar::new(),
            socket: socket.to_owned(),
            database: database.to_owned(),
            users,
        }));
        let listener = hub.clone();
        thread::Builder::new().name("live".to_owned()).spawn(move || listener.run())?;
        Ok(hub)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to watch, everything or one program; `None` if too many are watched one by one.
    pub(crate) fn watch(&self, exe: Option<String>) -> Option<Watch> {
        let mut state = self.state();
        let rest = match &exe {
            None => state.all.subscribe(),
            Some(exe) => {
                if state.narrow.len() >= MOST_NARROW && !state.narrow.contains_key(exe) {
                    return None;
                }
                let fresh = || Narrow { viewers: 0, tell: broadcast::Sender::new(BEHIND) };
                let narrow = state.narrow.entry(exe.clone()).or_insert_with(fresh);
                narrow.viewers += 1;
                narrow.tell.subscribe()
            }
        };
        state.viewers += 1;
        let mut first = Vec::new();
        first.extend_from_slice(state.hello.as_deref().unwrap_or_default());
        if let Some((_, daemon)) = &state.daemon {
            first.extend_from_slice(&message("status", &told(daemon)));
        }
        drop(state);
        self.0.wake.notify_all();
        Some(Watch { hub: self.clone(), narrow: exe, first: first.into(), rest })
    }

    /// Those who watch.
    pub(crate) fn viewers(&self) -> usize {
        self.state().viewers
    }

    /// How the daemon is doing: as it told just now, else it is asked (which may take seconds).
    pub(crate) fn daemon(&self) -> Daemon {
        let listening = {
            let state = self.state();
            if let Some((at, daemon)) = &state.daemon
                && at.elapsed() < FRESH
            {
                return daemon.clone();
            }
            state.viewers > 0 && state.hello.is_some()
        };
        if listening {
            // It tells whenever something changes.
            let state = self.state();
            if let Some((_, daemon)) = &state.daemon {
                return daemon.clone();
            }
        }
        let daemon = ask(&self.0.socket).unwrap_or_else(|error| failed(&error));
        self.state().daemon = Some((Instant::now(), daemon.clone()));
        daemon
    }

    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.0.wake.notify_all();
    }

    /// Tells everybody.
    fn tell(&self, bytes: &Bytes) {
        let state = self.state();
        // Nobody may listen.
        drop(state.all.send(bytes.clone()));
        for narrow in state.narrow.values() {
            drop(narrow.tell.send(bytes.clone()));
        }
    }

    fn run(&self) {
        let mut news = News::default();
        let mut last_told = None;
        while self.wait_for_viewers() {
            let ended = match LiveClient::connect(&self.0.socket) {
                Ok(client) => {
                    last_told = None;
                    self.listen(client, &mut news)
                }
                Err(error) => Some(failed(&error)),
            };
            let mut state = self.state();
            state.hello = None;
            let Some(daemon) = ended else {
                state.daemon = None;
                continue;
            };
            state.daemon = Some((Instant::now(), daemon.clone()));
            drop(state);
            let told = message("status", &told(&daemon));
            // The same once, however long it lasts.
            if last_told.as_ref() != Some(&told) {
                self.tell(&told);
                last_told = Some(told);
            }
            self.pause(LOOK);
        }
    }

    /// False once the server ends.
    fn wait_for_viewers(&self) -> bool {
        let mut state = self.state();
        while state.viewers == 0 && !state.closed {
            state = self.0.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.closed
    }

    fn pause(&self, time: Duration) {
        let state = self.state();
        if !state.closed {
            drop(self.0.wake.wait_timeout(state, time));
        }
    }

    /// Hands on what the daemon says, until it goes (then how) or nobody watches any more.
    fn listen(&self, mut client: LiveClient, news: &mut News) -> Option<Daemon> {
        if let Event::Hello { version, api, pid } = client.hello() {
            let hello = json!({ "version": version, "api": api, "pid": pid });
            let hello = message("hello", &hello);
            self.state().hello = Some(hello.clone());
            self.tell(&hello);
        }
        if let Err(error) = client.set_timeout(Some(LOOK)) {
            return Some(failed(&error));
        }
        let mut sample = Sample::default();
        let names = Names::new(&*self.0.users);
        let mut watched = Instant::now();
        loop {
            let event = client.next();
            match event {
                Some(Ok(Event::Flow(flow))) => {
                    let kept = self.is_looked_at(&flow.exe);
                    sample.add(*flow, kept);
                }
                Some(Ok(Event::Tick { time, interval, send, recv, .. })) => {
                    news.refresh(&self.0.database);
                    let sums = (Moment { time, interval }, (send, recv));
                    let whole = sample.finish(sums, news, |uid| names.name(uid));
                    let state = self.state();
                    if state.all.receiver_count() > 0 {
                        drop(state.all.send(message("tick", &whole.all())));
                    }
                    for (exe, narrow) in &state.narrow {
                        drop(narrow.tell.send(message("tick", &whole.of(exe))));
                    }
                }
                Some(Ok(Event::Status(status))) => {
                    let daemon = Daemon::Running(Arc::from(status));
                    self.tell(&message("status", &told(&daemon)));
                    self.state().daemon = Some((Instant::now(), daemon));
                }
                Some(Ok(Event::Missed { events })) => {
                    self.tell(&message("missed", &json!({ "events": events })));
                }
                Some(Ok(Event::Warning { time, text })) => {
                    self.tell(&message("warning", &json!({ "time": time, "text": text })));
                }
                Some(Ok(_) | Err(ClientError::Timeout | ClientError::BadLine(_))) => {}
                Some(Err(error)) => return Some(failed(&error)),
                None => {
                    let path = self.0.socket.clone();
                    return Some(failed(&ClientError::NotRunning { path }));
                }
            }
            let state = self.state();
            if state.closed || (state.viewers == 0 && watched.elapsed() > LINGER) {
                return None;
            }
            if state.viewers > 0 {
                watched = Instant::now();
            }
        }
    }

    fn is_looked_at(&self, exe: &str) -> bool {
        self.state().narrow.contains_key(exe)
    }
}

/// Names of users, each looked up once.
struct Names<'a> {
    users: &'a dyn Users,
    known: std::cell::RefCell<HashMap<u32, String>>,
}

impl<'a> Names<'a> {
    fn new(users: &'a dyn Users) -> Self {
        Self { users, known: std::cell::RefCell::default() }
    }

    fn name(&self, uid: u32) -> String {
        let mut known = self.known.borrow_mut();
        if known.len() > MOST_USERS {
            known.clear();
        }
        let look_up = || self.users.name(uid).unwrap_or_else(|| uid.to_string());
        known.entry(uid).or_insert_with(look_up).clone()
    }
}

/// The status of the daemon, which tells it first of all.
fn ask(socket: &Path) -> Result<Daemon, ClientError> {
    let mut client = LiveClient::connect(socket)?;
    client.set_timeout(Some(PATIENCE))?;
    // Other events may come before it while the daemon is starting; they must not go on for ever.
    for event in client.by_ref().take(100_000) {
        if let Event::Status(status) = event? {
            return Ok(Daemon::Running(Arc::from(status)));
        }
    }
    Err(ClientError::NotRunning { path: socket.to_owned() })
}
