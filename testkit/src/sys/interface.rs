//! Network interfaces of this namespace.

use std::ffi::CStr;
use std::io;
use std::net::IpAddr;

use super::address::RawAddr;
use super::checked;

/// The addresses of all interfaces, freed when dropped.
struct Interfaces(*mut libc::ifaddrs);

impl Drop for Interfaces {
    fn drop(&mut self) {
        // SAFETY: getifaddrs gave it to us and nobody has freed it.
        unsafe { libc::freeifaddrs(self.0) };
    }
}

/// Index of the interface that has this address.
///
/// # Errors
/// If none has, or what `getifaddrs(3)` said.
pub fn with_address(ip: IpAddr) -> io::Result<i32> {
    let mut first = std::ptr::null_mut();
    // SAFETY: `first` outlives the call.
    checked(unsafe { libc::getifaddrs(&raw mut first) })?;
    let all = Interfaces(first);
    let mut next = all.0;
    // SAFETY: `next` is null or an element of the list, which `all` keeps alive.
    while let Some(entry) = unsafe { next.as_ref() } {
        if address_of(entry) == Some(ip) {
            // SAFETY: an entry's name is a C string that lives as long as the list.
            let name = unsafe { CStr::from_ptr(entry.ifa_name) };
            // SAFETY: `name` is a C string.
            let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
            return i32::try_from(index).map_err(io::Error::other);
        }
        next = entry.ifa_next;
    }
    Err(io::Error::new(io::ErrorKind::AddrNotAvailable, format!("no interface has {ip}")))
}

/// Index of the interface of this name.
///
/// # Errors
/// If there is none.
pub fn named(name: &CStr) -> io::Result<u32> {
    // SAFETY: `name` is a C string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

fn address_of(entry: &libc::ifaddrs) -> Option<IpAddr> {
    // SAFETY: the address is null or points to a structure of at least its family's field.
    let family = i32::from(unsafe { entry.ifa_addr.as_ref() }?.sa_family);
    let size = match family {
        libc::AF_INET => size_of::<libc::sockaddr_in>(),
        libc::AF_INET6 => size_of::<libc::sockaddr_in6>(),
        _ => return None,
    };
    // SAFETY: addresses of these families have this size.
    let bytes = unsafe { std::slice::from_raw_parts(entry.ifa_addr.cast::<u8>(), size) };
    RawAddr::from_bytes(bytes).internet().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_an_interface() {
        assert_eq!(with_address([127, 0, 0, 1].into()).unwrap(), 1);
        assert!(with_address([203, 0, 113, 9].into()).is_err());
        assert_eq!(named(c"lo").unwrap(), 1);
        assert!(named(c"none-such").is_err());
    }
}
