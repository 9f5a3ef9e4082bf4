//! What quinn moves, counted call by call.

use std::fmt;
use std::io;
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use quinn::AsyncUdpSocket;
use quinn::UdpPoller;
use quinn::udp::RecvMeta;
use quinn::udp::Transmit;

use crate::End;
use crate::report::plain;

/// A UDP socket of quinn's that counts bytes. Calls are not counted: one may carry many datagrams.
pub(super) struct Counted {
    inner: Arc<dyn AsyncUdpSocket>,
    end: Mutex<End>,
}

impl Counted {
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, role: &str) -> Self {
        let v4 = inner.local_addr().is_ok_and(|address| plain(address).is_ipv4());
        let family = if v4 { libc::AF_INET } else { libc::AF_INET6 };
        Self { inner, end: Mutex::new(End::here(role, family, libc::IPPROTO_UDP)) }
    }

    /// What moved so far, over a conversation with `remote` if there is only that.
    pub(super) fn end(&self, remote: Option<SocketAddr>) -> End {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner).clone();
        end.remote = remote;
        end
    }

    fn count(&self, sent: usize, received: usize) {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.sent += sent as u64;
        end.recv += received as u64;
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for Counted {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.inner.try_send(transmit)?;
        self.count(transmit.contents.len(), 0);
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        rooms: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let got = ready!(self.inner.poll_recv(context, rooms, meta))?;
        self.count(0, meta.iter().take(got).map(|meta| meta.len).sum());
        Poll::Ready(Ok(got))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}
