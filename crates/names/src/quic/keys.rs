//! The keys of Initial packets, and what they open (RFC 9001 §5, RFC 9369 §3.3).
//!
//! The ciphers are RustCrypto's: in a release build AES, GCM and HKDF add 30 KB to what SHA-256
//! takes already, ring would add 90 KB, and C and assembler besides. Nothing here is secret, so
//! that where the processor has no AES instructions it may take its time.

use aes::Aes128;
use aes::cipher::BlockEncrypt as _;
use aes_gcm::{AeadInPlace as _, Aes128Gcm, KeyInit as _};
use hkdf::Hkdf;
use sha2::Sha256;

use super::header::Initial;

/// How long a cipher's tag, and what of a packet makes the mask of its header, are.
const TAG: usize = 16;

/// A version of QUIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

impl Version {
    pub(super) fn of(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            0x6b33_43cf => Some(Self::Two),
            _ => None,
        }
    }

    /// RFC 9001 §5.2, RFC 9369 §3.3.1.
    fn salt(self) -> [u8; 20] {
        match self {
            Self::One => [
                0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
                0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
            ],
            Self::Two => [
                0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26,
                0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
            ],
        }
    }

    /// Labels of key, initialization vector and header protection.
    fn labels(self) -> [&'static [u8]; 3] {
        match self {
            Self::One => [b"quic key", b"quic iv", b"quic hp"],
            Self::Two => [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"],
        }
    }
}

/// The keys of a client's Initial packets.
pub(super) struct Keys {
    version: Version,
    id: Vec<u8>,
    cipher: Aes128Gcm,
    iv: [u8; 12],
    header: Aes128,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("version", &self.version).field("id", &self.id).finish()
    }
}

/// A packet that was opened.
pub(super) struct Plain {
    pub(super) number: u64,
    pub(super) frames: Vec<u8>,
}

/// What HKDF makes.
pub(super) struct Secrets {
    pub(super) key: [u8; 16],
    pub(super) iv: [u8; 12],
    pub(super) header: [u8; 16],
}

impl Secrets {
    pub(super) fn derive(version: Version, id: &[u8]) -> Option<Self> {
        let initial = Hkdf::<Sha256>::new(Some(&version.salt()), id);
        let client: [u8; 32] = expand(&initial, b"client in")?;
        let client = Hkdf::<Sha256>::from_prk(&client).ok()?;
        let [key, iv, header] = version.labels();
        Some(Self {
            key: expand(&client, key)?,
            iv: expand(&client, iv)?,
            header: expand(&client, header)?,
        })
    }
}

/// HKDF-Expand-Label without a context (RFC 8446 §7.1).
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8]) -> Option<[u8; N]> {
    const PREFIX: &[u8] = b"tls13 ";
    let mut out = [0; N];
    let length = u16::try_from(N).ok()?.to_be_bytes();
    let label_length = [u8::try_from(PREFIX.len() + label.len()).ok()?];
    secret.expand_multi_info(&[&length, &label_length, PREFIX, label, &[0]], &mut out).ok()?;
    Some(out)
}

impl Keys {
    /// The keys that follow from the ID that the client chose for the server.
    pub(super) fn derive(version: Version, id: &[u8]) -> Option<Self> {
        let secrets = Secrets::derive(version, id)?;
        Some(Self {
            version,
            id: id.to_vec(),
            cipher: Aes128Gcm::new(&secrets.key.into()),
            iv: secrets.iv,
            header: Aes128::new(&secrets.header.into()),
        })
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    pub(super) fn id(&self) -> Vec<u8> {
        self.id.clone()
    }

    /// Takes the protection from a packet's header and opens it. Nothing if its tag is wrong.
    pub(super) fn open(&self, initial: &Initial<'_>, highest: Option<u64>) -> Option<Plain> {
        let (header, protected) = initial.bytes.split_at_checked(initial.number_at)?;
        // The sample begins where the packet number ends if it has four bytes.
        let sample: [u8; TAG] = protected.get(4..4 + TAG)?.try_into().ok()?;
        let mut mask = sample.into();
        self.header.encrypt_block(&mut mask);
        let [first_mask, number_mask @ ..] = <[u8; TAG]>::from(mask);
        let mut header = header.to_vec();
        let first = header.first_mut()?;
        *first ^= first_mask & 0x0f;
        let length = usize::from(*first & 3) + 1;
        let (number, sealed) = protected.split_at_checked(length)?;
        header.extend(number.iter().zip(number_mask).map(|(byte, mask)| byte ^ mask));
        let number = number_of(header.get(initial.number_at..)?, highest);
        let (frames, tag) = sealed.split_last_chunk::<TAG>()?;
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *byte ^= number;
        }
        let mut frames = frames.to_vec();
        self.cipher
            .decrypt_in_place_detached(&nonce.into(), &header, &mut frames, &(*tag).into())
            .ok()?;
        Some(Plain { number, frames })
    }
}

/// The whole packet number, of which the last bytes are given: the one nearest to the number
/// after the highest (RFC 9000 §A.3).
fn number_of(bytes: &[u8], highest: Option<u64>) -> u64 {
    let given = bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let window = 1_u64 << (8 * bytes.len().min(4));
    let expected = highest.map_or(0, |highest| highest + 1);
    let near = (expected & !(window - 1)) | given;
    if near + window / 2 <= expected {
        near + window
    } else if near > expected + window / 2 && near >= window {
        near - window
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_completed() {
        // RFC 9000 §A.3.
        assert_eq!(number_of(&[0x9b, 0x32], Some(0xa82f_30ea)), 0xa82f_9b32);
        assert_eq!(number_of(&[0], None), 0);
        assert_eq!(number_of(&[0xff], None), 255);
        assert_eq!(number_of(&[1], Some(254)), 257);
        assert_eq!(number_of(&[0xff], Some(256)), 255);
        // As high as numbers get, and one that nobody could have sent.
        let highest = number_of(&[0xff; 4], Some((1 << 62) - 1));
        assert_eq!(highest, (1 << 62) - 1);
    }
}
