//! The token, and keys made of it that log a browser in once.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{StateDir, digest, hex, random_hex};

/// How long a key can be valid.
pub const LONGEST_KEY_LIFE: Duration = Duration::from_secs(300);
/// Keys that were used are remembered until they are over; no more than this.
const MOST_USED: usize = 1_000;

/// A token. Never shown, not even by `Debug`.
#[derive(Clone)]
pub(crate) struct Secret {
    digest: [u8; 32],
    text: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        Self { digest: digest(text), text: text.to_owned() }
    }

    /// Whether it is this. How long that takes tells of digests alone, which is of no use.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.digest == digest(text)
    }

    fn mac(&self, message: &str) -> Option<Hmac<Sha256>> {
        // Any length of key will do.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.text.as_bytes()).ok()?;
        mac.update(b"femtosnitch open\0");
        mac.update(message.as_bytes());
        Some(mac)
    }
}

/// A key that logs a browser in once, made with the token that lies in the state directory of a
/// server: whoever can read that may.
///
/// # Errors
/// If the token cannot be read, or the clock or the kernel's random numbers fail.
pub fn open_key(state_dir: &Path, life: Duration) -> io::Result<String> {
    let secret = StateDir::open(state_dir)?.token()?;
    let life = i64::try_from(life.min(LONGEST_KEY_LIFE).as_secs()).unwrap_or(0);
    let until = crate::params::now().saturating_add(life);
    let nonce = random_hex()?;
    let nonce = nonce.get(..32).unwrap_or_default();
    let message = format!("{until}.{nonce}");
    let mac = secret.mac(&message).ok_or_else(|| io::Error::other("the token is no key"))?;
    Ok(format!("{message}.{}", hex(&mac.finalize().into_bytes())))
}

/// Whether a server has ever run with this state directory.
#[must_use]
pub fn has_token(state_dir: &Path) -> bool {
    state_dir.join(super::TOKEN).exists()
}

/// Keys that were used.
#[derive(Debug, Default)]
pub(crate) struct UsedKeys(HashMap<String, i64>);

impl UsedKeys {
    /// Whether a key is good, for the first and last time.
    pub(crate) fn take(&mut self, secret: &Secret, key: &str, now: i64) -> bool {
        self.0.retain(|_, until| *until >= now);
        let Some((message, mac)) = key.rsplit_once('.') else { return false };
        let until = message.split_once('.').and_then(|(until, _)| until.parse::<i64>().ok());
        let Some(until) = until else { return false };
        let longest = i64::try_from(LONGEST_KEY_LIFE.as_secs()).unwrap_or(0);
        if until < now || until > now.saturating_add(longest) || self.0.len() >= MOST_USED {
            return false;
        }
        let Some(mac) = unhex(mac) else { return false };
        let good = secret.mac(message).is_some_and(|made| made.verify_slice(&mac).is_ok());
        good && self.0.insert(message.to_owned(), until).is_none()
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    // One way to write each.
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        || !text.len().is_multiple_of(2)
    {
        return None;
    }
    let pairs = text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_once_and_not_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let secret = StateDir::open(dir.path()).unwrap().token().unwrap();
        let key = open_key(dir.path(), Duration::from_secs(60)).unwrap();
        let now = crate::params::now();
        let mut used = UsedKeys::default();
        assert!(!used.take(&secret, &key, now + 120), "over");
        assert!(!used.take(&secret, &key, now - 1_000), "from the future");
        assert!(!used.take(&Secret::new(&"x".repeat(64)), &key, now), "of another installation");
        assert!(used.take(&secret, &key, now));
        assert!(!used.take(&secret, &key, now), "a second time");
        assert!(!used.take(&secret, &key.to_uppercase(), now));
        let other = open_key(dir.path(), Duration::from_secs(60)).unwrap();
        let (message, _) = key.rsplit_once('.').unwrap();
        let (_, mac) = other.rsplit_once('.').unwrap();
        for forged in ["", ".", "..", "1.2.3", &format!("{message}.{mac}"), &format!("{message}.")]
        {
            assert!(!used.take(&secret, forged, now), "{forged}");
        }
        assert!(used.take(&secret, &other, now));
        assert!(!format!("{secret:?}").contains(&key[..8]));
    }
}
