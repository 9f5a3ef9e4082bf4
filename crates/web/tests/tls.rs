//! Encrypted connections.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use common::*;
use femtosnitch_web::Tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

#[test]
fn our_own_certificate_is_kept_and_trusted_by_whoever_was_given_it() {
    let served = serve_with(|settings| settings.tls = Tls::Own);
    let pem = std::fs::read(served.dir.path().join("state/cert.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    for name in ["localhost", "127.0.0.1", "snitch.example.org"] {
        let name = ServerName::try_from(name).unwrap();
        let client = ClientConnection::new(Arc::clone(&config), name).unwrap();
        let socket = TcpStream::connect(served.addr()).unwrap();
        let mut stream = StreamOwned::new(client, socket);
        let body = format!("{{\"token\":\"{}\"}}", served.token);
        write!(
            stream,
            "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let reply = read(&mut stream);
        assert_eq!(reply.status, 204);
        let set = reply.header("set-cookie").unwrap();
        assert!(set.starts_with("__Host-") && set.contains("; Secure"), "{set}");
    }
    // In the clear nobody is answered.
    assert_eq!(served.get("/login").status, 0);
    // The same at the next start, and the key is for its owner alone.
    let fingerprint = served.server.fingerprint().unwrap().to_owned();
    let mode = std::fs::metadata(served.dir.path().join("state/key.pem")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o777, 0o600);
    let Served { dir, server, .. } = served;
    server.stop();
    let cert = dir.path().join("state/cert.pem");
    let key = dir.path().join("state/key.pem");
    let again = serve_in(dir, |settings| settings.tls = Tls::Files { cert, key });
    assert_eq!(again.server.fingerprint(), Some(fingerprint.as_str()));
}
