//! Certificates: our own, or the user's.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;

use crate::settings::Tls;
use crate::state::StateDir;

const CERT: &str = "cert.pem";
const KEY: &str = "key.pem";
/// Our own is made anew this long after it was.
const RENEWED: Duration = Duration::from_secs(300 * 86_400);
/// How long it is valid.
const VALID: time::Duration = time::Duration::days(397);

/// What is needed to encrypt, and the SHA-256 of the certificate to compare with what a browser
/// shows.
pub(crate) struct Encryption {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) fingerprint: String,
}

/// Reads, or makes, a certificate; `None` without encryption.
pub(crate) fn encryption(
    tls: &Tls,
    dir: &StateDir,
    names: &[String],
    listen: IpAddr,
) -> io::Result<Option<Encryption>> {
    let (cert, key) = match tls {
        Tls::Off => return Ok(None),
        Tls::Own => own(dir, names, listen)?,
        Tls::Files { cert, key } => (read(cert)?, read(key)?),
    };
    acceptor(&cert, &key).map(Some)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn acceptor(cert: &[u8], key: &[u8]) -> io::Result<Encryption> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| {
        io::Error::other(format!("{what} ({error}); both files have to be PEM and belong together"))
    };
    let certs = CertificateDer::pem_slice_iter(cert).collect::<Result<Vec<_>, _>>();
    let certs = certs.map_err(|error| wrong("the certificate cannot be read", &error))?;
    let first = certs.first().ok_or_else(|| wrong("there is no certificate", &"empty file"))?;
    let digest = Sha256::digest(first.as_ref());
    let fingerprint: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    let key = PrivateKeyDer::from_pem_slice(key);
    let key = key.map_err(|error| wrong("the key cannot be read", &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(certs, key);
    let mut config = config.map_err(|error| wrong("the certificate is not good", &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Ok(Encryption { acceptor, fingerprint: fingerprint.join(":") })
}

/// The one in the state directory, for as long as it is good.
fn own(dir: &StateDir, names: &[String], listen: IpAddr) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let age = fs::metadata(dir.file(CERT)).and_then(|data| data.modified());
    let young = age.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < RENEWED));
    if young
        && let (Some(cert), Some(key)) = (dir.read(CERT)?, dir.read(KEY)?)
        && acceptor(&cert, &key).is_ok()
    {
        return Ok((cert, key));
    }
    let (cert, key) = make(names, listen).map_err(io::Error::other)?;
    dir.replace(KEY, key.as_bytes())?;
    dir.replace(CERT, cert.as_bytes())?;
    Ok((cert.into_bytes(), key.into_bytes()))
}

fn make(names: &[String], listen: IpAddr) -> Result<(String, String), rcgen::Error> {
    let mut all = vec!["localhost".to_owned()];
    all.extend(names.iter().cloned());
    let mut params = CertificateParams::new(all)?;
    params.subject_alt_names.push(SanType::IpAddress(listen));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "femtosnitch");
    let now = OffsetDateTime::now_utc();
    params.not_before = now.saturating_sub(time::Duration::days(1));
    params.not_after = now.saturating_add(VALID);
    let key = KeyPair::generate()?;
    let cert = params.self_signed(&key)?;
    Ok((cert.pem(), key.serialize_pem()))
}
