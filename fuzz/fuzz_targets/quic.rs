//! A client's datagrams. No mutation gets past the cipher, so that if the first byte is even the
//! rest are frames, sealed here; else it is datagrams, each behind its length.
#![no_main]

use aes::Aes128;
use aes::cipher::BlockEncrypt as _;
use aes_gcm::{AeadInPlace as _, Aes128Gcm, KeyInit as _};
use femtosnitch_names::quic::{Initials, MAX_DATAGRAMS, State};
use femtosnitch_names::tls::MAX_ALPN;
use libfuzzer_sys::fuzz_target;

/// Key, vector and header protection of RFC 9001 §A.1.
const KEY: u128 = 0x1f36_9613_dd76_d546_7730_efcb_e3b1_a22d;
const IV: [u8; 12] = [0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c];
const HEADER: u128 = 0x9f50_449e_04a0_e810_283a_1e99_33ad_edd2;

/// A packet with the number 0.
fn seal(frames: &[u8]) -> Vec<u8> {
    let mut sealed = frames.to_vec();
    sealed.resize(frames.len().max(4), 0);
    let length = 0x4000 | u16::try_from(1 + sealed.len() + 16).unwrap();
    let mut packet = b"\xc0\0\0\0\x01\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08\0\0".to_vec();
    packet.extend(length.to_be_bytes());
    packet.push(0);
    let cipher = Aes128Gcm::new(&KEY.to_be_bytes().into());
    let tag = cipher.encrypt_in_place_detached(&IV.into(), &packet, &mut sealed).unwrap();
    let number_at = packet.len() - 1;
    packet.extend(sealed);
    packet.extend(tag);
    let sample: [u8; 16] = packet[number_at + 4..][..16].try_into().unwrap();
    let mut mask = sample.into();
    Aes128::new(&HEADER.to_be_bytes().into()).encrypt_block(&mut mask);
    packet[0] ^= mask[0] & 0x0f;
    packet[number_at] ^= mask[1];
    packet
}

/// The piece at the front, behind two bytes of length.
fn piece<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length) & 0x0fff).min(rest.len());
    let (piece, rest) = rest.split_at(length);
    *bytes = rest;
    Some(piece)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((how, mut bytes)) = bytes.split_first() else { return };
    let mut initials = Initials::new();
    let mut pushed = 0;
    while let Some(piece) = piece(&mut bytes) {
        let state = if how % 2 == 0 { initials.push(&seal(piece)) } else { initials.push(piece) };
        pushed += 1;
        assert!(pushed < MAX_DATAGRAMS || state != State::More);
        if let State::Done(found) = state {
            assert!(found.alpn.len() <= MAX_ALPN);
            break;
        }
    }
    drop(initials.so_far());
});
