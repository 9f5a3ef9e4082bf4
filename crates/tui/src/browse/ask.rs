//! Questions to the history, and the threads that ask them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use femtosnitch_api::ClientError;
use femtosnitch_api::Event as Live;
use femtosnitch_api::LiveClient;
use femtosnitch_api::Status;
use femtosnitch_store::Bucket;
use femtosnitch_store::Cancel;
use femtosnitch_store::Detail;
use femtosnitch_store::Dimension;
use femtosnitch_store::Event;
use femtosnitch_store::EventKind;
use femtosnitch_store::Levels;
use femtosnitch_store::Node;
use femtosnitch_store::Program;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::Report;
use femtosnitch_store::Stats;
use femtosnitch_store::StoreError;
use femtosnitch_store::Unwatched;
use femtosnitch_store::Users;

/// A daemon that is up tells its status at once.
const PATIENCE: Duration = Duration::from_secs(3);
/// Events told at most, the latest: as in the dashboard.
const MOST_EVENTS: usize = 5_000;

/// What can be asked.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    Report {
        query: Query,
        bucket: Bucket,
    },
    Detail {
        query: Query,
        bucket: Bucket,
    },
    Program(String),
    Tree(Query),
    /// Events of these kinds (none: all), of one program or of all.
    Events {
        since: Option<i64>,
        until: Option<i64>,
        kinds: Vec<EventKind>,
        exe: Option<String>,
    },
    /// When nobody looked; `now` tells whether nobody does.
    Gaps {
        since: Option<i64>,
        until: i64,
        now: i64,
    },
    /// Values of a dimension that begin so.
    Values {
        dimension: Dimension,
        prefix: String,
        query: Query,
    },
    System,
}

/// How the daemon and the history are doing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct System {
    /// The daemon's, or why it is not known, and whether that is because none runs.
    pub(crate) daemon: Result<Box<Status>, (bool, String)>,
    pub(crate) history: Result<(Stats, Levels), String>,
}

/// What is told.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Report(Report),
    Detail(Detail),
    Program(Program),
    Tree(Vec<Node>),
    /// The latest, the newest first, and how many earlier ones were left out.
    Events(Vec<Event>, usize),
    /// And since when what is kept.
    Gaps(Vec<Unwatched>, Levels),
    Values(Report),
    System(System),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is no history, or it cannot be read: it is worth trying again.
    History(String),
    /// The question makes no sense.
    Question(String),
}

/// A part of what was asked for.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Of which [`Lane::ask`] it is.
    pub(crate) ticket: u64,
    /// How many are yet to come.
    pub(crate) left: usize,
    pub(crate) told: Result<Told, Trouble>,
}

/// What a lane needs to know.
pub(crate) struct Source {
    pub(crate) database: PathBuf,
    pub(crate) live_socket: PathBuf,
    pub(crate) users: Arc<dyn Users + Send + Sync>,
}

#[derive(Default)]
struct Slot {
    job: Option<(u64, Vec<Question>)>,
    /// Of what is being asked.
    cancel: Cancel,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    slot: Mutex<Slot>,
    wake: Condvar,
}

impl Shared {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that asks, with a reader of its own. What was asked before is withdrawn by what is asked
/// next. Ends with its owner, once what it asks is withdrawn.
pub(crate) struct Lane(Arc<Shared>);

impl Lane {
    /// Starts it; `tell` is called for each answer.
    ///
    /// # Errors
    /// If the system has no thread for it.
    pub(crate) fn start(
        name: &str,
        source: Arc<Source>,
        tell: impl Fn(Reply) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        thread::Builder::new().name(name.to_owned()).spawn(move || serve(&own, &source, &tell))?;
        Ok(Self(shared))
    }

    /// Asks these, one after the other, in place of all that was asked before.
    pub(crate) fn ask(&self, ticket: u64, questions: Vec<Question>) {
        let mut slot = self.0.slot();
        slot.cancel.cancel();
        slot.job = Some((ticket, questions));
        drop(slot);
        self.0.wake.notify_one();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut slot = self.0.slot();
        slot.closed = true;
        slot.cancel.cancel();
        drop(slot);
        self.0.wake.notify_one();
    }
}

/// The next questions; `None` at the end.
fn next(shared: &Shared) -> Option<(u64, Vec<Question>, Cancel)> {
    let mut slot = shared.slot();
    loop {
        if slot.closed {
            return None;
        }
        if let Some((ticket, questions)) = slot.job.take() {
            let cancel = Cancel::default();
            slot.cancel = cancel.clone();
            return Some((ticket, questions, cancel));
        }
        slot = shared.wake.wait(slot).unwrap_or_else(PoisonError::into_inner);
    }
}

fn serve(shared: &Shared, source: &Source, tell: &impl Fn(Reply)) {
    let mut open = Open::default();
    while let Some((ticket, questions, cancel)) = next(shared) {
        let mut left = questions.len();
        for question in questions {
            if cancel.is_cancelled() {
                break;
            }
            left -= 1;
            let told = open.answer(source, question, &cancel);
            // An answer to what nobody asks any more is of no use.
            if cancel.is_cancelled() {
                break;
            }
            // Without a history, or with a filter that makes no sense, the others have none either.
            let over = told.is_err();
            tell(Reply { ticket, left: if over { 0 } else { left }, told });
            if over {
                break;
            }
        }
    }
}

/// The history, while it is open.
#[derive(Default)]
pub(crate) struct Open(Option<((u64, u64), Reader)>);

impl Open {
    pub(crate) fn answer(
        &mut self,
        source: &Source,
        question: Question,
        cancel: &Cancel,
    ) -> Result<Told, Trouble> {
        if matches!(question, Question::System) {
            let history = self
                .reader(&source.database)
                .and_then(|reader| Ok((reader.stats()?, reader.levels()?)));
            let history = history.map_err(|error| error.to_string());
            return Ok(Told::System(System { daemon: status(&source.live_socket), history }));
        }
        let told = self
            .reader(&source.database)
            .and_then(|reader| asked(reader, source, question, cancel));
        told.map_err(|error| match error {
            StoreError::BadQuery(message) => Trouble::Question(message),
            error => {
                // Whatever is wrong with it may be over when it is opened anew.
                self.0 = None;
                Trouble::History(error.to_string())
            }
        })
    }

    /// A history that was moved aside is not the history any more.
    fn reader(&mut self, path: &Path) -> Result<&Reader, StoreError> {
        let file = fs::metadata(path).map(|data| (data.dev(), data.ino())).ok();
        let open = match self.0.take() {
            Some((known, reader)) if file == Some(known) => (known, reader),
            _ => (file.unwrap_or_default(), Reader::open(path)?),
        };
        Ok(&self.0.insert(open).1)
    }
}

fn asked(
    reader: &Reader,
    source: &Source,
    question: Question,
    cancel: &Cancel,
) -> Result<Told, StoreError> {
    let users = &*source.users;
    Ok(match question {
        Question::Report { query, bucket } => {
            Told::Report(reader.report(&query, Some(bucket), users, cancel)?)
        }
        Question::Detail { query, bucket } => {
            Told::Detail(reader.detail(&query, Some(bucket), users, cancel)?)
        }
        Question::Program(exe) => Told::Program(reader.program(&exe)?),
        Question::Tree(query) => Told::Tree(reader.tree(&query, users, cancel)?),
        Question::Events { since, until, kinds, exe } => {
            let mut events = match exe {
                Some(exe) => reader.events_of(&exe, since, until, &kinds)?,
                None => reader.events(since, until, &kinds)?,
            };
            let left_out = events.len().saturating_sub(MOST_EVENTS);
            events.drain(..left_out);
            events.reverse();
            Told::Events(events, left_out)
        }
        Question::Gaps { since, until, now } => {
            let (mut gaps, last) = reader.unwatched((since, Some(until)), now)?;
            gaps.extend(last.filter(|_| LiveClient::is_absent(&source.live_socket)));
            Told::Gaps(gaps, reader.levels()?)
        }
        Question::Values { dimension, prefix, query } => {
            Told::Values(reader.distinct((dimension, &prefix), &query, users, cancel)?)
        }
        Question::System => return Err(StoreError::Cancelled),
    })
}

/// What the daemon says of itself.
fn status(socket: &Path) -> Result<Box<Status>, (bool, String)> {
    let ask = || -> Result<Option<Box<Status>>, ClientError> {
        let mut client = LiveClient::connect(socket)?;
        client.set_timeout(Some(PATIENCE))?;
        // Others may come before it while the daemon starts; they must not go on for ever.
        for event in client.take(100_000) {
            if let Live::Status(status) = event? {
                return Ok(Some(status));
            }
        }
        Ok(None)
    };
    match ask() {
        Ok(Some(status)) => Ok(status),
        Ok(None) => Err((false, "the daemon is on its way out".to_owned())),
        Err(error) => Err((matches!(error, ClientError::NotRunning { .. }), error.to_string())),
    }
}
