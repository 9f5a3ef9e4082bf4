//! A hook can be attached and silent (a kernel that inlined a function away, a program skipped).
//! So the daemon moves a known number of bytes over loopback sockets of its own, at the start and
//! every minute, and looks whether they were counted.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use femtosnitch_model::{Direction, Endpoint, Reading, Slot};
use femtosnitch_sys::socket;

/// Bytes of one round, each way of moving them with a number of its own.
const DATAGRAM: usize = 211;
const RECEIVED: usize = 1_009;
const SPLICED: usize = 503;
/// Loopback answers at once, or something is wrong with it.
const PATIENCE: Duration = Duration::from_millis(500);

/// See the module's documentation.
pub(super) struct SelfTest {
    udp: UdpSocket,
    udp_address: SocketAddr,
    left: TcpStream,
    right: TcpStream,
    reader: PipeReader,
    writer: PipeWriter,
    /// Cookies of the datagram socket, of both ends of the connection, and of what listened.
    cookies: [u64; 4],
    moved: u64,
    seen: BTreeMap<(u64, Slot), Reading>,
}

impl SelfTest {
    /// Opens the sockets. They stay open, so that a round costs no connection.
    ///
    /// # Errors
    /// If there is no loopback interface, or it is down.
    pub(super) fn new() -> io::Result<Self> {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let left = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
        let right = accepted(&listener, &left)?;
        udp.set_read_timeout(Some(PATIENCE))?;
        for stream in [&left, &right] {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
        }
        let (reader, writer) = io::pipe()?;
        let cookies = [
            socket::cookie(&udp)?,
            socket::cookie(&left)?,
            socket::cookie(&right)?,
            socket::cookie(&listener)?,
        ];
        let udp_address = udp.local_addr()?;
        let seen = BTreeMap::new();
        Ok(Self { udp, udp_address, left, right, reader, writer, cookies, moved: 0, seen })
    }

    /// Sockets whose traffic is not the machine's.
    pub(super) fn cookies(&self) -> [u64; 4] {
        self.cookies
    }

    /// One round. The next drain has to show it. `splice` says that splices are watched.
    ///
    /// # Errors
    /// If the bytes did not arrive: then nothing can be said of the hooks.
    pub(super) fn move_bytes(&mut self, splice: bool) -> io::Result<()> {
        let mut room = [0; RECEIVED];
        self.udp.send_to(&[0x5a; DATAGRAM], self.udp_address)?;
        self.udp.recv_from(&mut room)?;
        self.left.write_all(&[0x5a; RECEIVED + SPLICED])?;
        self.right.read_exact(&mut room)?;
        let mut left = if splice { SPLICED } else { 0 };
        if !splice {
            self.right.read_exact(room.get_mut(..SPLICED).unwrap_or_default())?;
        }
        while left > 0 {
            let got = socket::splice(&self.right, &self.writer, left)?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.reader.read_exact(room.get_mut(..got).unwrap_or_default())?;
            left -= got;
        }
        self.moved += 1;
        Ok(())
    }

    /// Takes in a reading of one of the sockets.
    pub(super) fn see(&mut self, reading: &Reading) {
        if self.cookies.contains(&reading.flow.cookie) {
            self.seen.insert((reading.flow.cookie, reading.slot), reading.clone());
        }
    }

    /// What is wrong, if something is: which part of the traffic was not counted as it moved.
    pub(super) fn verdict(&self) -> Option<String> {
        let [udp, left, right, _] = self.cookies;
        let of = |cookie: u64| {
            let slots = (cookie, Slot(0))..=(cookie, Slot(u32::MAX));
            self.seen.range(slots).map(|(_, reading)| reading)
        };
        let sent = |cookie: u64| of(cookie).map(|reading| reading.total.send).sum::<u64>();
        let received = |cookie: u64| of(cookie).map(|reading| reading.total.recv).sum::<u64>();
        let mut wrong = Vec::new();
        for (what, got, size) in [
            ("datagrams sent", sent(udp), DATAGRAM),
            ("datagrams received", received(udp), DATAGRAM),
            ("TCP sent", sent(left), RECEIVED + SPLICED),
            ("TCP received", received(right), RECEIVED + SPLICED),
        ] {
            let moved = self.moved * size as u64;
            if got != moved {
                wrong.push(format!("{what}: {got} of {moved} bytes"));
            }
        }
        let to = Endpoint { addr: Some(self.udp_address.ip()), port: self.udp_address.port() };
        if of(udp).any(|reading| reading.flow.remote != to) {
            wrong.push("the peer of a datagram was not seen".to_owned());
        }
        if of(left).any(|reading| reading.direction != Direction::Outgoing) {
            wrong.push("the begin of a connection was not seen".to_owned());
        }
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}

/// The other end of `stream`; strangers who were quicker are sent away.
fn accepted(listener: &TcpListener, stream: &TcpStream) -> io::Result<TcpStream> {
    let wanted = stream.local_addr()?;
    loop {
        let (other, from) = listener.accept()?;
        if from == wanted {
            return Ok(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_model::{Counters, FlowKey, FlowKind, Headers, ProcKey};

    fn reading(test: &SelfTest, which: usize, send: u64, recv: u64) -> Reading {
        let address = test.udp_address;
        Reading {
            slot: Slot(1),
            owner: ProcKey::default(),
            flow: FlowKey {
                cookie: test.cookies[which],
                family: 2,
                protocol: 6,
                local: Endpoint::default(),
                remote: Endpoint { addr: Some(address.ip()), port: address.port() },
                netns: 1,
            },
            kind: FlowKind::First,
            total: Counters { send, recv, send_calls: 1, recv_calls: 1 },
            closed: false,
            uid: 0,
            cgroup_id: 1,
            direction: Direction::Outgoing,
            headers: Headers::default(),
            tcp: None,
            sctp: None,
        }
    }

    /// Two rounds, counted as they moved but for the given sums.
    fn counted(udp: (u64, u64), left: u64, right: u64) -> Option<String> {
        let mut test = SelfTest::new().unwrap();
        test.move_bytes(false).unwrap();
        test.move_bytes(true).unwrap();
        for (which, send, recv) in [(0, udp.0, udp.1), (1, left, 0), (2, 0, right)] {
            let reading = reading(&test, which, send, recv);
            test.see(&reading);
        }
        test.verdict()
    }

    #[test]
    fn all_counted_is_fine() {
        assert_eq!(counted((422, 422), 3_024, 3_024), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let wrong = counted((422, 211), 3_024, 2_018).unwrap();
        assert_eq!(wrong, "datagrams received: 211 of 422 bytes; TCP received: 2018 of 3024 bytes");
        assert!(counted((0, 0), 0, 0).unwrap().contains("TCP sent: 0 of 3024 bytes"));
    }

    #[test]
    fn nothing_seen_at_all_is_wrong() {
        let mut test = SelfTest::new().unwrap();
        test.move_bytes(true).unwrap();
        assert!(test.verdict().unwrap().contains("datagrams sent: 0 of 211 bytes"));
        let mut stranger = reading(&test, 0, 1, 1);
        stranger.flow.cookie = u64::MAX;
        test.see(&stranger);
        assert!(test.seen.is_empty());
    }
}
