//! TLS that is real at both ends, between which every byte of every call is counted.

use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::DigitallySignedStruct;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;

use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::emit;
use crate::peer::hello;
use crate::peer::stream;
use crate::sys::socket;

/// Between the parts of a hello that is sent in two: so that they are two segments for certain.
const PAUSE: Duration = Duration::from_millis(20);

/// Takes any certificate: it is names that are tested here, and nothing is secret.
#[derive(Debug)]
pub(super) struct Anybody(Arc<CryptoProvider>);

impl Anybody {
    pub(super) fn new() -> Self {
        Self(provider())
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Names what TLS refused.
pub(super) fn odd(error: impl std::fmt::Display) -> Error {
    Error::Unexpected(format!("TLS: {error}"))
}

/// A certificate that its own key has signed.
pub(super) fn certificate() -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
    let made = rcgen::generate_simple_self_signed(vec!["example.test".to_owned()]).map_err(odd)?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(odd)?;
    Ok((made.cert.der().clone(), key))
}

pub(super) fn client_config(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(versions).map_err(odd)?;
    let verifier = Arc::new(Anybody::new());
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

pub(super) fn server_config(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<ServerConfig> {
    let (certificate, key) = certificate()?;
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(versions).map_err(odd)?;
    builder.with_no_client_auth().with_single_cert(vec![certificate], key).map_err(odd)
}

/// A socket whose calls are counted.
struct Counted {
    fd: OwnedFd,
    end: End,
}

impl io::Read for Counted {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let got = socket::recv(&self.fd, room, 0)?;
        self.end.received(got);
        Ok(got)
    }
}

impl io::Write for Counted {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let sent = socket::send(&self.fd, data, 0)?;
        self.end.sent(sent);
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Connects to `to`, asks for the host `name` there and reads all that it gives. The hello is
/// sent by two calls if `split_at` says where.
///
/// # Errors
/// If there is no such server.
pub fn tls(to: SocketAddr, name: &str, split_at: Option<usize>) -> Result<()> {
    let name = ServerName::try_from(name.to_owned()).map_err(odd)?;
    let config = Arc::new(client_config(rustls::ALL_VERSIONS)?);
    let mut session = ClientConnection::new(config, name).map_err(odd)?;
    let fd = stream::connected(to)?;
    socket::set_option(&fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1).doing("TCP_NODELAY")?;
    let end = stream::end("client", &fd)?;
    let mut counted = Counted { fd, end };
    let mut first = Vec::new();
    session.write_tls(&mut first).doing("making a hello")?;
    let (one, two) = first.split_at(split_at.unwrap_or(0).min(first.len()));
    if !one.is_empty() {
        counted.write_all(one).doing("sending a hello")?;
        std::thread::sleep(PAUSE);
    }
    counted.write_all(two).doing("sending a hello")?;
    let mut stream = rustls::Stream::new(&mut session, &mut counted);
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").doing("asking over TLS")?;
    stream.read_to_end(&mut Vec::new()).doing("reading over TLS")?;
    emit(&Report::new("names", vec![counted.end]))
}

/// Serves `bytes` bytes over HTTP/1.0 over TLS to every client, one after the other, and prints
/// what went over each connection. Ends when standard input closes.
///
/// # Errors
/// If the address cannot be had.
pub fn serve_tls(listen: SocketAddr, bytes: usize) -> Result<()> {
    let config = Arc::new(server_config(rustls::ALL_VERSIONS)?);
    let listener = stream::listener(listen)?;
    hello(socket::local(&listener)?)?;
    crate::peer::until_input_closes();
    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
    let answer = [head.as_bytes(), &vec![b'z'; bytes]].concat();
    loop {
        let fd = socket::accept(&listener).doing("accepting")?;
        let end = stream::end("server", &fd)?;
        let mut counted = Counted { fd, end };
        let mut session = ServerConnection::new(Arc::clone(&config)).map_err(odd)?;
        // Who goes away early is reported with what moved.
        drop(serve_one(&mut session, &mut counted, &answer));
        emit(&counted.end)?;
    }
}

fn serve_one(
    session: &mut ServerConnection,
    counted: &mut Counted,
    answer: &[u8],
) -> io::Result<()> {
    let mut stream = rustls::Stream::new(session, counted);
    let mut request = Vec::new();
    let mut room = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut room)? {
            0 => return Ok(()),
            got => request.extend_from_slice(room.get(..got).unwrap_or_default()),
        }
    }
    stream.write_all(answer)?;
    stream.conn.send_close_notify();
    stream.flush()?;
    // Until the client has closed, so that no byte is left unread.
    while stream.sock.read(&mut room)? > 0 {}
    Ok(())
}
