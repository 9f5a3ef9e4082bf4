//! TLS by the kernel, with keys that are no secret.

use std::io;
use std::os::fd::AsFd;

use super::socket;

/// `SOL_TLS` and its options.
const SOL_TLS: i32 = 282;
const TLS_TX: i32 = 1;
const TLS_RX: i32 = 2;

/// Puts a connected TCP socket under TLS, which still needs [`set_keys`].
///
/// # Errors
/// What `setsockopt(2)` said; `ENOENT` where the kernel has no TLS.
pub fn attach(fd: &impl AsFd) -> io::Result<()> {
    socket::set_bytes(fd, libc::IPPROTO_TCP, libc::TCP_ULP, b"tls")
}

/// TLS 1.2 with AES-GCM-128, both ways with the same key.
///
/// # Errors
/// What `setsockopt(2)` said; `ENOENT` where the kernel has no such cipher.
pub fn set_keys(fd: &impl AsFd) -> io::Result<()> {
    // struct tls12_crypto_info_aes_gcm_128: version, cipher, then iv, key, salt and sequence.
    let [version, cipher] = [0x0303_u16, 51].map(u16::to_ne_bytes);
    let mut info = [version, cipher].concat();
    info.extend([7; 8 + 16 + 4]);
    info.extend([0; 8]);
    socket::set_bytes(fd, SOL_TLS, TLS_TX, &info)?;
    socket::set_bytes(fd, SOL_TLS, TLS_RX, &info)
}
