//! QUIC that is real at both ends (RFC 9000), over sockets that count.

use std::net::SocketAddr;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use quinn::ClientConfig;
use quinn::Endpoint;
use quinn::EndpointConfig;
use quinn::Runtime as _;
use quinn::ServerConfig;
use quinn::TokioRuntime;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::crypto::rustls::QuicServerConfig;

use super::quic_count::Counted;
use super::tls;
use super::tls::odd;
use crate::Doing;
use crate::Report;
use crate::Result;
use crate::emit;
use crate::peer::hello;

/// The longest request.
const MAX_REQUEST: usize = 4096;
/// Nothing takes longer, so that what is lost ends as an error.
const PATIENCE: Duration = Duration::from_secs(20);

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().doing("starting tokio")
}

/// An endpoint over a socket of ours.
fn endpoint(
    bind: SocketAddr,
    role: &str,
    server: Option<ServerConfig>,
) -> Result<(Endpoint, Arc<Counted>)> {
    let socket = UdpSocket::bind(bind).doing("binding a UDP socket")?;
    let wrapped = TokioRuntime.wrap_udp_socket(socket).doing("handing a socket to quinn")?;
    let counted = Arc::new(Counted::new(wrapped, role));
    let config = EndpointConfig::default();
    let shared = Arc::clone(&counted) as Arc<dyn quinn::AsyncUdpSocket>;
    let endpoint =
        Endpoint::new_with_abstract_socket(config, server, shared, Arc::new(TokioRuntime));
    Ok((endpoint.doing("starting quinn")?, counted))
}

/// Connects to `to`, asks for the host `name` there and reads all that it gives.
///
/// # Errors
/// If there is no such server.
pub fn quic(to: SocketAddr, name: &str) -> Result<()> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let any = any.parse().map_err(odd)?;
    runtime()?.block_on(async {
        let (mut endpoint, counted) = endpoint(any, "client", None)?;
        let crypto = tls::client_config(&[&rustls::version::TLS13])?;
        let crypto = QuicClientConfig::try_from(crypto).map_err(odd)?;
        endpoint.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
        tokio::time::timeout(PATIENCE, ask(&endpoint, to, name)).await.map_err(odd)??;
        emit(&Report::new("names", vec![counted.end(Some(to))]))
    })
}

async fn ask(endpoint: &Endpoint, to: SocketAddr, name: &str) -> Result<()> {
    let connection = endpoint.connect(to, name).map_err(odd)?.await.map_err(odd)?;
    let (mut send, mut recv) = connection.open_bi().await.map_err(odd)?;
    send.write_all(b"GET /\r\n").await.map_err(odd)?;
    send.finish().map_err(odd)?;
    recv.read_to_end(usize::MAX).await.map_err(odd)?;
    connection.close(0_u32.into(), b"");
    endpoint.wait_idle().await;
    Ok(())
}

/// Gives `bytes` bytes to every client, one after the other, and prints after each what went over
/// the socket so far. Ends when standard input closes.
///
/// # Errors
/// If the address cannot be had.
pub fn serve_quic(listen: SocketAddr, bytes: usize) -> Result<()> {
    let crypto = tls::server_config(&[&rustls::version::TLS13])?;
    let crypto = QuicServerConfig::try_from(crypto).map_err(odd)?;
    let config = ServerConfig::with_crypto(Arc::new(crypto));
    let answer = vec![b'z'; bytes];
    runtime()?.block_on(async {
        let (endpoint, counted) = endpoint(listen, "server", Some(config))?;
        hello(endpoint.local_addr().doing("asking for the own address")?)?;
        crate::peer::until_input_closes();
        while let Some(incoming) = endpoint.accept().await {
            // Who goes away early is reported with what moved.
            drop(serve_one(incoming, &answer).await);
            emit(&counted.end(None))?;
        }
        Ok(())
    })
}

async fn serve_one(incoming: quinn::Incoming, answer: &[u8]) -> Result<()> {
    let connection = incoming.await.map_err(odd)?;
    let (mut send, mut recv) = connection.accept_bi().await.map_err(odd)?;
    recv.read_to_end(MAX_REQUEST).await.map_err(odd)?;
    send.write_all(answer).await.map_err(odd)?;
    send.finish().map_err(odd)?;
    connection.closed().await;
    Ok(())
}
