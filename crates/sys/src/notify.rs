//! Telling systemd how the service is doing (`sd_notify(3)`).

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The way to the service manager, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    socket: Option<OsString>,
}

impl Notifier {
    /// Looks for `NOTIFY_SOCKET`. Without one every message is silently nobody's business.
    #[must_use]
    pub fn from_env() -> Self {
        Self::new(std::env::var_os("NOTIFY_SOCKET"))
    }

    /// Speaks to this socket: a path, or `@name` for an abstract one.
    #[must_use]
    pub fn new(socket: Option<OsString>) -> Self {
        Self { socket: socket.filter(|name| !name.is_empty()) }
    }

    /// Start-up (or reloading) is complete.
    ///
    /// # Errors
    /// When the manager's socket does not take the message.
    pub fn ready(&self) -> io::Result<()> {
        self.send("READY=1")
    }

    /// The configuration is being read again; must be followed by [`Notifier::ready`].
    ///
    /// # Errors
    /// As [`Notifier::ready`].
    pub fn reloading(&self) -> io::Result<()> {
        let now = crate::clock::monotonic_ns() / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now}"))
    }

    /// The service is on its way out.
    ///
    /// # Errors
    /// As [`Notifier::ready`].
    pub fn stopping(&self) -> io::Result<()> {
        self.send("STOPPING=1")
    }

    /// One line for `systemctl status`; anything after a newline is left out.
    ///
    /// # Errors
    /// As [`Notifier::ready`].
    pub fn status(&self, text: &str) -> io::Result<()> {
        self.send(&format!("STATUS={}", text.lines().next().unwrap_or_default()))
    }

    fn send(&self, message: &str) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        let address = match socket.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
        };
        UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let len = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    #[test]
    fn messages_reach_a_path_and_an_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("femtosnitch-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        let sockets = [(path.into_os_string(), by_path), (format!("@{name}").into(), by_name)];
        for (socket, manager) in sockets {
            let notifier = Notifier::new(Some(socket));
            notifier.ready().unwrap();
            assert_eq!(receive(&manager), "READY=1");
            notifier.reloading().unwrap();
            assert!(receive(&manager).starts_with("RELOADING=1\nMONOTONIC_USEC="));
            notifier.status("fine\nREADY=1").unwrap();
            assert_eq!(receive(&manager), "STATUS=fine");
            notifier.stopping().unwrap();
            assert_eq!(receive(&manager), "STOPPING=1");
        }
    }

    #[test]
    fn nobody_to_tell_is_fine_and_a_dead_socket_is_an_error() {
        Notifier::new(None).ready().unwrap();
        Notifier::new(Some(OsString::new())).ready().unwrap();
        assert!(Notifier::new(Some("/nowhere/notify".into())).ready().is_err());
    }
}
