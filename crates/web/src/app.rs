//! What all requests share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::guard::{Hosts, Rates, Refusals};
use crate::live::Hub;
use crate::pool::Pool;
use crate::settings::Settings;
use crate::state::{Acknowledged, Secret, Sessions, UsedKeys};

/// Everything that a request may need.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) hosts: Hosts,
    pub(crate) secret: Secret,
    pub(crate) rates: Rates,
    pub(crate) refusals: Refusals,
    pub(crate) pool: Pool,
    pub(crate) live: Hub,
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) viewers: Arc<Semaphore>,
    sessions: Mutex<Sessions>,
    used_keys: Mutex<UsedKeys>,
    acknowledged: Mutex<Acknowledged>,
    cookie_name: String,
    encrypted: bool,
}

/// What is kept in the state directory.
pub(crate) struct Kept {
    pub(crate) secret: Secret,
    pub(crate) sessions: Sessions,
    pub(crate) acknowledged: Acknowledged,
}

impl App {
    pub(crate) fn new(
        settings: Settings,
        kept: Kept,
        (pool, live): (Pool, Hub),
        (port, encrypted): (u16, bool),
    ) -> Self {
        // Cookies know hosts and no ports: two servers of one machine must not share one.
        let cookie_name = match encrypted {
            true => format!("__Host-femtosnitch-{port}"),
            false => format!("femtosnitch-{port}"),
        };
        Self {
            hosts: Hosts::new(&settings.hosts),
            secret: kept.secret,
            rates: Rates::new(settings.limits.burst),
            refusals: Refusals::default(),
            pool,
            live,
            exports: Arc::new(Semaphore::new(settings.limits.exports)),
            viewers: Arc::new(Semaphore::new(settings.limits.viewers)),
            sessions: Mutex::new(kept.sessions),
            used_keys: Mutex::default(),
            acknowledged: Mutex::new(kept.acknowledged),
            cookie_name,
            encrypted,
            settings,
        }
    }

    pub(crate) fn cookie_name(&self) -> &str {
        &self.cookie_name
    }

    /// Whether this server encrypts by itself.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn used_keys(&self) -> MutexGuard<'_, UsedKeys> {
        self.used_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn acknowledged(&self) -> MutexGuard<'_, Acknowledged> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
