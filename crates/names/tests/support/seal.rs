//! Initial packets, sealed by rustls: nothing of the code under test.

use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::Version;
use rustls::{Side, SupportedCipherSuite};

/// The ID that the standards' examples use.
pub(crate) const ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

/// What a packet is made of.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) version: Version,
    /// The ID in the header.
    pub(crate) id: Vec<u8>,
    /// The ID that the keys follow from.
    pub(crate) key_id: Vec<u8>,
    pub(crate) number: u32,
    pub(crate) token: Vec<u8>,
}

impl Packet {
    pub(crate) fn new(version: Version, number: u32) -> Self {
        Self { version, id: ID.to_vec(), key_id: ID.to_vec(), number, token: Vec::new() }
    }

    pub(crate) fn seal(&self, frames: &[u8]) -> Vec<u8> {
        let two = matches!(self.version, Version::V2);
        let mut packet = vec![if two { 0xd3 } else { 0xc3 }];
        packet.extend(if two { 0x6b33_43cf_u32 } else { 1 }.to_be_bytes());
        packet.push(u8::try_from(self.id.len()).unwrap());
        packet.extend(&self.id);
        packet.push(0);
        packet.extend(varint(self.token.len()));
        packet.extend(&self.token);
        packet.extend(varint(4 + frames.len() + 16));
        let number_at = packet.len();
        packet.extend(self.number.to_be_bytes());
        let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else { unreachable!() };
        let keys = suite.quic_suite().unwrap().keys(&self.key_id, Side::Client, self.version);
        let mut sealed = frames.to_vec();
        let tag =
            keys.local.packet.encrypt_in_place(self.number.into(), &packet, &mut sealed).unwrap();
        packet.extend(sealed);
        packet.extend(tag.as_ref());
        let sample = packet[number_at + 4..][..16].to_vec();
        let (first, rest) = packet.split_at_mut(1);
        let number = &mut rest[number_at - 1..][..4];
        keys.local.header.encrypt_in_place(&sample, &mut first[0], number).unwrap();
        packet
    }
}

/// A length, in two bytes unless it is none.
pub(crate) fn varint(number: usize) -> Vec<u8> {
    match u16::try_from(number).unwrap() {
        0 => vec![0],
        number => (number | 0x4000).to_be_bytes().to_vec(),
    }
}

/// A CRYPTO frame.
pub(crate) fn crypto(offset: usize, bytes: &[u8]) -> Vec<u8> {
    [&[6][..], &varint(offset), &varint(bytes.len()), bytes].concat()
}
