//! The address hints of an HTTPS or SVCB record (RFC 9460 §2.2, §7.3).

use std::net::IpAddr;

use super::Error;
use crate::cursor::Cursor;

/// Keys of parameters.
const IPV4_HINT: u16 = 4;
const IPV6_HINT: u16 = 6;

/// Addresses in the parameters of a record, which begin behind its target.
pub(super) fn hints(parameters: &[u8]) -> Result<Vec<IpAddr>, Error> {
    let mut cursor = Cursor::new(parameters);
    let mut found = Vec::new();
    while !cursor.is_empty() {
        let key = cursor.u16().ok_or(Error::Record)?;
        let value = cursor.counted_u16().ok_or(Error::Record)?;
        match key {
            IPV4_HINT => addresses::<4>(value, &mut found)?,
            IPV6_HINT => addresses::<16>(value, &mut found)?,
            _ => {}
        }
    }
    Ok(found)
}

fn addresses<const N: usize>(value: &[u8], found: &mut Vec<IpAddr>) -> Result<(), Error>
where
    IpAddr: From<[u8; N]>,
{
    let (all, rest) = value.as_chunks::<N>();
    if all.is_empty() || !rest.is_empty() {
        return Err(Error::Record);
    }
    found.extend(all.iter().map(|bytes| IpAddr::from(*bytes)));
    Ok(())
}
