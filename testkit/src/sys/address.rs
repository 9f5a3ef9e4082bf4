//! Socket addresses as bytes, so that no pointer is ever cast between address structures.

use std::io;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

/// Room for every address family.
const ROOM: usize = 128;

/// A socket address in the kernel's layout.
#[derive(Debug, Clone, Copy)]
pub struct RawAddr {
    pub(super) bytes: [u8; ROOM],
    pub(super) len: u32,
}

impl RawAddr {
    /// Room for the kernel to write into.
    pub(super) fn empty() -> Self {
        Self { bytes: [0; ROOM], len: 128 }
    }

    /// No address at all (`AF_UNSPEC`).
    pub(super) fn none() -> Self {
        Self { bytes: [0; ROOM], len: 16 }
    }

    /// An address that the kernel has written elsewhere.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self::from_parts(&[bytes])
    }

    fn from_parts(parts: &[&[u8]]) -> Self {
        let mut address = Self { bytes: [0; ROOM], len: 0 };
        let flat = parts.iter().flat_map(|part| part.iter().copied());
        for (slot, byte) in address.bytes.iter_mut().zip(flat) {
            *slot = byte;
            address.len += 1;
        }
        address
    }

    /// The link-layer address (`sockaddr_ll`) of everybody on one interface, for an EtherType.
    #[must_use]
    pub fn packet(ifindex: i32, ethertype: u16) -> Self {
        let family = family_bytes(libc::AF_PACKET);
        Self::from_parts(&[
            &family,
            &ethertype.to_be_bytes(),
            &ifindex.to_ne_bytes(),
            &[0, 0, 0, 6],
            &[0xff; 6],
            &[0; 2],
        ])
    }

    /// The first queue of an interface (`sockaddr_xdp`), with frames copied (`XDP_COPY`).
    #[must_use]
    pub fn rings(ifindex: u32) -> Self {
        let flags = 2_u16.to_ne_bytes();
        let family = family_bytes(libc::AF_XDP);
        Self::from_parts(&[&family, &flags, &ifindex.to_ne_bytes(), &[0; 8]])
    }

    /// The internet address in it.
    ///
    /// # Errors
    /// If it is of another family.
    pub fn internet(&self) -> io::Result<SocketAddr> {
        let other = || io::Error::new(io::ErrorKind::InvalidData, "not an internet address");
        let family: [u8; 2] = self.array(0).ok_or_else(other)?;
        let port = u16::from_be_bytes(self.array(2).ok_or_else(other)?);
        match i32::from(u16::from_ne_bytes(family)) {
            libc::AF_INET => {
                let ip: [u8; 4] = self.array(4).ok_or_else(other)?;
                Ok(SocketAddr::new(Ipv4Addr::from(ip).into(), port))
            }
            libc::AF_INET6 => {
                let ip: [u8; 16] = self.array(8).ok_or_else(other)?;
                Ok(SocketAddr::new(Ipv6Addr::from(ip).into(), port))
            }
            _ => Err(other()),
        }
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..at + N)?.try_into().ok()
    }
}

fn family_bytes(family: i32) -> [u8; 2] {
    u16::try_from(family).unwrap_or(0).to_ne_bytes()
}

impl From<SocketAddr> for RawAddr {
    fn from(address: SocketAddr) -> Self {
        let port = address.port().to_be_bytes();
        match address {
            SocketAddr::V4(v4) => {
                let family = family_bytes(libc::AF_INET);
                Self::from_parts(&[&family, &port, &v4.ip().octets(), &[0; 8]])
            }
            SocketAddr::V6(v6) => Self::from_parts(&[
                &family_bytes(libc::AF_INET6),
                &port,
                &v6.flowinfo().to_be_bytes(),
                &v6.ip().octets(),
                &v6.scope_id().to_ne_bytes(),
            ]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_kernel_layout() {
        for text in ["127.0.0.1:80", "[2001:db8::7]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(RawAddr::from(address).internet().unwrap(), address);
        }
        assert_eq!(RawAddr::from("1.2.3.4:5".parse::<SocketAddr>().unwrap()).len, 16);
        assert_eq!(RawAddr::from("[::1]:5".parse::<SocketAddr>().unwrap()).len, 28);
        assert_eq!(RawAddr::packet(1, 0x88b5).len, 20);
        assert!(RawAddr::packet(1, 0x88b5).internet().is_err());
    }
}
